// What a user writes to replicate something of their own: a function from a command and the state to a result.
//
// A machine keeps everything in the store that it is handed, and nothing in itself. In return it gets, without a line
// of its own: a state root, proofs for single keys, snapshots in verified chunks and their restore, exactly-once
// requests, and undo of a command that fails. counter.ts is the shortest example, kv/ the largest.

import type { Role } from './clients.ts'

export interface StateMachine {
  /** Which machine, and which version of its formats; part of the state, so that no snapshot is read by another. */
  readonly name: string
  /**
   * Executes one command and returns its result. Must depend on nothing but the arguments: no clock, no randomness, no
   * locale, nothing kept from earlier calls; and must not recurse deeper than its input is bounded, since the depth of
   * the stack differs between hosts. An exception undoes the command: throw {@link CommandRefused} to tell the client
   * why; of any other the client learns only that it happened, since texts of engines differ.
   */
  apply(command: Uint8Array, context: CommandContext, store: Store): Uint8Array
  /**
   * Called once for each entry, before its commands: what ends at an agreed time ends here. The rules of `apply` hold; what breaks
   * them is undone as a whole. Work that does not fit one command's limits is left to the next entry.
   */
  advance?(context: AdvanceContext, store: Store): void
  /** The agreed time, in milliseconds, from which on `advance` has something to do; undefined where nothing waits. */
  due?(store: Store): number | undefined
}

/** Agreed facts about the entry whose commands come next. */
export interface AdvanceContext {
  readonly slot: number
  /** As in {@link CommandContext}. */
  readonly timestampMs: number
}

/** Agreed facts about the command that is being executed. */
export interface CommandContext {
  readonly slot: number
  /** Position among the requests of the entry, from 0. */
  readonly index: number
  /** Milliseconds since 1970-01-01 UTC, as agreed for the entry; never less than in an earlier one. */
  readonly timestampMs: number
  /** The client's Ed25519 public key, 32 bytes. */
  readonly client: Uint8Array
  readonly role: Role
}

export interface StoreEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export interface RangeQuery {
  /** The first key. */
  readonly start: Uint8Array
  /** Keys from here on are left out; without it the range has no end. */
  readonly end?: Uint8Array
  /** Entries at most. */
  readonly limit?: number
}

/**
 * The machine's part of the state. Every call is metered by limits.ts, and a reader may not write; a call that breaks a
 * limit or a permission throws, and the command is undone even where the machine catches that.
 */
export interface Store {
  get(key: Uint8Array): Uint8Array | undefined
  put(key: Uint8Array, value: Uint8Array): void
  /** True where there was something to delete. */
  delete(key: Uint8Array): boolean
  /** Entries in the order of their key bytes. */
  range(query: RangeQuery): readonly StoreEntry[]
  /** How many entries the range has. */
  count(query: RangeQuery): number
}

/** A machine's deterministic "no": the command changes nothing and `code` is what the client gets. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused'
  /** Plain ASCII, 100 characters at most; part of the agreed result. */
  readonly code: string

  /** @throws {RangeError} where `code` is not plain ASCII of at most 100 characters. */
  constructor(code: string) {
    super(code)
    if (!/^[ -~]{0,100}$/.test(code)) throw new RangeError('CommandRefused: expected up to 100 ASCII characters')
    this.code = code
  }
}

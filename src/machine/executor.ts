// Executes agreed entries, strictly in the order of their slots, and nothing else changes the state. Around any machine
// it puts what all of them need: members, clients and their roles, exactly-once sessions, undo, the records that receipts are
// about, and the state root.

import {
  batchTree,
  copyOf,
  type Digest,
  equalBytes,
  leafHashes,
  type MemberId,
  portableVerifier,
  utf8,
} from '../../crypto/index.ts'
import type { Charter, Succession } from '../../keys/charter/index.ts'
import type { Genesis } from '../../keys/genesis/index.ts'
import { AuthenticatedMap, prefixed, type Text, toBytes, toText } from './authenticated-map/index.ts'
import { clientStateKey, clientValue, type Role, roleOf } from './clients.ts'
import type {
  EntryResults,
  ExecutableEntry,
  ExecutableRequest,
  Executor,
  ExecutorOptions,
  ReadResult,
  StateGenesis,
  StateSnapshot,
} from './execution.ts'
import { META_SPACE } from './keyspace.ts'
import { MAX_COMMAND_BYTES, MAX_RESULT_BYTES } from './limits.ts'
import {
  type Founding,
  foundingOf,
  isSystemCommand,
  MAX_SYSTEM_COMMAND_BYTES,
  MembershipRecords,
  SystemCommands,
} from './membership/index.ts'
import { decodePosition, encodePosition, POSITION_STATE_KEY } from './position.ts'
import { encodeResultRecord, encodeWindow, type Outcome } from './result-record.ts'
import { type Answer, Sessions } from './sessions.ts'
import { type CommandContext, CommandRefused, type StateMachine } from './state-machine.ts'
import { type StateChange, Transaction } from './transaction.ts'

/** What the state of a cluster begins with. */
export function stateGenesis(genesis: Genesis): StateGenesis & { readonly cluster: Founding } {
  return { clients: genesis.clients, cluster: foundingOf(genesis) }
}

const FORMAT_KEY = prefixed(META_SPACE, utf8('format'))
const POSITION_KEY = toText(POSITION_STATE_KEY)
const NOTHING = new Uint8Array(0)
/** Keys that cost what an open page of answers does, in memory too. */
const PAGE_KEYS = 4

/** An executor at slot 0, with the clients and the charter of the genesis. */
export function createExecutor({ hash, clients, cluster, ...options }: ExecutorOptions & StateGenesis): Executor {
  const map = new AuthenticatedMap(hash)
  map.set(FORMAT_KEY, formatOf(options.machine))
  for (const client of clients) map.set(clientStateKey(client.key), clientValue(client))
  if (cluster !== undefined) MembershipRecords.found(map, cluster)
  return new MapExecutor(map, options)
}

/**
 * An executor that goes on from a restored state (`MapRestoration.finish`).
 * @throws {Error} where the state is that of another machine or format.
 */
export function resumeExecutor(options: ExecutorOptions, map: AuthenticatedMap): Executor {
  const format = map.get(FORMAT_KEY)
  const expected = formatOf(options.machine)
  if (format !== expected) throw new Error(`state: expected ${expected}, got ${format ?? 'no format'}`)
  return new MapExecutor(map, options)
}

class MapExecutor implements Executor {
  slot = 0
  timestampMs = 0
  private readonly map: AuthenticatedMap
  private readonly machine: StateMachine
  private readonly sessions: Sessions
  private readonly track: boolean
  private readonly records: MembershipRecords | undefined
  private readonly system: SystemCommands | undefined
  /** Of the entry that is being executed. */
  private changes: StateChange[] = []
  /** Whose request was executed last in this entry, until a role changes: a client's requests come in bundles. */
  private asker: Asker | undefined

  constructor(map: AuthenticatedMap, { machine, track = false, verifier = portableVerifier }: ExecutorOptions) {
    this.map = map
    this.machine = machine
    this.track = track
    this.sessions = new Sessions(map)
    this.records = MembershipRecords.in(map)
    this.system = this.records && new SystemCommands(map, this.records, verifier)
    const stored = map.get(POSITION_KEY)
    const position = stored === undefined ? undefined : decodePosition(toBytes(stored))
    if (position === undefined) return
    this.slot = position.slot
    this.timestampMs = position.timestampMs
  }

  execute({ slot, timestampMs, requests }: ExecutableEntry): EntryResults {
    if (slot !== this.slot + 1) throw new RangeError(`slot: expected ${this.slot + 1}, got ${slot}`)
    requests.forEach(assertWellFormed)
    this.slot = slot
    this.timestampMs = Math.max(this.timestampMs, timestampMs)
    this.advance()
    this.asker = undefined
    const records = requests.map((request, index) => this.answer(request, index))
    this.system?.conclude(slot)
    const tree = batchTree(leafHashes(records))
    const { changes } = this
    this.changes = []
    return { slot, records, tree, root: tree.root, changes }
  }

  read(command: Uint8Array, client: Uint8Array): ReadResult {
    const role = this.roleOf(client)
    if (role === undefined) return { outcome: 'unknown-client', result: NOTHING }
    if (isSystemCommand(command)) return { outcome: 'forbidden', result: NOTHING }
    const { slot, timestampMs } = this
    return this.run(command, { slot, index: 0, timestampMs, client, role }, false)
  }

  due(): number | undefined {
    if (this.machine.due === undefined) return undefined
    const transaction = new Transaction(this.map, false)
    const due = this.machine.due(transaction)
    transaction.end()
    return due
  }

  get uncommitted(): number {
    return this.map.uncommitted + PAGE_KEYS * this.sessions.open
  }

  stateRoot(): Digest {
    this.flush()
    return this.map.commit()
  }

  prepareRoot(limit: number): void {
    this.flush()
    this.map.commitSome(limit)
  }

  snapshot(): StateSnapshot {
    this.flush()
    return { ...this.map.snapshot(), slot: this.slot }
  }

  charter(): Charter | undefined {
    return this.records?.office.charter
  }

  succession(): Succession | undefined {
    return this.system?.succession(this.slot)
  }

  addressesOf(member: MemberId): readonly string[] {
    return this.records?.addressesOf(member) ?? []
  }

  roleOf(client: Uint8Array): Role | undefined {
    return roleOf(this.map, client)
  }

  /** The order of the checks is protocol: what was answered once is answered so, though the client be gone. */
  private answer({ request, id }: ExecutableRequest, index: number): Uint8Array {
    const { client, sequence, command } = request
    const record = (outcome: Outcome, result: Uint8Array, slot = 0) =>
      encodeResultRecord({ outcome, client, sequence, request: id, slot, result })

    const asker = this.askerOf(client)
    const verdict = this.sessions.look(asker.text, sequence)
    if (verdict.kind === 'expired') return record('expired', encodeWindow(verdict.lowest, verdict.highest))
    if (verdict.kind === 'answered') {
      const { answer } = verdict
      if (!equalBytes(answer.request, id)) return record('conflict', answer.request)
      return record(answer.outcome, answer.result, answer.slot)
    }
    const { role } = asker
    if (role === undefined) return record('unknown-client', NOTHING)
    const context = { slot: this.slot, index, timestampMs: this.timestampMs, client, role }
    const { outcome, result } = isSystemCommand(command)
      ? this.govern(command, client)
      : this.run(command, context, role !== 'reader')
    const answer: Answer = { request: id, slot: this.slot, outcome, result }
    this.sessions.note(asker.text, sequence, answer)
    return record(outcome, result, this.slot)
  }

  private askerOf(client: Uint8Array): Asker {
    if (this.asker === undefined || !equalBytes(this.asker.client, client)) {
      this.asker = { client, text: toText(client), role: roleOf(this.map, client) }
    }
    return this.asker
  }

  /** Executes a command of the system, which the machine never sees. It writes only once all of it was judged. */
  private govern(command: Uint8Array, client: Uint8Array): ReadResult {
    // It may change anybody's role, its sender's too.
    this.asker = undefined
    if (this.system === undefined) return { outcome: 'forbidden', result: NOTHING }
    if (command.length > MAX_SYSTEM_COMMAND_BYTES) return { outcome: 'limit', result: NOTHING }
    const done = this.system.execute(command, { slot: this.slot, client })
    return done.ok ? { outcome: 'done', result: done.value } : { outcome: 'refused', result: utf8(done.fault) }
  }

  /** What ends by itself at the time of the entry. A machine that fails at it leaves the state as it was, alike everywhere. */
  private advance(): void {
    if (this.machine.advance === undefined) return
    const transaction = new Transaction(this.map, true)
    let failed = false
    try {
      this.machine.advance({ slot: this.slot, timestampMs: this.timestampMs }, transaction)
    } catch {
      failed = true
    }
    this.conclude(transaction, !failed && transaction.fault === undefined, undefined)
  }

  /** Applies the command; whatever happens in the machine, either all of its writes stand or none. */
  private run(command: Uint8Array, context: CommandContext, mayWrite: boolean): ReadResult {
    if (command.length > MAX_COMMAND_BYTES) return { outcome: 'limit', result: NOTHING }
    const transaction = new Transaction(this.map, mayWrite)
    let outcome: Outcome = 'done'
    let result: Uint8Array = NOTHING
    try {
      const given: unknown = this.machine.apply(command, context, transaction)
      if (!(given instanceof Uint8Array)) throw new TypeError('result: expected bytes')
      if (given.length > MAX_RESULT_BYTES) outcome = 'limit'
      else result = copyOf(given)
    } catch (error) {
      outcome = error instanceof CommandRefused ? 'refused' : 'failed'
      result = error instanceof CommandRefused ? utf8(error.code) : NOTHING
    }
    if (transaction.fault !== undefined) outcome = transaction.fault
    this.conclude(transaction, outcome === 'done', context.index)
    return { outcome, result: outcome === 'done' || outcome === 'refused' ? result : NOTHING }
  }

  private conclude(transaction: Transaction, stands: boolean, index: number | undefined): void {
    if (!stands) transaction.rollback()
    else if (this.track) transaction.noteChanges(index, this.changes)
    transaction.end()
  }

  private flush(): void {
    this.sessions.flush()
    this.map.set(POSITION_KEY, toText(encodePosition(this)))
  }
}

interface Asker {
  readonly client: Uint8Array
  readonly text: Text
  readonly role: Role | undefined
}

function formatOf(machine: StateMachine): Text {
  return toText(utf8(`quorate-state-v2 ${machine.name}`))
}

function assertWellFormed({ request: { client, sequence } }: ExecutableRequest): void {
  if (client.length !== 32) throw new RangeError(`client: expected 32 bytes, got ${client.length}`)
  if (!Number.isSafeInteger(sequence) || sequence < 1) {
    throw new RangeError(`sequence: expected an integer from 1 to 2^53 - 1, got ${sequence}`)
  }
}

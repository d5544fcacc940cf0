// The key-value machine, with etcd's model: a revision counts the commands that changed something, and each key knows
// the revisions of its creation and of its last put, and how often it was put since. Ref: etcd API v3, "Revisions" and
// "Txn".
//
// Refuses with `malformed` what does not decode, and with `duplicate-key` a transaction that writes a key twice. What leases that end
// with one entry take along has one revision, like what one command deletes.
// Different from etcd: a range tells how many entries it returns, not how many there would be (`countOnly` does that).

import { assertNever, compareBytes } from '../../../crypto/index.ts'
import { toText } from '../authenticated-map/index.ts'
import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import {
  type CommandContext,
  CommandRefused,
  type StateMachine,
  type Store,
  type StoreEntry,
} from '../state-machine.ts'
import {
  type Compare,
  type DeleteRange,
  decodeKvCommand,
  type KvCommand,
  type Operation,
  type Put,
  type Range,
} from './command.ts'
import { endDueLeases, Leases, nextLeaseEnd } from './leases.ts'
import { decodeEntry, ENTRIES_END, encodeEntry, entryKey, type KeyValue, REVISION_KEY } from './record.ts'
import { encodeKvResult, type KvResult, type OperationResponse, type RangeResponse } from './response.ts'

/** The key-value machine. Commands: {@link decodeKvCommand}; results: `decodeKvResult`. */
export const kv: StateMachine = Object.freeze({
  name: 'kv-v1',
  apply(bytes, context, store) {
    const command = decodeKvCommand(bytes)
    if (command === undefined) throw new CommandRefused('malformed')
    const execution = new Execution(store, context)
    const response = execution.respond(command)
    return encodeKvResult({ revision: execution.finish(), response })
  },
  advance(context, store) {
    if (endDueLeases(context, store) > 0) store.put(REVISION_KEY, encodeRevision(revisionOf(store) + 1))
  },
  due: nextLeaseEnd,
} satisfies StateMachine)

/** One command: all its writes carry one revision, the next. */
class Execution {
  private readonly store: Store
  private readonly context: CommandContext
  private readonly revision: number
  /** Keys that a transaction has written, as text; a second write would have the same revision as the first. */
  private written: Set<string> | undefined
  private known: Leases | undefined
  /** It wrote a key, or a lease that it revoked took keys along. */
  private changed = false

  constructor(store: Store, context: CommandContext) {
    this.store = store
    this.context = context
    this.revision = revisionOf(store)
  }

  respond(command: KvCommand): KvResult['response'] {
    switch (command.kind) {
      case 'txn': {
        this.written = new Set()
        const succeeded = command.compares.every((compare) => this.holds(compare))
        const operations = succeeded ? command.success : command.failure
        return { kind: 'txn', succeeded, responses: operations.map((operation) => this.perform(operation)) }
      }
      case 'lease-grant':
        return this.leases.grant(command.ttlMs)
      case 'lease-keep-alive':
        return this.leases.keepAlive(command.lease)
      case 'lease-revoke': {
        const response = this.leases.revoke(command.lease)
        this.changed = response.count > 0
        return response
      }
      default:
        return this.perform(command)
    }
  }

  /** Stores the new revision where something changed; returns the one that now holds. */
  finish(): number {
    this.known?.finish()
    if (!this.changed) return this.revision
    this.store.put(REVISION_KEY, encodeRevision(this.revision + 1))
    return this.revision + 1
  }

  /** Made when it is asked for: most commands have nothing to do with leases. */
  private get leases(): Leases {
    this.known ??= new Leases(this.store, this.context)
    return this.known
  }

  private perform(operation: Operation): OperationResponse {
    switch (operation.kind) {
      case 'put':
        return this.put(operation)
      case 'get':
        return { kind: 'get', entry: this.find(operation.key) }
      case 'delete':
        return this.delete(operation.key, operation.previous)
      case 'range':
        return this.range(operation)
      case 'delete-range':
        return this.deleteRange(operation)
      default:
        return assertNever(operation)
    }
  }

  private holds(compare: Compare): boolean {
    const entry = this.find(compare.key)
    if (compare.target === 'value') {
      return entry !== undefined && related(compareBytes(entry.value, compare.value), compare.relation)
    }
    return related(numberOf(entry, compare.target) - compare.number, compare.relation)
  }

  private put({ key, value, previous, lease = 0 }: Put): OperationResponse {
    const place = entryKey(key)
    const old = this.findAt(place, key)
    const modRevision = this.revision + 1
    const createRevision = old?.createRevision ?? modRevision
    const version = (old?.version ?? 0) + 1
    this.claim(key)
    this.moveLease(key, old?.lease ?? 0, lease)
    this.store.put(place, encodeEntry({ key, value, createRevision, modRevision, version, lease }))
    return { kind: 'put', previous: previous ? old : undefined }
  }

  private delete(key: Uint8Array, previous: boolean): OperationResponse {
    const old = this.find(key)
    if (old === undefined) return { kind: 'delete', count: 0, previous: [] }
    this.drop(old)
    return { kind: 'delete', count: 1, previous: previous ? [old] : [] }
  }

  private deleteRange({ start, end, previous }: DeleteRange): OperationResponse {
    const entries = this.store.range(bounds(start, end)).map(asKeyValue)
    for (const entry of entries) this.drop(entry)
    return { kind: 'delete', count: entries.length, previous: previous ? entries : [] }
  }

  private drop({ key, lease }: KeyValue): void {
    this.claim(key)
    this.moveLease(key, lease, 0)
    this.store.delete(entryKey(key))
  }

  private range({ start, end, limit, keysOnly, countOnly }: Range): RangeResponse {
    const range = bounds(start, end)
    if (countOnly) return { kind: 'range', count: this.store.count(range), more: false, entries: [] }
    const found = this.store.range(limit === 0 ? range : { ...range, limit: limit + 1 })
    const more = limit > 0 && found.length > limit
    const entries = (more ? found.slice(0, limit) : found).map(asKeyValue)
    const shown = keysOnly ? entries.map((entry) => ({ ...entry, value: new Uint8Array(0) })) : entries
    return { kind: 'range', count: shown.length, more, entries: shown }
  }

  private find(key: Uint8Array): KeyValue | undefined {
    return this.findAt(entryKey(key), key)
  }

  private findAt(place: Uint8Array, key: Uint8Array): KeyValue | undefined {
    const stored = this.store.get(place)
    return stored === undefined ? undefined : entryOf(key, stored)
  }

  private claim(key: Uint8Array): void {
    this.changed = true
    // No other command comes to the same key twice.
    if (this.written === undefined) return
    const text = toText(key)
    if (this.written.has(text)) throw new CommandRefused('duplicate-key')
    this.written.add(text)
  }

  private moveLease(key: Uint8Array, from: number, to: number): void {
    if (from !== 0 || to !== 0) this.leases.move(key, from, to)
  }
}

function revisionOf(store: Store): number {
  const stored = store.get(REVISION_KEY)
  return stored === undefined ? 0 : new ByteReader(stored).u64()
}

function encodeRevision(revision: number): Uint8Array {
  return new ByteWriter().u64(revision).finish()
}

function bounds(start: Uint8Array, end: Uint8Array | undefined): { start: Uint8Array; end: Uint8Array } {
  return { start: entryKey(start), end: end === undefined ? ENTRIES_END : entryKey(end) }
}

function asKeyValue({ key, value }: StoreEntry): KeyValue {
  return entryOf(key.subarray(1), value)
}

function entryOf(key: Uint8Array, stored: Uint8Array): KeyValue {
  const entry = decodeEntry(key, stored)
  if (entry === undefined) throw new Error('kv: unreadable entry')
  return entry
}

function numberOf(entry: KeyValue | undefined, target: Exclude<Compare['target'], 'value'>): number {
  if (entry === undefined) return 0
  if (target === 'version') return entry.version
  return target === 'create-revision' ? entry.createRevision : entry.modRevision
}

function related(order: number, relation: Compare['relation']): boolean {
  switch (relation) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '>':
      return order > 0
    default:
      return assertNever(relation)
  }
}

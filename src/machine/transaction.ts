// One command's view of the state: reads and writes go straight through, what they replace is noted, and `rollback`
// puts it back. Meters what the command uses (limits.ts), and keeps readers from writing.

import { type AuthenticatedMap, prefixed, type Text, toBytes, toText } from './authenticated-map/index.ts'
import { MACHINE_SPACE } from './keyspace.ts'
import {
  MAX_KEY_BYTES,
  MAX_READ_BYTES_PER_COMMAND,
  MAX_READS_PER_COMMAND,
  MAX_VALUE_BYTES,
  MAX_WRITES_PER_COMMAND,
  MAX_WRITTEN_BYTES_PER_COMMAND,
} from './limits.ts'
import type { RangeQuery, Store, StoreEntry } from './state-machine.ts'

/** Why a command was stopped, whether or not the machine noticed. */
export type StoreFault = 'limit' | 'forbidden' | 'failed'

/** One key of the machine's that an entry changed; as text, which the state has anyway, since most changes are never looked at. */
export interface StateChange {
  /** Position of the request that did it; undefined where it happened by itself, at the agreed time of the entry. */
  readonly index: number | undefined
  /** The machine's own key, as it gave it to the store. */
  readonly key: Text
  /** Undefined where the key was deleted. */
  readonly value: Text | undefined
}

/** Stops the machine; the executor looks at {@link Transaction.fault} and not at this. */
class StoreFaultError extends Error {
  override readonly name = 'StoreFaultError'
}

/** The end of the machine's keys. */
const SPACE_END = toText(Uint8Array.of(MACHINE_SPACE + 1))

export class Transaction implements Store {
  /** Set by the first call that broke a rule; the command must then be rolled back. */
  fault: StoreFault | undefined
  private readonly map: AuthenticatedMap
  private readonly mayWrite: boolean
  private readonly keys: Text[] = []
  private readonly before: (Text | undefined)[] = []
  private readonly after: (Text | undefined)[] = []
  private writtenBytes = 0
  private reads = 0
  private readBytes = 0

  constructor(map: AuthenticatedMap, mayWrite: boolean) {
    this.map = map
    this.mayWrite = mayWrite
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.map.get(this.stateKey(key))
    this.meterRead(key.length + (value?.length ?? 0))
    return value === undefined ? undefined : toBytes(value)
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.meterWrite(key.length + value.length)
    if (value.length > MAX_VALUE_BYTES) this.stop('limit')
    this.write(this.stateKey(key), toText(value))
  }

  delete(key: Uint8Array): boolean {
    this.meterRead(key.length)
    const stateKey = this.stateKey(key)
    if (this.map.get(stateKey) === undefined) return false
    this.meterWrite(key.length)
    this.write(stateKey, undefined)
    return true
  }

  range(query: RangeQuery): readonly StoreEntry[] {
    const entries: StoreEntry[] = []
    this.visit(query, (key, value) => {
      this.meterRead(key.length + value.length)
      entries.push({ key: toBytes(key, 1), value: toBytes(value) })
    })
    return entries
  }

  count(query: RangeQuery): number {
    let entries = 0
    this.visit(query, () => {
      this.meterRead(0)
      entries++
    })
    return entries
  }

  /** Undoes all writes of this transaction. */
  rollback(): void {
    for (let i = this.keys.length - 1; i >= 0; i--) {
      const key = this.keys[i]
      if (key !== undefined) this.map.set(key, this.before[i])
    }
  }

  /** Notes the keys written, each once, with what they hold now. */
  noteChanges(index: number | undefined, into: StateChange[]): void {
    const { keys, after } = this
    const [first, second] = keys
    if (keys.length < 2 || (keys.length === 2 && first !== second)) {
      for (const [i, key] of keys.entries()) into.push({ index, key: key.slice(1) as Text, value: after[i] })
      return
    }
    const last = new Map<Text, Text | undefined>()
    for (const [i, key] of keys.entries()) last.set(key, after[i])
    for (const [key, value] of last) into.push({ index, key: key.slice(1) as Text, value })
  }

  /** The command is over: a machine that kept the store finds it closed. */
  end(): void {
    this.fault ??= 'failed'
  }

  private visit({ start, end, limit = Number.MAX_SAFE_INTEGER }: RangeQuery, take: (key: Text, value: Text) => void) {
    if (this.fault !== undefined) this.stop(this.fault)
    let left = limit
    if (left <= 0) return
    this.map.scan(this.stateKey(start), end === undefined ? SPACE_END : this.stateKey(end), (key, value) => {
      take(key, value)
      left--
      return left > 0
    })
  }

  private write(key: Text, value: Text | undefined): void {
    this.before.push(this.map.set(key, value))
    this.after.push(value)
    this.keys.push(key)
  }

  private stateKey(key: Uint8Array): Text {
    if (key.length >= MAX_KEY_BYTES) this.stop('limit')
    return prefixed(MACHINE_SPACE, key)
  }

  private meterRead(bytes: number): void {
    if (this.fault !== undefined) this.stop(this.fault)
    this.reads++
    this.readBytes += bytes
    if (this.reads > MAX_READS_PER_COMMAND || this.readBytes > MAX_READ_BYTES_PER_COMMAND) this.stop('limit')
  }

  private meterWrite(bytes: number): void {
    if (this.fault !== undefined) this.stop(this.fault)
    if (!this.mayWrite) this.stop('forbidden')
    this.writtenBytes += bytes
    if (this.keys.length >= MAX_WRITES_PER_COMMAND) this.stop('limit')
    if (this.writtenBytes > MAX_WRITTEN_BYTES_PER_COMMAND) this.stop('limit')
  }

  /** The first fault stands: a machine that catches it cannot carry on, nor turn it into another. */
  private stop(fault: StoreFault): never {
    this.fault ??= fault
    throw new StoreFaultError(this.fault)
  }
}

/** A change in bytes. */
export function changeBytes({ index, key, value }: StateChange) {
  return { index, key: toBytes(key), value: value === undefined ? undefined : toBytes(value) }
}

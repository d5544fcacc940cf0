// Commands of the key-value machine and their bytes. Canonical: what decodes re-encodes to the same bytes; nothing
// nests.
//
//   command      operation, lease command, or 0x10 and a transaction
//   operation    0x01 put            flags (1: previous, 2: lease)   [lease (u64)], key, value
//                0x02 get                                        key
//                0x03 delete         flags (1: previous)         key
//                0x04 range          flags (1: end, 2: keys only, 4: count only)   start, [end], limit (u32, 0: none)
//                0x05 delete range   flags (1: end, 2: previous) start, [end]
//   lease        0x06 grant          time to live (u64, milliseconds)
//                0x07 keep alive     lease (u64)
//                0x08 revoke         lease (u64)
//   transaction  compares (u8 count), success (u8 count of operations), failure (u8 count of operations)
//   compare      target (1 value, 2 version, 3 create revision, 4 mod revision), relation (1 =, 2 !=, 3 <, 4 >), key,
//                then a value (sized), or a number (u64)
//
// Keys have a length of u16, values one of u32.

import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import { MAX_COMMAND_BYTES } from '../limits.ts'
import { MAX_KV_KEY_BYTES, MAX_KV_VALUE_BYTES, MAX_TXN_COMPARES, MAX_TXN_OPERATIONS } from './limits.ts'

/** Stores a value; with `previous` the answer tells what it replaced. */
export interface Put {
  readonly kind: 'put'
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly previous: boolean
  /** The lease that the key goes with; without it the key stays, whatever it was attached to before. */
  readonly lease?: number
}

export interface Get {
  readonly kind: 'get'
  readonly key: Uint8Array
}

export interface Delete {
  readonly kind: 'delete'
  readonly key: Uint8Array
  readonly previous: boolean
}

/** Entries from `start` on and before `end`; without `end`, to the last key. */
export interface Range {
  readonly kind: 'range'
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
  /** Entries at most; 0 for no limit but that of the result. */
  readonly limit: number
  readonly keysOnly: boolean
  readonly countOnly: boolean
}

export interface DeleteRange {
  readonly kind: 'delete-range'
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
  readonly previous: boolean
}

export type Operation = Put | Get | Delete | Range | DeleteRange

/** Numbers of an absent key are 0; a comparison with its value is false. */
export type Compare = { readonly relation: Relation; readonly key: Uint8Array } & (
  | { readonly target: 'value'; readonly value: Uint8Array }
  | { readonly target: 'version' | 'create-revision' | 'mod-revision'; readonly number: number }
)
export type Relation = '=' | '!=' | '<' | '>'

/** All operations of `success` where all `compares` hold, else all of `failure`; as one, with one revision. */
export interface Transaction {
  readonly kind: 'txn'
  readonly compares: readonly Compare[]
  readonly success: readonly Operation[]
  readonly failure: readonly Operation[]
}

/** Leases stand in no transaction: what is attached to one names it, and so comes after its grant anyway. */
export type LeaseCommand =
  | { readonly kind: 'lease-grant'; readonly ttlMs: number }
  | { readonly kind: 'lease-keep-alive'; readonly lease: number }
  | { readonly kind: 'lease-revoke'; readonly lease: number }

export type KvCommand = Operation | Transaction | LeaseCommand

/** Retired numbers stay listed and are never used again. */
const KIND = Object.freeze({
  put: 1,
  get: 2,
  delete: 3,
  range: 4,
  'delete-range': 5,
  'lease-grant': 6,
  'lease-keep-alive': 7,
  'lease-revoke': 8,
  txn: 0x10,
})
const TARGETS = ['value', 'version', 'create-revision', 'mod-revision'] as const
const RELATIONS: readonly Relation[] = ['=', '!=', '<', '>']

/** Requires sizes within kv/limits.ts: larger ones give bytes that every replica refuses as malformed. */
export function encodeKvCommand(command: KvCommand): Uint8Array {
  const writer = new ByteWriter()
  switch (command.kind) {
    case 'lease-grant':
      return writer.u8(KIND[command.kind]).u64(command.ttlMs).finish()
    case 'lease-keep-alive':
    case 'lease-revoke':
      return writer.u8(KIND[command.kind]).u64(command.lease).finish()
    case 'txn':
      return writeTransaction(writer, command).finish()
    default:
      return writeOperation(writer, command).finish()
  }
}

function writeTransaction(writer: ByteWriter, command: Transaction): ByteWriter {
  writer.u8(KIND.txn).u8(command.compares.length)
  for (const compare of command.compares) writeCompare(writer, compare)
  for (const operations of [command.success, command.failure]) {
    writer.u8(operations.length)
    for (const operation of operations) writeOperation(writer, operation)
  }
  return writer
}

/** The command in `bytes`, or undefined where they are not exactly what {@link encodeKvCommand} writes for one. */
export function decodeKvCommand(bytes: Uint8Array): KvCommand | undefined {
  if (bytes.length > MAX_COMMAND_BYTES) return undefined
  const reader = new ByteReader(bytes)
  const kind = reader.u8()
  const command = readCommand(reader, kind)
  return reader.done ? command : undefined
}

function readCommand(reader: ByteReader, kind: number): KvCommand | undefined {
  switch (kind) {
    case KIND.txn:
      return readTransaction(reader)
    case KIND['lease-grant']:
      return { kind: 'lease-grant', ttlMs: reader.u64() }
    case KIND['lease-keep-alive']:
      return { kind: 'lease-keep-alive', lease: readLease(reader) }
    case KIND['lease-revoke']:
      return { kind: 'lease-revoke', lease: readLease(reader) }
    default:
      return readOperation(reader, kind)
  }
}

/** The range of the keys that begin with `prefix`. */
export function prefixRange(prefix: Uint8Array): { start: Uint8Array; end: Uint8Array | undefined } {
  const end = Uint8Array.from(prefix)
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i] === 0xff) continue
    end[i] = (end[i] ?? 0) + 1
    return { start: prefix, end: end.slice(0, i + 1) }
  }
  return { start: prefix, end: undefined }
}

function writeOperation(writer: ByteWriter, operation: Operation): ByteWriter {
  writer.u8(KIND[operation.kind])
  switch (operation.kind) {
    case 'put': {
      const { previous, lease, key, value } = operation
      writer.u8(Number(previous) + 2 * Number(lease !== undefined))
      return (lease === undefined ? writer : writer.u64(lease)).short(key).sized(value)
    }
    case 'get':
      return writer.short(operation.key)
    case 'delete':
      return writer.u8(Number(operation.previous)).short(operation.key)
    case 'range': {
      const { start, end, limit, keysOnly, countOnly } = operation
      writer.u8(Number(end !== undefined) + 2 * Number(keysOnly) + 4 * Number(countOnly)).short(start)
      return (end === undefined ? writer : writer.short(end)).u32(limit)
    }
    case 'delete-range': {
      const { start, end, previous } = operation
      writer.u8(Number(end !== undefined) + 2 * Number(previous)).short(start)
      return end === undefined ? writer : writer.short(end)
    }
  }
}

function writeCompare(writer: ByteWriter, compare: Compare): void {
  writer
    .u8(TARGETS.indexOf(compare.target) + 1)
    .u8(RELATIONS.indexOf(compare.relation) + 1)
    .short(compare.key)
  if (compare.target === 'value') writer.sized(compare.value)
  else writer.u64(compare.number)
}

function readOperation(reader: ByteReader, kind: number): Operation | undefined {
  switch (kind) {
    case KIND.put: {
      const bits = flags(reader, 3)
      const lease = (bits & 2) !== 0 ? { lease: readLease(reader) } : {}
      const previous = (bits & 1) !== 0
      return { kind: 'put', key: readKey(reader), value: reader.sized(MAX_KV_VALUE_BYTES), previous, ...lease }
    }
    case KIND.get:
      return { kind: 'get', key: readKey(reader) }
    case KIND.delete: {
      const previous = flags(reader, 1) === 1
      return { kind: 'delete', key: readKey(reader), previous }
    }
    case KIND.range: {
      const bits = flags(reader, 7)
      const start = reader.short(MAX_KV_KEY_BYTES)
      const end = (bits & 1) !== 0 ? reader.short(MAX_KV_KEY_BYTES) : undefined
      return { kind: 'range', start, end, limit: reader.u32(), keysOnly: (bits & 2) !== 0, countOnly: (bits & 4) !== 0 }
    }
    case KIND['delete-range']: {
      const bits = flags(reader, 3)
      const start = reader.short(MAX_KV_KEY_BYTES)
      const end = (bits & 1) !== 0 ? reader.short(MAX_KV_KEY_BYTES) : undefined
      return { kind: 'delete-range', start, end, previous: (bits & 2) !== 0 }
    }
    default:
      reader.spoil()
      return undefined
  }
}

function readTransaction(reader: ByteReader): Transaction | undefined {
  const compares: Compare[] = []
  const count = counted(reader, MAX_TXN_COMPARES)
  for (let i = 0; i < count && !reader.failed; i++) {
    const compare = readCompare(reader)
    if (compare !== undefined) compares.push(compare)
  }
  const success = readOperations(reader)
  return { kind: 'txn', compares, success, failure: readOperations(reader) }
}

function readOperations(reader: ByteReader): Operation[] {
  const operations: Operation[] = []
  const count = counted(reader, MAX_TXN_OPERATIONS)
  for (let i = 0; i < count && !reader.failed; i++) {
    const operation = readOperation(reader, reader.u8())
    if (operation !== undefined) operations.push(operation)
  }
  return operations
}

function readCompare(reader: ByteReader): Compare | undefined {
  const target = TARGETS[reader.u8() - 1]
  const relation = RELATIONS[reader.u8() - 1]
  const key = readKey(reader)
  if (target === undefined || relation === undefined) {
    reader.spoil()
    return undefined
  }
  if (target === 'value') return { target, relation, key, value: reader.sized(MAX_KV_VALUE_BYTES) }
  return { target, relation, key, number: reader.u64() }
}

/** Leases count from 1. */
function readLease(reader: ByteReader): number {
  const lease = reader.u64()
  if (lease === 0) reader.spoil()
  return lease
}

function readKey(reader: ByteReader): Uint8Array {
  const key = reader.short(MAX_KV_KEY_BYTES)
  if (key.length === 0) reader.spoil()
  return key
}

function counted(reader: ByteReader, cap: number): number {
  const count = reader.u8()
  if (count > cap) reader.spoil()
  return count
}

function flags(reader: ByteReader, known: number): number {
  const bits = reader.u8()
  if ((bits & ~known) !== 0) reader.spoil()
  return bits
}

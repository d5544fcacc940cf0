// Results of the key-value machine and their bytes; canonical like the commands.
//
//   result       revision (u64): of the store after the command; then the response
//   response     0x01 put            entries (0 or 1: what was replaced, where asked for)
//                0x02 get            entries (0 or 1)
//                0x03 delete         count (u32), entries (what was deleted, where asked for); for both kinds of delete
//                0x04 range          count (u32), more (u8), entries
//                0x06 lease grant    lease (u64), agreed time of its end (u64)
//                0x07 lease kept     agreed time of its end (u64)
//                0x08 lease revoked  count of keys deleted (u32)
//                0x10 transaction    succeeded (u8), count of responses (u8), responses
//   entries      count (u32), each: key (short), create revision, mod revision, version, lease (u64 each), value (sized)

import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import { MAX_RESULT_BYTES } from '../limits.ts'
import { MAX_KV_KEY_BYTES, MAX_KV_VALUE_BYTES, MAX_TXN_OPERATIONS } from './limits.ts'
import type { KeyValue } from './record.ts'

export type OperationResponse =
  | { readonly kind: 'put'; readonly previous: KeyValue | undefined }
  | { readonly kind: 'get'; readonly entry: KeyValue | undefined }
  | { readonly kind: 'delete'; readonly count: number; readonly previous: readonly KeyValue[] }
  | RangeResponse

export interface RangeResponse {
  readonly kind: 'range'
  /** Entries returned; with `countOnly` those counted. */
  readonly count: number
  /** True where the limit left some out. */
  readonly more: boolean
  readonly entries: readonly KeyValue[]
}

export interface TransactionResponse {
  readonly kind: 'txn'
  /** Whether all comparisons held, and `success` was executed. */
  readonly succeeded: boolean
  readonly responses: readonly OperationResponse[]
}

export type LeaseResponse =
  /** `expiresAtMs` is agreed time: the lease ends with the first entry at or after it. */
  | { readonly kind: 'lease-grant'; readonly lease: number; readonly expiresAtMs: number }
  | { readonly kind: 'lease-keep-alive'; readonly expiresAtMs: number }
  | { readonly kind: 'lease-revoke'; readonly count: number }

export interface KvResult {
  /** The store's revision after the command. */
  readonly revision: number
  readonly response: OperationResponse | LeaseResponse | TransactionResponse
}

const KIND = Object.freeze({
  put: 1,
  get: 2,
  delete: 3,
  range: 4,
  'lease-grant': 6,
  'lease-keep-alive': 7,
  'lease-revoke': 8,
  txn: 0x10,
})

export function encodeKvResult({ revision, response }: KvResult): Uint8Array {
  const writer = new ByteWriter().u64(revision)
  switch (response.kind) {
    case 'lease-grant':
      return writer.u8(KIND[response.kind]).u64(response.lease).u64(response.expiresAtMs).finish()
    case 'lease-keep-alive':
      return writer.u8(KIND[response.kind]).u64(response.expiresAtMs).finish()
    case 'lease-revoke':
      return writer.u8(KIND[response.kind]).u32(response.count).finish()
    case 'txn':
      return writeTransaction(writer, response).finish()
    default:
      return writeResponse(writer, response).finish()
  }
}

function writeTransaction(writer: ByteWriter, response: TransactionResponse): ByteWriter {
  writer.u8(KIND.txn).u8(Number(response.succeeded)).u8(response.responses.length)
  for (const each of response.responses) writeResponse(writer, each)
  return writer
}

/** The result in `bytes`, or undefined where they are not exactly what {@link encodeKvResult} writes for one. */
export function decodeKvResult(bytes: Uint8Array): KvResult | undefined {
  if (bytes.length > MAX_RESULT_BYTES) return undefined
  const reader = new ByteReader(bytes)
  const revision = reader.u64()
  const kind = reader.u8()
  const response = readAny(reader, kind)
  return reader.done && response !== undefined ? { revision, response } : undefined
}

function readAny(reader: ByteReader, kind: number): KvResult['response'] | undefined {
  switch (kind) {
    case KIND.txn:
      return readTransaction(reader)
    case KIND['lease-grant']:
      return { kind: 'lease-grant', lease: reader.u64(), expiresAtMs: reader.u64() }
    case KIND['lease-keep-alive']:
      return { kind: 'lease-keep-alive', expiresAtMs: reader.u64() }
    case KIND['lease-revoke']:
      return { kind: 'lease-revoke', count: reader.u32() }
    default:
      return readResponse(reader, kind)
  }
}

function writeResponse(writer: ByteWriter, response: OperationResponse): ByteWriter {
  writer.u8(KIND[response.kind])
  switch (response.kind) {
    case 'put':
      return writeEntries(writer, response.previous === undefined ? [] : [response.previous])
    case 'get':
      return writeEntries(writer, response.entry === undefined ? [] : [response.entry])
    case 'delete':
      return writeEntries(writer.u32(response.count), response.previous)
    case 'range':
      return writeEntries(writer.u32(response.count).u8(Number(response.more)), response.entries)
  }
}

function writeEntries(writer: ByteWriter, entries: readonly KeyValue[]): ByteWriter {
  writer.u32(entries.length)
  for (const { key, createRevision, modRevision, version, lease, value } of entries) {
    writer.short(key).u64(createRevision).u64(modRevision).u64(version).u64(lease).sized(value)
  }
  return writer
}

function readTransaction(reader: ByteReader): TransactionResponse {
  const succeeded = readBoolean(reader)
  const count = reader.u8()
  if (count > MAX_TXN_OPERATIONS) reader.spoil()
  const responses: OperationResponse[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const response = readResponse(reader, reader.u8())
    if (response !== undefined) responses.push(response)
  }
  return { kind: 'txn', succeeded, responses }
}

function readResponse(reader: ByteReader, kind: number): OperationResponse | undefined {
  switch (kind) {
    case KIND.put:
      return { kind: 'put', previous: readEntries(reader, 1)[0] }
    case KIND.get:
      return { kind: 'get', entry: readEntries(reader, 1)[0] }
    case KIND.delete:
      return { kind: 'delete', count: reader.u32(), previous: readEntries(reader) }
    case KIND.range:
      return { kind: 'range', count: reader.u32(), more: readBoolean(reader), entries: readEntries(reader) }
    default:
      reader.spoil()
      return undefined
  }
}

function readEntries(reader: ByteReader, cap = Number.MAX_SAFE_INTEGER): KeyValue[] {
  const count = reader.u32()
  if (count > cap) reader.spoil()
  const entries: KeyValue[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const key = reader.short(MAX_KV_KEY_BYTES)
    const createRevision = reader.u64()
    const modRevision = reader.u64()
    const version = reader.u64()
    const lease = reader.u64()
    entries.push({ key, createRevision, modRevision, version, lease, value: reader.sized(MAX_KV_VALUE_BYTES) })
  }
  return entries
}

function readBoolean(reader: ByteReader): boolean {
  const value = reader.u8()
  if (value > 1) reader.spoil()
  return value === 1
}

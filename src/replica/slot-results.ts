// What came of one slot, kept for its clients in as little memory as can be: results of tens of thousands of requests are alive at a
// time, and objects that live cost a collector more than the bytes in them.

import {
  type BatchTree,
  batchTree,
  leafHashes,
  multiProof,
  type PublicKey,
  type Verified,
  type Vote,
} from '../../crypto/index.ts'
import { recordRequest } from '../machine/index.ts'
import { RESULT_BYTES } from './limits.ts'

const NO_HASHES = new Uint8Array(0)

export class SlotResults {
  /** Who asked, by the requests' places. */
  readonly clients: readonly PublicKey[]
  receipt: Verified<Vote> | undefined
  private readonly content: Uint8Array
  /** Where each record ends in it. */
  private readonly ends: Uint32Array
  private tree: BatchTree | undefined

  /** `tree`: over the records; let go by {@link pack} and made anew where it is asked for later. */
  constructor(clients: readonly PublicKey[], records: readonly Uint8Array[], tree: BatchTree) {
    this.clients = clients
    this.tree = tree
    this.ends = new Uint32Array(records.length)
    let size = 0
    for (const record of records) size += record.length
    this.content = new Uint8Array(size)
    let at = 0
    for (let i = 0; i < records.length; i++) {
      const record = records[i] ?? NO_HASHES
      this.content.set(record, at)
      at += record.length
      this.ends[i] = at
    }
  }

  get count(): number {
    return this.ends.length
  }

  /** Kept in memory for it, roughly. */
  get bytes(): number {
    return this.content.length + RESULT_BYTES * this.count
  }

  /** Bytes of the record at this place; 0 beyond the last. */
  lengthOf(index: number): number {
    const end = this.ends[index]
    return end === undefined ? 0 : end - this.startOf(index)
  }

  /** The record of the request at this place; undefined beyond the last. */
  record(index: number): Uint8Array | undefined {
    const end = this.ends[index]
    return end === undefined ? undefined : this.content.subarray(this.startOf(index), end)
  }

  records(): Uint8Array[] {
    return Array.from(this.ends, (end, i) => this.content.subarray(this.startOf(i), end))
  }

  /** The identity of the request at this place; undefined beyond the last. */
  identity(index: number): Uint8Array | undefined {
    const record = this.record(index)
    return record && recordRequest(record)
  }

  /** Proves the records at `indexes`, ascending, under their root. */
  prove(indexes: readonly number[]): Uint8Array {
    if (indexes.length === this.count) return NO_HASHES
    this.tree ??= batchTree(leafHashes(this.records()))
    const { tree } = this
    return multiProof(this.count, indexes, (index) => tree.path(index))
  }

  /** Nobody is expected to ask soon. */
  pack(): void {
    this.tree = undefined
  }

  private startOf(index: number): number {
    return index === 0 ? 0 : (this.ends[index - 1] ?? 0)
  }
}

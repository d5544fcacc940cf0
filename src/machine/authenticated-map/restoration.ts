// A map from the chunks of a snapshot, each verified before anything of it is used (pitfalls P57, P58), or of one's own, each as it was sealed.

import { type Digest, equalBytes, failure, type Result, success } from '../../../crypto/index.ts'
import { AuthenticatedMap } from './authenticated-map.ts'
import { type ChunkFault, FIRST_PATH, verifyChunk } from './chunk.ts'
import { HASH_BYTES, type Hash, pathAfter, type StateHasher, stateHasher } from './hashing.ts'
import { openChunk } from './sealed-chunk.ts'

export class MapRestoration {
  private readonly map: AuthenticatedMap
  private readonly root: Digest
  private readonly hash: Hash | undefined
  private readonly hasher: StateHasher
  private from: Uint8Array | undefined = FIRST_PATH
  /** The last chunk, until it is in the map. */
  private verified: { readonly chunk: Uint8Array; readonly hashes: Uint8Array } | undefined

  /** `root` must come from a stable checkpoint: it alone decides what is accepted. */
  constructor(root: Digest, hash?: Hash) {
    this.root = root
    this.hash = hash
    this.hasher = stateHasher(hash)
    this.map = new AuthenticatedMap(hash)
  }

  /** The path that the next chunk begins with; undefined when the map is complete. */
  get next(): Uint8Array | undefined {
    return this.from
  }

  /**
   * Takes the chunk for {@link next}, or refuses it and is as before. The value says whether it was the last. The chunk is kept until
   * {@link settle} or the next call: what comes after it may be asked for meanwhile.
   */
  offer(chunk: Uint8Array): Result<boolean, ChunkFault> {
    this.settle()
    if (this.from === undefined) return success(true)
    const verified = verifyChunk(this.root, this.from, chunk, this.hash)
    if (!verified.ok) return verified
    const { hashes, next } = verified.value
    this.verified = { chunk, hashes }
    this.from = next
    return success(next === undefined)
  }

  /** As {@link offer}, of a chunk that this replica sealed itself: nothing is hashed but the chunk as a whole. */
  offerSealed(bytes: Uint8Array): Result<boolean, ChunkFault> {
    this.settle()
    if (this.from === undefined) return success(true)
    const opened = openChunk(bytes)
    if (!opened.ok) return opened
    const { chunk, hashes } = opened.value
    if (!equalBytes(chunk.subarray(0, HASH_BYTES), this.from)) return failure('start')
    const last = this.map.load(chunk, hashes)
    const isLast = chunk[HASH_BYTES] === 1
    if (!isLast && last === undefined) return failure('malformed')
    this.from = isLast || last === undefined ? undefined : pathAfter(this.hasher.path(last))
    return success(isLast)
  }

  /** Puts the chunk that was taken last into the map: more than half of the work. */
  settle(): void {
    if (this.verified !== undefined) this.map.load(this.verified.chunk, this.verified.hashes)
    this.verified = undefined
  }

  /** The restored map. @throws {Error} before the last chunk was taken, or where the roots differ (a defect of ours). */
  finish(): AuthenticatedMap {
    if (this.from !== undefined) throw new Error('restoration: chunks are missing')
    this.settle()
    this.map.endLoad()
    if (!equalBytes(this.map.commit(), this.root)) throw new Error('restoration: root differs from its chunks')
    return this.map
  }
}

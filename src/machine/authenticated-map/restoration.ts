// A map from the chunks of a snapshot, each verified before anything of it is used (pitfalls P57, P58).

import { type Digest, equalBytes, type Result, success } from '../../../crypto/index.ts'
import { AuthenticatedMap } from './authenticated-map.ts'
import { type ChunkFault, FIRST_PATH, verifyChunk } from './chunk.ts'
import type { Hash } from './hashing.ts'

export class MapRestoration {
  private readonly map: AuthenticatedMap
  private readonly root: Digest
  private readonly hash: Hash | undefined
  private from: Uint8Array | undefined = FIRST_PATH
  /** The last chunk, until it is in the map. */
  private verified: { readonly chunk: Uint8Array; readonly hashes: Uint8Array } | undefined

  /** `root` must come from a stable checkpoint: it alone decides what is accepted. */
  constructor(root: Digest, hash?: Hash) {
    this.root = root
    this.hash = hash
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

// Messages that are hashed together, which costs a fraction of what one after the other does (docs/decisions/006-sha256-backend.md).

import { DIGEST_BYTES, type Digest } from './brands.ts'
import { sha256, sha256Each } from './digest.ts'

/** Messages hashed in one go, and bytes of them but for a single longer one: scratch memory of a process. */
const MESSAGES = 512
const BATCH_BYTES = 64 * 1024
/** Fewer are hashed one by one: a process that never hashes many need not make ready for it. */
const FEW = 8

export class HashBatch {
  /** Where messages are written; another array after each {@link begin}. */
  bytes = new Uint8Array(BATCH_BYTES)
  private readonly hash: (bytes: Uint8Array) => Digest
  private readonly ends = new Uint32Array(MESSAGES)
  private readonly digests = new Uint8Array(MESSAGES * DIGEST_BYTES)
  private count = 0
  private length = 0
  private running = false
  private take: (digests: Uint8Array, count: number) => void = () => {}

  /** With another `hash` given, each message is hashed by it alone. */
  constructor(hash: (bytes: Uint8Array) => Digest = sha256) {
    this.hash = hash
  }

  /**
   * Hashes what `fill` adds by {@link begin}. `take` gets the digests in the order of their messages, some hundred at a time: `count` of 32
   * bytes, which are others once it has returned. What either throws is thrown, and nothing is left of it.
   * @throws {Error} within a run of the same batch, whose messages it would take.
   */
  run(take: (digests: Uint8Array, count: number) => void, fill: () => void): void {
    if (this.running) throw new Error('hash batch: begun within a run of its own')
    this.running = true
    this.take = take
    try {
      fill()
      this.flush()
    } finally {
      this.running = false
      this.count = 0
      this.length = 0
    }
  }

  /** The same, with the digests one after the other in `target`. */
  into(target: Uint8Array, fill: () => void): void {
    let at = 0
    this.run((digests, count) => {
      target.set(digests.subarray(0, count * DIGEST_BYTES), at)
      at += count * DIGEST_BYTES
    }, fill)
  }

  /** A message: the byte `tag`, and `length` bytes that the caller writes to {@link bytes}, from the returned place on, before the next. */
  begin(tag: number, length: number): number {
    if (this.count === MESSAGES || this.length + 1 + length > BATCH_BYTES) this.flush()
    if (1 + length > this.bytes.length) this.bytes = new Uint8Array(1 + length)
    const at = this.length
    this.bytes[at] = tag
    this.length += 1 + length
    this.ends[this.count++] = this.length
    return at + 1
  }

  private flush(): void {
    const { count, bytes, ends, digests } = this
    if (count === 0) return
    if (this.hash === sha256 && count >= FEW) sha256Each(bytes, ends, count, digests)
    else this.oneByOne()
    this.count = 0
    this.length = 0
    if (bytes.length > BATCH_BYTES) this.bytes = new Uint8Array(BATCH_BYTES)
    this.take(digests, count)
  }

  private oneByOne(): void {
    let start = 0
    for (let i = 0; i < this.count; i++) {
      const end = this.ends[i] ?? start
      this.digests.set(this.hash(this.bytes.subarray(start, end)), DIGEST_BYTES * i)
      start = end
    }
  }
}

/** For whoever hashes by the rule of this process: one is enough, since a run is over before another begins. */
export const hashBatch = new HashBatch()

/** Copies 32 bytes: quicker than a view and a copy of it. */
export function copyDigest(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < DIGEST_BYTES; i++) target[to + i] = source[from + i] ?? 0
}

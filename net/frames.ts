// Frames on a stream: the length as an unsigned varint, then that many bytes; as it-length-prefixed writes them.
//
// The reader is stricter than that package: a length has one spelling, is not 0, and is judged before anything is
// allocated. What it hands out is its own memory: a view into a socket's buffer would keep 64 KiB alive for each vote
// that somebody keeps.
// Ref: multiformats/unsigned-varint.

/** Bytes of the longest prefix: lengths below 2^28. */
const MAX_PREFIX_BYTES = 4
/** A frame grows from here as its bytes arrive, so that a prefix alone buys no memory. */
const FIRST_CAPACITY = 64 * 1024

export type FrameFault = 'malformed-prefix' | 'frame-too-large'

/** Cuts a stream of bytes into frames, which it delivers as they become complete. */
export class FrameReader {
  readonly #maxBytes: number
  readonly #deliver: (frame: Uint8Array) => void
  #fault: FrameFault | undefined
  #stopped = false
  /** Of the prefix that is being read: its value so far, and how many bytes. */
  #length = 0
  #prefixBytes = 0
  /** The frame that is being read; undefined between frames. */
  #frame: Uint8Array<ArrayBuffer> | undefined
  #filled = 0

  constructor(maxBytes: number, deliver: (frame: Uint8Array) => void) {
    this.#maxBytes = Math.min(maxBytes, 2 ** (7 * MAX_PREFIX_BYTES) - 1)
    this.#deliver = deliver
  }

  /** Takes the next bytes. A fault is final: the stream has to be reset, and everything that follows is ignored. */
  push(chunk: Uint8Array): FrameFault | undefined {
    let offset = 0
    while (offset < chunk.length && this.#fault === undefined && !this.#stopped) {
      offset = this.#frame === undefined ? this.#readPrefix(chunk, offset) : this.#readBody(chunk, offset)
    }
    return this.#fault
  }

  /** Delivers nothing more, not even what it was given already. */
  stop(): void {
    this.#stopped = true
    this.#frame = undefined
  }

  #readPrefix(chunk: Uint8Array, from: number): number {
    const byte = chunk[from] ?? 0
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#prefixBytes)
    this.#prefixBytes++
    if (byte >= 0x80) {
      if (this.#prefixBytes === MAX_PREFIX_BYTES) this.#fault = 'frame-too-large'
    } else if (byte === 0) {
      // A last byte of 0 is a second spelling of a shorter prefix, or the length 0.
      this.#fault = 'malformed-prefix'
    } else if (this.#length > this.#maxBytes) {
      this.#fault = 'frame-too-large'
    } else {
      this.#frame = new Uint8Array(Math.min(this.#length, FIRST_CAPACITY))
    }
    return from + 1
  }

  #readBody(chunk: Uint8Array, from: number): number {
    const taken = Math.min(this.#length - this.#filled, chunk.length - from)
    const frame = this.#grown(this.#filled + taken)
    frame.set(chunk.subarray(from, from + taken), this.#filled)
    this.#filled += taken
    if (this.#filled === this.#length) {
      this.#frame = undefined
      this.#length = this.#prefixBytes = this.#filled = 0
      this.#deliver(frame)
    }
    return from + taken
  }

  /** The frame with room for `bytes`: at most twice what has arrived, and exactly its length in the end. */
  #grown(bytes: number): Uint8Array<ArrayBuffer> {
    const frame = this.#frame ?? new Uint8Array()
    if (bytes <= frame.length) return frame
    const larger = new Uint8Array(Math.min(this.#length, Math.max(bytes, 2 * frame.length)))
    larger.set(frame.subarray(0, this.#filled))
    this.#frame = larger
    return larger
  }
}

/** Bytes of the prefix of a frame of `length` bytes. */
export function prefixBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4
}

/** `frames` with their prefixes, one after the other; `size` is the sum that {@link prefixBytes} and lengths give. */
export function joinFrames(frames: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(size)
  let offset = 0
  for (const frame of frames) {
    let rest = frame.length
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) joined[offset++] = (rest & 0x7f) | 0x80
    joined[offset++] = rest
    joined.set(frame, offset)
    offset += frame.length
  }
  return joined
}

/** An empty frame says nothing, and its prefix would be a second spelling of a longer one's. @throws {RangeError} */
export function refuseEmpty(frame: Uint8Array): void {
  if (frame.length === 0) throw new RangeError('frame: expected at least 1 byte, got 0')
}

// The fingerprint of a run: 64 bits over every event and effect, in order. Two runs of one seed must give the same; where they
// differ, something outside the seed got in: a clock, an iteration order, a shared cache.
//
// Not a cryptographic hash: it is to notice accidents, at nanoseconds a value.

export class TraceHash {
  private low = 0x6a09e667
  private high = 0xbb67ae85
  private count = 0

  /** Number of values so far. */
  get length(): number {
    return this.count
  }

  number(value: number): void {
    // Both halves, so that times beyond 2^32 microseconds still count whole.
    this.word(value | 0)
    this.word(Math.floor(value / 0x1_0000_0000) | 0)
  }

  text(value: string): void {
    let word = words.get(value)
    if (word === undefined) {
      word = wordOf(value)
      if (words.size < WORDS_KEPT) words.set(value, word)
    }
    this.word(word)
  }

  bytes(value: Uint8Array): void {
    this.word(value.length)
    let i = 0
    for (; i + 3 < value.length; i += 4) {
      this.word(
        (value[i] ?? 0) | ((value[i + 1] ?? 0) << 8) | ((value[i + 2] ?? 0) << 16) | ((value[i + 3] ?? 0) << 24),
      )
    }
    for (; i < value.length; i++) this.word(value[i] ?? 0)
  }

  /** Plain data of any shape, member names included. What is signed is named by its signature, an entry by its digest. */
  data(value: unknown): void {
    if (typeof value === 'number') this.number(value)
    else if (typeof value === 'string') this.text(value)
    else if (value instanceof Uint8Array) this.bytes(value)
    else if (Array.isArray(value)) {
      this.word(value.length)
      for (const item of value) this.data(item)
    } else if (isPlain(value)) this.members(value)
    else this.text(String(value))
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    return [this.high, this.low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  private members(value: Readonly<Record<string, unknown>>): void {
    const name = nameOf(value)
    if (name !== undefined) {
      this.bytes(name)
      return
    }
    for (const key in value) {
      this.text(key)
      this.data(value[key])
    }
  }

  private word(value: number): void {
    this.count++
    this.low = Math.imul(this.low ^ value, 0x85ebca6b)
    this.low = (this.low << 13) | (this.low >>> 19)
    this.high = Math.imul(this.high ^ this.low, 0xc2b2ae35)
    this.high = ((this.high << 17) | (this.high >>> 15)) + 0x9e3779b9
  }
}

/** The words of texts, most of which are names of kinds and members and come again and again. */
const words = new Map<string, number>()
const WORDS_KEPT = 4096

function wordOf(text: string): number {
  let word = text.length
  for (let i = 0; i < text.length; i++) word = (Math.imul(word, 0x01000193) ^ text.charCodeAt(i)) | 0
  return word
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** The bytes that stand for all of an object: signatures here are deterministic, so they name what was signed. */
function nameOf({ signature, header, digest }: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  // An unsigned vote has zeros in that place, which name nothing.
  if (signature instanceof Uint8Array && signature.some((byte) => byte !== 0)) return signature
  return header !== undefined && digest instanceof Uint8Array ? digest : undefined
}

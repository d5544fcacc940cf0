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
    this.word(value.length)
    for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i))
  }

  bytes(value: Uint8Array): void {
    this.word(value.length)
    for (let i = 0; i < value.length; i++) this.word(value[i] ?? 0)
  }

  /** Plain data of any shape, member names included. An object that carries a `digest` beside a `header` is named by it. */
  data(value: unknown): void {
    if (typeof value === 'number') this.number(value)
    else if (typeof value === 'string') this.text(value)
    else if (value instanceof Uint8Array) this.bytes(value)
    else if (Array.isArray(value)) {
      this.word(value.length)
      for (const item of value) this.data(item)
    } else if (typeof value === 'object' && value !== null) this.members(value)
    else this.text(String(value))
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    return [this.high, this.low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  private members(value: object): void {
    if ('digest' in value && 'header' in value && value.digest instanceof Uint8Array) {
      this.bytes(value.digest)
      return
    }
    for (const [name, member] of Object.entries(value)) {
      this.text(name)
      this.data(member)
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

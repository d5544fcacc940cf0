// The newest record of each key, which every cut leaves: how many there are and how large they are is bounded.

import { MAX_KEYED_BYTES, MAX_KEYS } from './limits.ts'
import type { StoreRecord } from './store.ts'

export class Keys {
  readonly #newest = new Map<string, number>()
  #bytes = 0

  /** @throws {RangeError} where there would be too many keys, or too many bytes under them; then nothing is added. */
  add(records: readonly StoreRecord[]): void {
    const changed = new Map<string, number>()
    for (const { key, bytes } of records) if (key !== undefined) changed.set(key, bytes.length)
    let keys = this.#newest.size
    let total = this.#bytes
    for (const [key, length] of changed) {
      const before = this.#newest.get(key)
      if (before === undefined) keys++
      total += length - (before ?? 0)
    }
    if (keys > MAX_KEYS) throw new RangeError(`keys of records: at most ${MAX_KEYS}, got ${keys}`)
    if (total > MAX_KEYED_BYTES) throw new RangeError(`bytes under keys: at most ${MAX_KEYED_BYTES}, got ${total}`)
    for (const [key, length] of changed) this.#newest.set(key, length)
    this.#bytes = total
  }
}

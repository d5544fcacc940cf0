// Walks over the payload of a segment: every record whose head is readable, and every stretch without one. Damage never ends the
// walk; it goes on at the next head that is whole.

import { type Head, MAGIC, readBody, readHead } from './frame.ts'
import { SECTOR_PAYLOAD_BYTES } from './limits.ts'

/** Positions are in the payload of the segment. */
export type Found =
  /** A whole head; the body is undefined where it is damaged or cut short. */
  | { readonly kind: 'record'; readonly from: number; readonly head: Head; readonly body: Uint8Array | undefined }
  /** Bytes without a readable head. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number }

const MAGIC_BYTES = Buffer.from([MAGIC >>> 24, (MAGIC >>> 16) & 0xff, (MAGIC >>> 8) & 0xff, MAGIC & 0xff])

/** What is in `payload`, which begins with a batch at `base` of the segment whose seed is `seed`. Bodies are views of it. */
export function* scan(payload: Uint8Array, base: number, seed: number): Generator<Found> {
  const end = base + payload.length
  let position = base
  while (position < end) {
    const head = readHead(payload, position - base, base, seed)
    if (head === undefined) {
      const next = nextHead(payload, position - base + 1, base, seed)
      const to = next === undefined ? end : base + next
      yield { kind: 'gap', from: position, to }
      position = to
      continue
    }
    yield { kind: 'record', from: position, head, body: readBody(payload, head, position - base, base, seed) }
    position = head.last ? head.toSector * SECTOR_PAYLOAD_BYTES : head.bodyTo
  }
}

/** Where the next whole head begins, from `from` on. */
function nextHead(payload: Uint8Array, from: number, base: number, seed: number): number | undefined {
  const view = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  for (let at = view.indexOf(MAGIC_BYTES, from); at >= 0; at = view.indexOf(MAGIC_BYTES, at + 1)) {
    if (readHead(payload, at, base, seed) !== undefined) return at
  }
  return undefined
}

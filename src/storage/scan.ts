// Walks over the bytes of a segment: every record that is readable, and every stretch that is not. Damage never ends the walk; it
// goes on at the next head that is whole.

import { ALIGNMENT, type Head, MAGIC, readBody, readHead, roundUp } from './frame.ts'

/** Positions are bytes from the beginning of the segment. */
export type Found =
  /** A whole head; the body is undefined where it is damaged or cut short. */
  | { readonly kind: 'record'; readonly from: number; readonly head: Head; readonly body: Uint8Array | undefined }
  /** Bytes without a readable head. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number }

/** What is in `bytes`, which begin with a batch at the position `base` of the segment whose seed is `seed`. Bodies are views. */
export function* scan(bytes: Uint8Array, base: number, seed: number): Generator<Found> {
  const end = base + bytes.length
  let position = base
  while (position < end) {
    const head = readHead(bytes, position - base, base, seed)
    if (head === undefined) {
      const next = nextHead(bytes, position - base + ALIGNMENT, base, seed)
      const to = next === undefined ? end : base + next
      yield { kind: 'gap', from: position, to }
      position = to
      continue
    }
    yield { kind: 'record', from: position, head, body: readBody(bytes, head, position - base, base, seed) }
    position = head.last ? head.batchTo : roundUp(head.bodyTo, ALIGNMENT)
  }
}

/** Where the next whole head begins, from `from` on. */
function nextHead(bytes: Uint8Array, from: number, base: number, seed: number): number | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = view.indexOf(MAGIC_BYTES, from); at >= 0; at = view.indexOf(MAGIC_BYTES, at + 1)) {
    if ((base + at) % ALIGNMENT === 0 && readHead(bytes, at, base, seed) !== undefined) return at
  }
  return undefined
}

const MAGIC_BYTES = Buffer.from([MAGIC >>> 24, (MAGIC >>> 16) & 0xff, (MAGIC >>> 8) & 0xff, MAGIC & 0xff])

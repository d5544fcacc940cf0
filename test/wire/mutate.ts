// Frames as nobody honest sends them: good ones with bytes changed, added, taken away, repeated or mixed.

import type { Random } from '../../src/simulation/kernel/index.ts'

/** Lengths and numbers that a decoder may stumble over, as varints. */
const NASTY: readonly (readonly number[])[] = [
  [0],
  [0x7f],
  [0x80, 0],
  [0x80, 0x80, 0],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
]

/** `frame` with one to three changes, some of them taken from `other`. */
export function mutate(frame: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let bytes = frame
  for (let changes = random.between(1, 3); changes > 0; changes--) bytes = changed(bytes, other, random)
  return bytes
}

function changed(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1)
  const end = at + random.below(Math.min(40, bytes.length - at) + 1)
  switch (random.below(8)) {
    case 0:
      return splice(bytes, at, at + 1, [random.below(256)])
    case 1:
      return splice(bytes, at, at + 1, [(bytes[at] ?? 0) ^ (1 << random.below(8))])
    case 2:
      return splice(bytes, at, at + 1, [(bytes[at] ?? 0) + random.pick([-1, 1])])
    case 3:
      return bytes.subarray(0, at)
    case 4:
      return splice(bytes, at, end, [])
    case 5:
      return splice(bytes, at, at, bytes.subarray(at, end))
    case 6:
      return splice(bytes, at, at + random.below(3), random.pick(NASTY))
    default: {
      const from = random.below(other.length + 1)
      return splice(bytes, at, end, other.subarray(from, from + random.below(60)))
    }
  }
}

function splice(bytes: Uint8Array, from: number, to: number, put: ArrayLike<number>): Uint8Array {
  const end = Math.min(to, bytes.length)
  const made = new Uint8Array(from + put.length + bytes.length - end)
  made.set(bytes.subarray(0, from))
  made.set(put, from)
  made.set(bytes.subarray(end), from + put.length)
  return made
}

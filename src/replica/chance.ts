// Reproducible chance for a replica that lies on purpose: a hash over a label and a counter. Never for secrets.

import { createHash } from 'node:crypto'
import type { Chance } from '../byzantine/index.ts'

const TWO_TO_32 = 0x1_0000_0000
const DRAWS_PER_BLOCK = 8

/** The stream of this label; equal labels give equal streams. */
export function seededChance(label: string): Chance {
  let block: Buffer = Buffer.alloc(0)
  let drawn = 0
  const unit = (): number => {
    const at = drawn % DRAWS_PER_BLOCK
    if (at === 0)
      block = createHash('sha256')
        .update(`${label}#${drawn / DRAWS_PER_BLOCK}`)
        .digest()
    drawn++
    return block.readUInt32BE(4 * at) / TWO_TO_32
  }
  return {
    below: (bound) => Math.floor(unit() * bound),
    chance: (probability) => probability > 0 && unit() < probability,
    pick: (items) => {
      const item = items[Math.floor(unit() * items.length)]
      if (item === undefined) throw new RangeError('pick: expected at least one item')
      return item
    },
    fork: (part) => seededChance(`${label}/${part}`),
  }
}

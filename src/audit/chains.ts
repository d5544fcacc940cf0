// How the epochs of a cluster followed one another, as archives tell it. Whoever makes up a hand-over is refused; two good ones of one
// epoch are for people to look at, since signatures alone do not say which is the cluster's.

import { equalBytes } from '../../crypto/index.ts'
import { type EpochChain, type HandOver, type Pin, startAfter } from '../consensus/index.ts'
import type { Cursor } from './cursor.ts'

/** Two hand-overs of one epoch, each signed by a quorum of it. */
export interface Split {
  readonly epoch: number
  readonly one: Cursor
  readonly other: Cursor
}

/** The longest chain that any of the archives goes through, from that of the genesis on; `pin` settles which is meant. */
export async function followArchives(
  cursors: readonly Cursor[],
  genesis: EpochChain,
  pin: Pin | undefined,
): Promise<{ readonly chain: EpochChain } | { readonly split: Split }> {
  let chain = genesis
  /** Who told of each hand-over first. */
  const tellers: Cursor[] = []
  for (const cursor of cursors) {
    const split = await cursor.ask('its epochs', async () => {
      let at = 0
      for await (const link of cursor.archive.handOvers()) {
        const known = chain.links[at]
        if (known !== undefined && same(chain, at, link)) {
          at++
          continue
        }
        const longer = known === undefined ? chain.extend(link) : beginning(genesis, chain, at).extend(link)
        if (!longer.ok) return cursor.refuse(`epoch ${at + 1}`, `its hand-over is bad: ${longer.fault.code}`)
        const { charter, start } = longer.value.last
        if (pin?.epoch === charter.epoch && !equalBytes(pin.handOver, start.justification))
          return cursor.refuse(`epoch ${at + 1}`, 'the hand-over to it is another than the one that is pinned')
        const one = tellers[at]
        if (one !== undefined) return { epoch: at, one, other: cursor }
        chain = longer.value
        tellers.push(cursor)
        at++
      }
      return undefined
    })
    if (split !== undefined) return { split }
  }
  return { chain }
}

function same({ epochs }: EpochChain, at: number, { checkpoint, charter }: HandOver): boolean {
  const [before, after] = [epochs[at], epochs[at + 1]]
  if (before === undefined || after === undefined || charter.epoch !== after.charter.epoch) return false
  const { membership, clusterName } = before.verify
  return equalBytes(startAfter(checkpoint, membership, clusterName).justification, after.start.justification)
}

/** The first hand-overs of a chain alone. */
function beginning(genesis: EpochChain, { links }: EpochChain, count: number): EpochChain {
  return links.slice(0, count).reduce((chain, link) => {
    const longer = chain.extend(link)
    if (!longer.ok) throw new Error(`chain: verified, and now ${longer.fault.code}`)
    return longer.value
  }, genesis)
}

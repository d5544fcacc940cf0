// The chains of epochs that replicas show, and what a client that has one of its own makes of them. Each was verified link by link; but
// who has stolen the keys of an epoch that is over can show another one, and no signature tells which is meant. So two that part are
// settled by nothing but what the client has followed already, or a pin; and where neither settles it, it goes no further.

import { equalBytes } from '../../crypto/index.ts'
import { type ChainFault, type EpochChain, type HandOver, type Pin, startAfter } from '../consensus/index.ts'

/** A chain that grew by what somebody showed; `fault` where the next link was none. */
export interface Offer {
  readonly chain: EpochChain
  readonly fault: ChainFault | undefined
}

/**
 * `base` with `links` after it, as far as they are good. What is in one of the chains `known`, which begin with `base`, is not
 * verified again.
 */
export function offerOf(base: EpochChain, links: readonly HandOver[], known: readonly EpochChain[]): Offer {
  let chain = base
  for (const link of links) {
    const { last } = chain
    const { justification } = startAfter(link.checkpoint, last.membership, last.verify.clusterName)
    const epoch = last.charter.epoch + 1
    const same = known.find(
      (each) => begins(each, chain) && equalBytes(each.epochs[epoch]?.start.justification ?? NONE, justification),
    )
    if (same !== undefined) {
      chain = same.upTo(epoch)
      continue
    }
    const longer = chain.extend(link)
    if (!longer.ok) return { chain, fault: longer.fault }
    chain = longer.value
  }
  return { chain, fault: undefined }
}

export interface Agreed {
  /** The client's own from now on. */
  readonly chain: EpochChain
  /** The first epoch to which there are two hand-overs. */
  readonly conflict: number | undefined
}

/** What a client that has `own` goes on with, when these were shown. Requires that all are of one cluster. */
export function agreedOf(own: EpochChain, offers: readonly EpochChain[], pin?: Pin): Agreed {
  // What the client has followed fixes everything before it.
  const through = offers.filter((offer) => goesThrough(offer, own, pin))
  const others = through.filter((offer) => partsAt(own, offer) !== undefined)
  const mine = through.filter((offer) => !others.includes(offer))
  let agreed: EpochChain = own
  let conflict = least(others.map((offer) => partsAt(own, offer)))
  for (const offer of mine) {
    const at = partsAt(agreed, offer)
    if (at === undefined) {
      if (offer.links.length > agreed.links.length) agreed = offer
    } else conflict = least([conflict, at])
  }
  // Whichever was seen first, both are as good.
  const doubtful = least(mine.map((offer) => partsAt(agreed, offer)))
  return { chain: doubtful === undefined ? agreed : agreed.upTo(doubtful - 1), conflict }
}

function goesThrough(offer: EpochChain, own: EpochChain, pin: Pin | undefined): boolean {
  if (pin === undefined || own.links.length >= pin.epoch) return true
  return equalBytes(offer.epochs[pin.epoch]?.start.justification ?? NONE, pin.handOver)
}

/** The first epoch that both have and that began otherwise; undefined where one is the beginning of the other. */
function partsAt(one: EpochChain, other: EpochChain): number | undefined {
  const [a, b] = [one.epochs, other.epochs]
  const most = Math.min(a.length, b.length)
  for (let epoch = 1; epoch < most; epoch++) {
    if (!equalBytes(a[epoch]?.start.justification ?? NONE, b[epoch]?.start.justification ?? NONE)) return epoch
  }
  return undefined
}

function begins(whole: EpochChain, part: EpochChain): boolean {
  return whole.links.length >= part.links.length && partsAt(whole, part) === undefined
}

function least(epochs: readonly (number | undefined)[]): number | undefined {
  const known = epochs.filter((each) => each !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

const NONE = new Uint8Array(0)

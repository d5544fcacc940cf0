// From the genesis to any epoch: each epoch was handed over to by a quorum of the one before, and by nobody else. Replicas, joiners,
// clients and auditors all go this one way, and judge whatever is signed in the context of the epoch that it names.
//
// A hand-over is enough for the next epoch's members to begin: it says who they are, where their slots begin, what the log and the
// state are there, and by its digest what the votes of their first view rely on.

import {
  type Digest,
  equalBytes,
  failure,
  type Membership,
  type Result,
  type SignatureVerifier,
  type Slot,
  success,
} from '../../crypto/index.ts'
import { type Charter, type CharterFault, charterFaults, membershipOf } from '../../keys/charter/index.ts'
import { type Check, stableFault, type VerifyContext } from './checks.ts'
import { type EpochStart, genesisStart, startAfter } from './config.ts'
import type { HandOver, StableCheckpoint } from './messages.ts'
import type { Pin } from './pin.ts'

/** What everybody has who has the genesis. */
export interface ChainParts {
  readonly clusterId: Digest
  readonly clusterName: string
  /** That of epoch 0. */
  readonly charter: Charter
  /** Root of the state before the first entry. */
  readonly stateRoot: Digest
  readonly verifier: SignatureVerifier
  readonly admit: VerifyContext['admit']
  readonly known?: NonNullable<VerifyContext['known']>
  /** Defects of a test build; none otherwise. */
  readonly mutations?: NonNullable<VerifyContext['mutations']>
}

/** One epoch, and what its statements are verified with. */
export interface EpochContext {
  readonly charter: Charter
  readonly membership: Membership
  readonly start: EpochStart
  /** Undefined in the last epoch of a chain: whether that goes on, the chain does not say. */
  readonly lastSlot: Slot | undefined
  readonly verify: VerifyContext
}

export type ChainFault =
  /** The charter is not that of the next epoch, does not name the membership before it, or begins somewhere else. */
  | { readonly code: 'wrong-epoch' | 'wrong-previous' | 'wrong-start' }
  /** The checkpoint names another membership than the charter's, or none. */
  | { readonly code: 'wrong-next' }
  | { readonly code: 'bad-charter'; readonly faults: readonly CharterFault[] }
  /** With the code of the fault: the wrong number of signatures, of others, over something else. */
  | { readonly code: 'bad-checkpoint'; readonly fault: string }
  | { readonly code: 'pin-of-another-cluster' | 'shorter-than-pin' | 'not-through-pin' }

/** Immutable, and verified by construction. */
export class EpochChain {
  readonly links: readonly HandOver[]
  readonly last: EpochContext
  private readonly parts: ChainParts
  /** Epochs that are over, ascending. */
  private readonly ended: readonly EpochContext[]

  private constructor(
    parts: ChainParts,
    links: readonly HandOver[],
    ended: readonly EpochContext[],
    last: EpochContext,
  ) {
    this.parts = parts
    this.links = links
    this.ended = ended
    this.last = last
  }

  /** The chain of the first epoch alone. */
  static genesis(parts: ChainParts): EpochChain {
    const { charter, clusterId, stateRoot } = parts
    const first = contextOf(parts, charter, membershipOf(charter, clusterId), genesisStart(stateRoot))
    return new EpochChain(parts, [], [], first)
  }

  /** The chain with one epoch more. The cheap checks come first, and no more than a quorum of signatures are checked. */
  extend(link: HandOver): Result<EpochChain, ChainFault> {
    const { checkpoint, charter } = link
    const { parts, last } = this
    if (charter.epoch !== last.charter.epoch + 1) return failure({ code: 'wrong-epoch' })
    if (!equalBytes(charter.previous, last.membership.digest)) return failure({ code: 'wrong-previous' })
    if (charter.start !== checkpoint.slot || checkpoint.slot <= last.start.slot) return failure({ code: 'wrong-start' })
    const faults = charterFaults(charter)
    if (faults.length > 0) return failure({ code: 'bad-charter', faults })
    const membership = membershipOf(charter, parts.clusterId)
    if (checkpoint.next === undefined || !equalBytes(checkpoint.next, membership.digest))
      return failure({ code: 'wrong-next' })
    const start = startAfter(checkpoint, last.membership, parts.clusterName)
    const next = contextOf(parts, charter, membership, start)
    const bad = this.signersFault(checkpoint, next)
    if (bad !== undefined) return failure({ code: 'bad-checkpoint', fault: bad.code })
    return success(new EpochChain(parts, [...this.links, link], [...this.ended, endedAt(last, checkpoint.slot)], next))
  }

  /** Why the checkpoint is not signed by a quorum of the last epoch, which hands over. */
  private signersFault(checkpoint: StableCheckpoint, next: EpochContext): Check {
    const { parts, last } = this
    const itself = parts.mutations?.has('self-admission') === true
    if (itself && stableFault(checkpoint, { ...next.verify, start: last.start }) === undefined) return undefined
    return stableFault(checkpoint, last.verify)
  }

  /** The same chain for somebody who verifies what is signed in its epochs in another way. */
  judgedBy(change: Pick<Partial<ChainParts>, 'verifier' | 'known' | 'mutations'>): EpochChain {
    const judged = (context: EpochContext) => ({ ...context, verify: { ...context.verify, ...change } })
    return new EpochChain({ ...this.parts, ...change }, this.links, this.ended.map(judged), judged(this.last))
  }

  /** As it was when `epoch` was its last, which it must have. */
  upTo(epoch: number): EpochChain {
    const last = this.epochs[epoch]
    if (last === undefined) throw new RangeError(`epoch: expected at most ${this.links.length}, got ${epoch}`)
    if (last === this.last) return this
    const open = { ...last, lastSlot: undefined, verify: { ...last.verify, lastSlot: undefined } }
    return new EpochChain(this.parts, this.links.slice(0, epoch), this.ended.slice(0, epoch), open)
  }

  /** All of them, ascending. */
  get epochs(): readonly EpochContext[] {
    return [...this.ended, this.last]
  }

  /** The epoch that decides `slot`, as far as the chain goes; the first one for slot 0. */
  at(slot: Slot): EpochContext {
    // By halves: an auditor asks for each of a million entries, and there may be thousands of epochs.
    let [from, to] = [0, this.ended.length]
    while (from < to) {
      const middle = Math.floor((from + to) / 2)
      if (slot <= (this.ended[middle]?.lastSlot ?? 0)) to = middle
      else from = middle + 1
    }
    return this.ended[from] ?? this.last
  }

  /** The epoch that begins after `slot`, where the chain has one that does. */
  after(slot: Slot): EpochContext | undefined {
    const { charter, lastSlot } = this.at(slot)
    return lastSlot === slot ? this.epochs[charter.epoch + 1] : undefined
  }

  /** The epoch whose statements name this membership. */
  of(membership: Digest): EpochContext | undefined {
    return [this.last, ...this.ended].find((each) => equalBytes(each.membership.digest, membership))
  }

  /** What keeps others from showing another chain to who has it; undefined in the first epoch, which the genesis fixes. */
  get pin(): Pin | undefined {
    const { charter, start } = this.last
    if (charter.epoch === 0) return undefined
    return { clusterId: this.parts.clusterId, epoch: charter.epoch, handOver: start.justification }
  }
}

/** The chain of all `links` after the genesis, which may be given as the first epoch of another chain; it must go through `pin` where there is one. */
export function followChain(
  from: ChainParts | EpochChain,
  links: readonly HandOver[],
  pin?: Pin,
): Result<EpochChain, ChainFault> {
  let chain = from instanceof EpochChain ? from.upTo(0) : EpochChain.genesis(from)
  if (pin !== undefined && !equalBytes(pin.clusterId, chain.last.membership.clusterId))
    return failure({ code: 'pin-of-another-cluster' })
  if (pin !== undefined && links.length < pin.epoch) return failure({ code: 'shorter-than-pin' })
  for (const link of links) {
    const longer = chain.extend(link)
    if (!longer.ok) return longer
    chain = longer.value
    const { charter, start } = chain.last
    if (charter.epoch === pin?.epoch && !equalBytes(start.justification, pin.handOver))
      return failure({ code: 'not-through-pin' })
  }
  return success(chain)
}

function contextOf(parts: ChainParts, charter: Charter, membership: Membership, start: EpochStart): EpochContext {
  const { clusterName, verifier, admit, known } = parts
  const { parameters } = charter
  const verify: VerifyContext = { membership, clusterName, parameters, start, verifier, admit, ...(known && { known }) }
  return { charter, membership, start, lastSlot: undefined, verify }
}

function endedAt(context: EpochContext, lastSlot: Slot): EpochContext {
  return { ...context, lastSlot, verify: { ...context.verify, lastSlot } }
}

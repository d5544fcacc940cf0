// Who lied, from everything that was verified: evidence as it is handed in, and what several sources give away together: two
// certificates for one slot, two checkpoints of one slot, two results of one slot, two ends of one epoch, and what was said in an
// epoch about a slot after its end.
//
// Sources may follow different chains of epochs: what each tells is judged in its own. Two things keep a conviction from being
// certain. Keys of an epoch that is over may have been stolen since, and then contradict what their owners said. And whose keys those
// of an epoch are that no pin fixes is said by nobody but the keys of the epoch before, which may have been stolen too.

import { type Certificate, type Digest, equalBytes, hex, type MemberId, type Vote } from '../../../crypto/index.ts'
import {
  type CheckpointVote,
  checkpointConflictOf,
  conflictOf,
  type EpochChain,
  type EpochContext,
  type Evidence,
  epochOfEvidence,
  evidenceFault,
  type HandOver,
  type LateStatement,
  type NewView,
  pastTheEndOf,
  type StableCheckpoint,
} from '../../consensus/index.ts'
import { blameFork } from './blame.ts'
import type { CheckContext } from './context.ts'
import type { Doubt } from './epochs.ts'
import { MAX_ACCOUNTS, MAX_BLAME_NEW_VIEWS, MAX_CONFLICTS } from './limits.ts'
import { evidenceName, newViewName } from './write.ts'

/** The epoch is over by anything that was told, so that the key may have been stolen; or no pin fixes it, so that it may be made up. */
export type ConvictionDoubt = Exclude<Doubt, 'beyond-pin'>

export interface Conviction {
  readonly evidence: Evidence
  /** In which it convicts, and the accused is a member by that position. */
  readonly epoch: EpochContext
  readonly member: MemberId
  readonly doubt: ConvictionDoubt | undefined
  /** Handed in as it is, or found in what several sources say. */
  readonly found: 'handed-in' | 'fork' | 'two-checkpoints' | 'two-results' | 'past-the-end'
}

/** An epoch that was handed over twice: two chains, of which signatures alone cannot say which is the cluster's. */
export interface ChainSplit {
  readonly epoch: number
  /** Digests of the hand-overs. */
  readonly handOvers: readonly Digest[]
}

export interface CulpritReport {
  /** Each convicts its accused on its own; ascending by member, of each those without a doubt first. */
  readonly convictions: readonly Conviction[]
  /** Convicted without a doubt. */
  readonly guilty: readonly MemberId[]
  /** Convicted with a doubt, and not without one. */
  readonly suspects: readonly MemberId[]
  /** Slots with certificates for two entries, the first of them. */
  readonly forks: readonly number[]
  readonly splits: readonly ChainSplit[]
  /** Digests of NewViews that are needed to name more of the guilty, in hexadecimal. */
  readonly missing: readonly string[]
}

/** Something that was verified, and the epoch in which it was. */
interface Told<Statement> {
  readonly epoch: EpochContext
  readonly statement: Statement
}

interface End extends Told<StableCheckpoint> {
  readonly handOver: Digest
}

/** The first statement about each slot in one epoch. */
interface OfEpoch<Statement> {
  readonly epoch: EpochContext
  readonly bySlot: Map<number, Statement>
}

/** By the membership of the epoch. */
type Kept<Statement> = Map<string, OfEpoch<Statement>>

export class Culprits {
  /** Of the source that is being told. */
  private chain: EpochChain
  private followed: readonly HandOver[] = []
  private readonly chosen: Kept<Certificate> = new Map()
  private readonly checkpoints: Kept<StableCheckpoint> = new Map()
  private readonly results: Kept<Certificate> = new Map()
  /** By the membership of the epoch that they end. */
  private readonly ends = new Map<string, End[]>()
  private readonly newViews = new Map<string, NewView>()
  private readonly forks: (readonly [Told<Certificate>, Certificate])[] = []
  private readonly convictions = new Map<string, Omit<Conviction, 'doubt'>>()
  private readonly pinned: number

  /** `pinned`: the last epoch that is fixed by a pin through which all sources go; without one the genesis fixes the first. */
  constructor({ chain }: CheckContext, pinned = 0) {
    this.chain = chain
    this.pinned = pinned
    this.follow(chain)
  }

  /** What is told from here on is told by somebody who follows this chain, whose hand-overs were verified. */
  follow(chain: EpochChain): void {
    this.chain = chain
    const { epochs, links } = chain
    const { followed } = this
    this.followed = links
    for (const [i, link] of links.entries()) {
      const [epoch, next] = [epochs[i], epochs[i + 1]]
      if (followed[i] !== link && epoch !== undefined && next !== undefined) this.end(epoch, link.checkpoint, next)
    }
  }

  /** A verified accept certificate. */
  certificate(certificate: Certificate): void {
    const { slot, digest } = certificate.statement
    const epoch = this.chain.at(slot)
    for (const known of told(this.chosen, slot, epoch, certificate)) {
      if (equalBytes(known.statement.statement.digest, digest) || this.forks.length >= MAX_CONFLICTS) continue
      this.forks.push([known, certificate])
    }
  }

  /** A verified stable checkpoint. */
  checkpoint(checkpoint: StableCheckpoint): void {
    this.keep(checkpoint, this.chain.at(checkpoint.slot))
  }

  /** A verified receipt certificate. */
  result(certificate: Certificate): void {
    const { slot } = certificate.statement
    const epoch = this.chain.at(slot)
    for (const known of told(this.results, slot, epoch, certificate)) {
      if (!sameEpoch(known.epoch, epoch)) continue
      for (const first of votesOf(known.statement)) {
        for (const second of votesOf(certificate)) this.convict(conflictOf(first, second), 'two-results', epoch)
      }
    }
  }

  /** A NewView; only good ones are used. */
  newView(newView: NewView): void {
    if (this.newViews.size < MAX_BLAME_NEW_VIEWS) this.newViews.set(newViewName(newView), newView)
  }

  /** Evidence that somebody hands in. False where it convicts nobody, and is not used. */
  evidence(evidence: Evidence, epoch = epochOfEvidence(evidence, this.chain)): boolean {
    return this.convict(evidence, 'handed-in', epoch)
  }

  report(): CulpritReport {
    const missing = new Set<string>()
    for (const [{ epoch, statement: one }, other] of this.forks) {
      if (!equalBytes(one.statement.membership, other.statement.membership)) continue
      const blame = blameFork(one, other, [...this.newViews.values()], epoch.verify)
      for (const evidence of blame.evidence) this.convict(evidence, 'fork', epoch)
      for (const name of blame.missing) missing.add(name)
    }
    for (const end of [...this.ends.values()].flat()) this.judgeLate(end)
    const convictions = [...this.convictions.values()]
      .map((each) => ({ ...each, doubt: this.doubtOf(each.epoch) }))
      .sort((a, b) => a.member - b.member || Number(a.doubt !== undefined) - Number(b.doubt !== undefined))
    const guilty = new Set(convictions.flatMap(({ member, doubt }) => (doubt === undefined ? member : [])))
    const suspects = new Set(convictions.map(({ member }) => member).filter((member) => !guilty.has(member)))
    return {
      convictions,
      guilty: [...guilty],
      suspects: [...suspects],
      forks: this.forks.map(([{ statement }]) => statement.statement.slot),
      splits: [...this.ends.values()].flatMap((ends) => splitOf(ends) ?? []),
      missing: [...missing],
    }
  }

  private end(epoch: EpochContext, checkpoint: StableCheckpoint, next: EpochContext): void {
    this.keep(checkpoint, epoch)
    const name = nameOf(epoch)
    const known = this.ends.get(name) ?? []
    const handOver = next.start.justification
    if (known.length >= MAX_CONFLICTS || known.some((each) => equalBytes(each.handOver, handOver))) return
    for (const { statement } of known) this.compare(epoch, statement, checkpoint)
    this.ends.set(name, [...known, { epoch, statement: checkpoint, handOver }])
  }

  /** What was said in the epoch about slots after this end of it, by somebody who signed the end. */
  private judgeLate({ epoch, statement: end }: End): void {
    const left = new Map(votesOn(end).map((vote) => [vote.replica, vote]))
    for (const late of this.said(nameOf(epoch), end.slot)) {
      const { replica } = late.vote
      const signed = left.get(replica)
      if (signed === undefined) continue
      if (this.convict(pastTheEndOf(signed, late), 'past-the-end', epoch)) left.delete(replica)
      if (left.size === 0) return
    }
  }

  private *said(name: string, after: number): Generator<LateStatement> {
    for (const kept of [this.chosen, this.results]) {
      for (const [slot, certificate] of kept.get(name)?.bySlot ?? []) {
        if (slot > after) for (const vote of votesOf(certificate)) yield { kind: 'vote', vote }
      }
    }
    for (const [slot, checkpoint] of this.checkpoints.get(name)?.bySlot ?? []) {
      if (slot > after) for (const vote of votesOn(checkpoint)) yield { kind: 'checkpoint', vote }
    }
  }

  private keep(checkpoint: StableCheckpoint, epoch: EpochContext): void {
    for (const known of told(this.checkpoints, checkpoint.slot, epoch, checkpoint)) {
      if (sameEpoch(known.epoch, epoch)) this.compare(epoch, known.statement, checkpoint)
    }
  }

  /** Two notes of one epoch. */
  private compare(epoch: EpochContext, one: StableCheckpoint, other: StableCheckpoint): void {
    for (const first of votesOn(one)) {
      for (const second of votesOn(other)) this.convict(checkpointConflictOf(first, second), 'two-checkpoints', epoch)
    }
  }

  private doubtOf(epoch: EpochContext): ConvictionDoubt | undefined {
    if (epoch.charter.epoch > this.pinned) return 'unpinned'
    return epoch.charter.epoch < this.pinned || this.ends.has(nameOf(epoch)) ? 'retired-keys' : undefined
  }

  private convict(evidence: Evidence | undefined, found: Conviction['found'], epoch: EpochContext): boolean {
    const member = evidence && epoch.charter.members[evidence.accused]?.id
    if (evidence === undefined || member === undefined) return false
    if (evidenceFault(evidence, epoch.verify) !== undefined) return false
    const name = `${nameOf(epoch)} ${evidenceName(evidence)}`
    if (!this.convictions.has(name) && this.convictions.size < MAX_ACCOUNTS)
      this.convictions.set(name, { evidence, epoch, member, found })
    return true
  }
}

/** Notes what was told, and gives what was told about that slot before. */
function told<Statement>(
  kept: Kept<Statement>,
  slot: number,
  epoch: EpochContext,
  statement: Statement,
): Told<Statement>[] {
  const before = [...kept.values()].flatMap(({ epoch: of, bySlot }) => {
    const known = bySlot.get(slot)
    return known === undefined ? [] : [{ epoch: of, statement: known }]
  })
  const name = nameOf(epoch)
  const own = kept.get(name) ?? { epoch, bySlot: new Map() }
  if (!own.bySlot.has(slot)) own.bySlot.set(slot, statement)
  kept.set(name, own)
  return before
}

function sameEpoch(one: EpochContext, other: EpochContext): boolean {
  return equalBytes(one.membership.digest, other.membership.digest)
}

function splitOf(ends: readonly End[]): ChainSplit | undefined {
  const [first] = ends
  if (first === undefined || ends.length < 2) return undefined
  return { epoch: first.epoch.charter.epoch, handOvers: ends.map(({ handOver }) => handOver) }
}

function nameOf({ membership }: EpochContext): string {
  return hex(membership.digest)
}

function votesOf({ statement, signatures }: Certificate): Vote[] {
  return signatures.map(({ replica, signature }) => ({ statement, replica, signature }))
}

function votesOn({ signatures, ...content }: StableCheckpoint): CheckpointVote[] {
  return signatures.map(({ replica, signature }) => ({ ...content, replica, signature }))
}

// Who lied, from everything that was verified: evidence as it is handed in, and what several sources give away together: two
// certificates for one slot, two checkpoints of one slot, two results of one slot.

import { type Certificate, equalBytes, type ReplicaIndex, type Vote } from '../../../crypto/index.ts'
import {
  type CheckpointVote,
  checkpointConflictOf,
  conflictOf,
  type Evidence,
  evidenceFault,
  type NewView,
  type StableCheckpoint,
} from '../../consensus/index.ts'
import { blameFork } from './blame.ts'
import { epochOfEvidence } from './checks.ts'
import type { CheckContext } from './context.ts'
import { MAX_ACCOUNTS, MAX_BLAME_NEW_VIEWS, MAX_CONFLICTS } from './limits.ts'
import { evidenceName, newViewName } from './write.ts'

export interface Conviction {
  readonly evidence: Evidence
  /** Handed in as it is, or found in what several sources say. */
  readonly found: 'handed-in' | 'fork' | 'two-checkpoints' | 'two-results'
}

export interface CulpritReport {
  /** Each convicts its accused on its own; ascending by accused. */
  readonly convictions: readonly Conviction[]
  readonly guilty: readonly ReplicaIndex[]
  /** Slots with certificates for two entries, the first of them. */
  readonly forks: readonly number[]
  /** Digests of NewViews that are needed to name more of the guilty, in hexadecimal. */
  readonly missing: readonly string[]
}

export class Culprits {
  private readonly context: CheckContext
  private readonly chosen = new Map<number, Certificate>()
  private readonly checkpoints = new Map<number, StableCheckpoint>()
  private readonly results = new Map<number, Certificate>()
  private readonly newViews = new Map<string, NewView>()
  private readonly forks: (readonly [Certificate, Certificate])[] = []
  private readonly convictions = new Map<string, Conviction>()

  constructor(context: CheckContext) {
    this.context = context
  }

  /** A verified accept certificate. */
  certificate(certificate: Certificate): void {
    const { slot, digest } = certificate.statement
    const known = this.chosen.get(slot)
    if (known === undefined) this.chosen.set(slot, certificate)
    else if (!equalBytes(known.statement.digest, digest) && this.forks.length < MAX_CONFLICTS) {
      this.forks.push([known, certificate])
    }
  }

  /** A verified stable checkpoint. */
  checkpoint(checkpoint: StableCheckpoint): void {
    const known = this.checkpoints.get(checkpoint.slot)
    if (known === undefined) this.checkpoints.set(checkpoint.slot, checkpoint)
    for (const first of known === undefined ? [] : votesOn(known)) {
      for (const second of votesOn(checkpoint)) this.convict(checkpointConflictOf(first, second), 'two-checkpoints')
    }
  }

  /** A verified receipt certificate. */
  result(certificate: Certificate): void {
    const { slot } = certificate.statement
    const known = this.results.get(slot)
    if (known === undefined) this.results.set(slot, certificate)
    for (const first of known === undefined ? [] : votesOf(known)) {
      for (const second of votesOf(certificate)) this.convict(conflictOf(first, second), 'two-results')
    }
  }

  /** A NewView; only good ones are used. */
  newView(newView: NewView): void {
    if (this.newViews.size < MAX_BLAME_NEW_VIEWS) this.newViews.set(newViewName(newView), newView)
  }

  /** Evidence that somebody hands in. False where it convicts nobody, and is not used. */
  evidence(evidence: Evidence): boolean {
    return this.convict(evidence, 'handed-in')
  }

  report(): CulpritReport {
    const missing = new Set<string>()
    for (const [one, other] of this.forks) {
      const { verify } = this.context.chain.at(one.statement.slot)
      const blame = blameFork(one, other, [...this.newViews.values()], verify)
      for (const evidence of blame.evidence) this.convict(evidence, 'fork')
      for (const name of blame.missing) missing.add(name)
    }
    const convictions = [...this.convictions.values()].sort((a, b) => a.evidence.accused - b.evidence.accused)
    return {
      convictions,
      guilty: [...new Set(convictions.map(({ evidence }) => evidence.accused))],
      forks: this.forks.map(([{ statement }]) => statement.slot),
      missing: [...missing],
    }
  }

  private convict(evidence: Evidence | undefined, found: Conviction['found']): boolean {
    if (evidence === undefined) return false
    if (evidenceFault(evidence, epochOfEvidence(evidence, this.context).verify) !== undefined) return false
    const name = evidenceName(evidence)
    if (!this.convictions.has(name) && this.convictions.size < MAX_ACCOUNTS)
      this.convictions.set(name, { evidence, found })
    return true
  }
}

function votesOf({ statement, signatures }: Certificate): Vote[] {
  return signatures.map(({ replica, signature }) => ({ statement, replica, signature }))
}

function votesOn({ signatures, ...content }: StableCheckpoint): CheckpointVote[] {
  return signatures.map(({ replica, signature }) => ({ ...content, replica, signature }))
}

// What one replica proves of the state, under a checkpoint that a quorum signed: it can be old, and never wrong.

import { equalBytes, frontierRoot } from '../../crypto/index.ts'
import { type EpochChain, type StableCheckpoint, verifyMessage } from '../consensus/index.ts'
import { checkStateProof, type StateProof } from '../machine/index.ts'
import type { ArchivedCheckpoint, ProvenState } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'

export interface ProvenKey {
  readonly value: Uint8Array | undefined
  /** The agreed time of the checkpoint. */
  readonly timestampMs: number
  readonly proof: StateProof
}

export interface Proven {
  /** One for each key asked for. */
  readonly values: readonly ProvenKey[]
  readonly under: ArchivedCheckpoint
}

export class Proofs {
  private readonly view: ClusterView
  /** Of a checkpoint that was verified; the next answers are likely about the same. */
  private verified: ArchivedCheckpoint | undefined

  constructor(view: ClusterView) {
    this.view = view
  }

  /** `old`: from an epoch that is over, which whoever has stolen keys since could make. `wrong`: it proves nothing. */
  check(keys: readonly Uint8Array[], { position, values, ...archived }: ProvenState): Proven | 'old' | 'wrong' {
    if (archived.checkpoint.slot < this.view.epoch.start.slot) return 'old'
    const under = this.genuine(archived)
    if (under === undefined || values.length !== keys.length) return 'wrong'
    const proven: ProvenKey[] = []
    for (const [i, key] of keys.entries()) {
      const given = values[i]
      if (given === undefined) return 'wrong'
      const proof = { key, ...given, position }
      const checked = checkStateProof(proof, under.checkpoint)
      if (!checked.ok) return 'wrong'
      proven.push({ value: given.value, timestampMs: checked.timestampMs, proof })
    }
    return { values: proven, under }
  }

  /** The members are others now. */
  moved(): void {
    this.verified = undefined
  }

  /** The checkpoint with signatures that are known to be good, or undefined. */
  private genuine({ checkpoint, frontier }: ArchivedCheckpoint): ArchivedCheckpoint | undefined {
    if (this.verified !== undefined && isSame(this.verified.checkpoint, checkpoint)) return this.verified
    const { slot, logRoot } = checkpoint
    if (slot < 1 || frontier.size !== slot || !equalBytes(frontierRoot(frontier), logRoot)) return undefined
    if (!isGood(checkpoint, this.view.chain)) return undefined
    if (slot >= (this.verified?.checkpoint.slot ?? 0)) this.verified = { checkpoint, frontier }
    return { checkpoint, frontier }
  }
}

/** The one with which the epoch began was signed by those before it, and is in the chain. */
function isGood(checkpoint: StableCheckpoint, chain: EpochChain): boolean {
  const { slot, stateRoot, logRoot } = checkpoint
  const { start } = chain.last
  const isStart = equalBytes(stateRoot, start.stateRoot) && equalBytes(logRoot, start.logRoot)
  if (slot === start.slot && !isStart) return false
  return verifyMessage({ kind: 'stable', checkpoint }, chain.at(slot).verify).ok
}

/** Whoever signed: what they signed is the same. */
function isSame(a: StableCheckpoint, b: StableCheckpoint): boolean {
  return a.slot === b.slot && equalBytes(a.logRoot, b.logRoot) && equalBytes(a.stateRoot, b.stateRoot)
}

// What one replica proves of the state, under a checkpoint that a quorum signed: it can be old, and never wrong.

import { equalBytes, frontierRoot } from '../../crypto/index.ts'
import { type EpochChain, type StableCheckpoint, verifyMessage } from '../consensus/index.ts'
import { checkStatePosition, isInState, type StateProof } from '../machine/index.ts'
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
    const at = checkStatePosition(position, under.checkpoint)
    if (!at.ok) return 'wrong'
    const { timestampMs } = at
    const proven: ProvenKey[] = []
    for (const [i, key] of keys.entries()) {
      const given = values[i]
      if (given === undefined || !isInState(key, given, under.checkpoint)) return 'wrong'
      const { value, proof } = given
      proven.push({ value, timestampMs, proof: { key, value, proof, position } })
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
    const signed = signedOf(checkpoint, this.view.chain)
    if (signed === undefined) return undefined
    const good = { checkpoint: signed, frontier }
    if (slot >= (this.verified?.checkpoint.slot ?? 0)) this.verified = good
    return good
  }
}

/**
 * With signatures that are good. In its epoch nobody signs the one with which that began, which those before signed: they are in the
 * chain.
 */
function signedOf(checkpoint: StableCheckpoint, { last, links }: EpochChain): StableCheckpoint | undefined {
  const { start, verify } = last
  if (checkpoint.slot > start.slot) {
    return verifyMessage({ kind: 'stable', checkpoint }, verify).ok ? checkpoint : undefined
  }
  const handedOver = links.at(-1)?.checkpoint
  return handedOver !== undefined && isSame(checkpoint, handedOver) ? handedOver : undefined
}

/** Whoever signed: what they signed is the same. */
function isSame(a: StableCheckpoint, b: StableCheckpoint): boolean {
  return a.slot === b.slot && equalBytes(a.logRoot, b.logRoot) && equalBytes(a.stateRoot, b.stateRoot)
}

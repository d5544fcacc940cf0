// I7: every checkpoint that an honest replica signs, or that becomes stable, is of the one agreed log: its root is that of the
// entries up to its slot, so any two of them are consistent; its state is that of all others; and q members signed a stable one.

import {
  appendLeaf,
  EMPTY_FRONTIER,
  type Frontier,
  frontierRoot,
  hex,
  type Membership,
  type SignatureVerifier,
  type Slot,
} from '../../../crypto/index.ts'
import {
  type CheckpointVote,
  checkpointBytes,
  type Effect,
  type Message,
  type StableCheckpoint,
} from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

const NAME = 'I7 one log'

export class CheckpointsCheck implements Observer {
  private readonly membershipAt: (slot: Slot) => Membership
  private readonly clusterName: string
  private readonly verifier: SignatureVerifier
  private log: Frontier = EMPTY_FRONTIER
  private readonly logRoots = new Map<number, string>()
  private readonly stateRoots = new Map<number, string>()
  private readonly seen = new WeakSet<object>()
  private readonly isHandOver: (slot: Slot) => boolean

  /** `membershipAt` tells whose slot it is; `isHandOver` whether q members of an epoch are known to have ended it there. */
  constructor(
    membershipAt: (slot: Slot) => Membership,
    clusterName: string,
    verifier: SignatureVerifier,
    isHandOver: (slot: Slot) => boolean = () => false,
  ) {
    this.isHandOver = isHandOver
    this.membershipAt = membershipAt
    this.clusterName = clusterName
    this.verifier = verifier
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest) return
    if (effect.kind === 'execute') {
      const { slot } = effect.entry.header
      if (slot !== this.log.size + 1) return
      this.log = appendLeaf(this.log, effect.entry.digest)
      this.logRoots.set(slot, hex(frontierRoot(this.log)))
    }
    if (effect.kind === 'stabilize') this.stable(replica, effect.checkpoint)
    if (effect.kind === 'alarm')
      throw new Violation(NAME, `r${replica.address} finds its own state wrong: ${effect.code}`)
  }

  sent(replica: ReplicaView, _to: number, message: Message): void {
    if (!replica.honest || message.kind !== 'checkpoint' || this.seen.has(message)) return
    this.seen.add(message)
    if (message.vote.replica === replica.index) this.mustBeOfTheLog(replica, message.vote)
  }

  private stable(replica: ReplicaView, checkpoint: StableCheckpoint): void {
    this.mustBeOfTheLog(replica, checkpoint)
    // The start of an epoch: nobody signs it in that epoch, and q did in the one before.
    if (checkpoint.signatures.length === 0 && this.isHandOver(checkpoint.slot)) return
    const membership = this.membershipAt(checkpoint.slot)
    const bytes = checkpointBytes(checkpoint, membership, this.clusterName)
    const signers = new Set(
      checkpoint.signatures
        .filter(({ replica: signer, signature }) => {
          const key = membership.members[signer]?.consensusKey
          return key !== undefined && this.verifier.verify(key, bytes, signature)
        })
        .map(({ replica: signer }) => signer),
    )
    const { quorum } = membership.quorums
    if (signers.size >= quorum) return
    throw new Violation(
      NAME,
      `r${replica.address} took slot ${checkpoint.slot} for stable with ${signers.size} of ${quorum} signatures`,
    )
  }

  private mustBeOfTheLog(
    replica: ReplicaView,
    { slot, logRoot, stateRoot }: Pick<CheckpointVote, 'slot' | 'logRoot' | 'stateRoot'>,
  ): void {
    const expected = this.logRoots.get(slot)
    if (expected !== hex(logRoot))
      throw new Violation(NAME, `r${replica.address}: checkpoint ${slot} is of another log`)
    const state = this.stateRoots.get(slot) ?? hex(stateRoot)
    this.stateRoots.set(slot, state)
    if (state !== hex(stateRoot))
      throw new Violation(NAME, `r${replica.address}: checkpoint ${slot} is of another state`)
  }
}

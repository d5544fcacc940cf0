// The states of stable checkpoints that clients fetch, to follow the whole log from there. One that is being fetched stays as long as
// somebody goes on, so that a large state comes whole while checkpoints pass; a single one, so that clients cannot make a replica
// keep many.

import { equalBytes } from '../../crypto/index.ts'
import type { StableCheckpoint } from '../consensus/index.ts'
import type { KeptSnapshot, MachineHost } from './machine-host.ts'

export interface LentState {
  readonly checkpoint: StableCheckpoint
  readonly kept: KeptSnapshot
}

export class LentStates {
  private readonly host: Pick<MachineHost, 'snapshotAt'>
  /** By slot: stable checkpoints whose states are here, or were lately. */
  private readonly stable = new Map<number, StableCheckpoint>()
  private lent: { readonly slot: number; readonly askedAt: number } | undefined

  constructor(host: Pick<MachineHost, 'snapshotAt'>) {
    this.host = host
  }

  /** Slot of the state that must stay for a client. */
  get pinned(): number | undefined {
    return this.lent?.slot
  }

  /** This checkpoint is stable. */
  note(checkpoint: StableCheckpoint): void {
    for (const at of this.stable.keys()) if (this.host.snapshotAt(at) === undefined) this.stable.delete(at)
    this.stable.set(checkpoint.slot, checkpoint)
  }

  /** The newest state up to the slot `atMost`; it stays for a while, unless another one does. */
  lend(atMost: number, nowMs: number): LentState | undefined {
    const slots = [...this.stable.keys()].filter((at) => at > 0 && at <= atMost).sort((a, b) => b - a)
    for (const at of slots) {
      const [checkpoint, kept] = [this.stable.get(at), this.host.snapshotAt(at)]
      // One that came out otherwise than what was signed proves nothing.
      if (checkpoint === undefined || kept === undefined || !equalBytes(kept.state.root, checkpoint.stateRoot)) continue
      const free = this.lent === undefined || this.host.snapshotAt(this.lent.slot) === undefined
      if (free || this.lent?.slot === at) this.lent = { slot: at, askedAt: nowMs }
      return { checkpoint, kept }
    }
    return undefined
  }

  /** Nobody waits any more for what was asked for last before `sinceMs`. */
  expire(sinceMs: number): void {
    if (this.lent !== undefined && this.lent.askedAt < sinceMs) this.lent = undefined
  }
}

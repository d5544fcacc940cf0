// Whether a new member is ready: it says under its key that it holds the state of a checkpoint that a quorum signed.

import {
  type AdmittedKey,
  bytesKey,
  equalBytes,
  fromUtf8,
  type SignatureVerifier,
  verifyStableCheckpoint,
} from '../../../crypto/index.ts'
import { joinBytes } from '../../../keys/charter/index.ts'
import type { NewMember } from './command.ts'
import type { MembershipRecords } from './records.ts'

interface Held {
  readonly slot: number
  /** As it is signed for. */
  readonly text: string
}

/** Judges those who join with one change; a checkpoint that several of them hold is verified once. */
export class Joiners {
  private readonly records: MembershipRecords
  private readonly verifier: SignatureVerifier
  private readonly held = new Map<string, Held | undefined>()

  constructor(records: MembershipRecords, verifier: SignatureVerifier) {
    this.records = records
    this.verifier = verifier
  }

  /** The slot whose state the member holds; undefined where it did not show that. */
  heldBy({ held, joined }: NewMember, consensusKey: AdmittedKey): number | undefined {
    const name = bytesKey(held)
    if (!this.held.has(name)) this.held.set(name, this.checkpoint(held))
    const checkpoint = this.held.get(name)
    if (checkpoint === undefined) return undefined
    const { clusterId } = this.records.cluster
    const base = { clusterId, membership: this.records.office.membership.digest }
    const message = joinBytes(consensusKey, base, checkpoint.text)
    return this.verifier.verify(consensusKey, message, joined) ? checkpoint.slot : undefined
  }

  /**
   * Of the epoch in office; or the hand-over that began it, or the genesis: in a young epoch that is idle there is no other, and
   * nobody could be replaced there.
   */
  private checkpoint(note: Uint8Array): Held | undefined {
    const { office, previous, cluster } = this.records
    if (note.length === 0) return office.charter.epoch === 0 ? { slot: 0, text: '' } : undefined
    const text = textOf(note)
    const own = verifyStableCheckpoint(note, office.membership, cluster.name, this.verifier)
    if (own.ok) return { slot: own.value.checkpoint.slot, text }
    if (previous === undefined) return undefined
    const before = verifyStableCheckpoint(note, previous.membership, cluster.name, this.verifier)
    if (!before.ok) return undefined
    const { slot, next } = before.value.checkpoint
    const began = next !== undefined && equalBytes(next, office.membership.digest)
    return began && slot === office.charter.start ? { slot, text } : undefined
  }
}

/** What is signed in a note: all up to its blank line. */
function textOf(note: Uint8Array): string {
  const whole = fromUtf8(note) ?? ''
  return whole.slice(0, whole.lastIndexOf('\n\n') + 1)
}

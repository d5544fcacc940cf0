// Witnesses: how often a run came to the places where protocols break. A set of runs that never gets to one of them proves
// nothing about it, so the counts are shown, and tests hold the profiles to them.

import { hex } from '../../crypto/index.ts'
import {
  BULK_SHARE,
  commandBytes,
  type DurableRecord,
  type Effect,
  type HandOver,
  type Input,
  type Message,
  type MessageFault,
  type NewView,
  type StableCheckpoint,
} from '../consensus/index.ts'
import { decodeResultRecord, type EntryResults } from '../machine/index.ts'
import type { Operation } from './history.ts'
import type { PowerCut } from './kernel/index.ts'
import type { Observer, ReplicaView } from './observer.ts'

export const WITNESSES = [
  'view changed',
  'leader given up as gone',
  'leader given up as hesitant',
  'two failed views in a row',
  'prepared value proposed again',
  'certificates of two views disagree',
  'gap filled with a no-op',
  'clock entry',
  'batch full of bytes',
  'late decision of an old view',
  'decision pulled from a peer',
  'body fetched',
  'checkpoint stable',
  'snapshot installed',
  'snapshot installed during a view change',
  'leader rotated',
  'power cut lost writes',
  'power cut kept unconfirmed writes',
  'restart with votes',
  'request ordered again',
  'number used twice by a client',
  'read beside the log',
  'lie proved',
  'bad message refused',
  'epoch begun',
  'mode changed',
  'hand-over during a view change',
  'end agreed with slots in flight',
  'epoch begun by a snapshot',
  'epoch left behind',
  'leap over two epochs',
  'key erased',
  'frame of the next epoch kept',
  'frame of another epoch dropped',
  'statement past the end ignored',
  'statement past the end proved',
  'false chain refused',
] as const
export type Witness = (typeof WITNESSES)[number]

export class Witnesses implements Observer {
  private readonly crashModes = new Map<number, boolean>()
  /** Of the first epoch. */
  private readonly crashMode: boolean
  private readonly maxBatchBytes: number

  constructor(crashMode = false, maxBatchBytes = Number.POSITIVE_INFINITY) {
    this.crashMode = crashMode
    this.maxBatchBytes = maxBatchBytes
  }

  readonly counts = new Map<Witness, number>()
  private readonly failedInARow = new Map<number, number>()
  private readonly lastInput = new Map<number, Input>()
  private readonly executedSlots = new Set<number>()
  /** By address: whether it has left a view and is in no other. */
  private readonly changing = new Map<number, boolean>()
  /** By address: the last end that it knew of. */
  private readonly ends = new Map<number, number>()

  input(replica: ReplicaView, input: Input): void {
    this.lastInput.set(replica.address, input)
    if (input.kind === 'message' && input.message.kind === 'bodies') this.see('body fetched')
    if (input.kind === 'executed' && input.succession !== undefined) this.end(replica, input.succession.lastSlot)
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest) return
    if (effect.kind === 'evidence') this.see('lie proved')
    if (effect.kind === 'evidence' && effect.evidence.kind === 'past-the-end') this.see('statement past the end proved')
    if (effect.kind === 'hand-over') this.handOver(replica, effect.handOver)
    if (effect.kind === 'stabilize') this.see('checkpoint stable')
    if (effect.kind === 'view') this.view(replica, effect)
    if (effect.kind === 'execute') this.execute(effect)
    if (effect.kind === 'persist') for (const record of effect.records) this.record(replica, record)
  }

  executed(replica: ReplicaView, slot: number, { records }: EntryResults): void {
    // Once a slot: all honest replicas have the same records (I6).
    if (!replica.honest || this.executedSlots.has(slot)) return
    this.executedSlots.add(slot)
    for (const bytes of records) {
      const record = decodeResultRecord(bytes)
      if (record?.outcome === 'conflict') this.see('number used twice by a client')
      else if (record !== undefined && record.slot !== 0 && record.slot < slot) this.see('request ordered again')
    }
  }

  installed(replica: ReplicaView, { signatures }: StableCheckpoint): void {
    this.see('snapshot installed')
    if (signatures.length === 0) this.see('epoch begun by a snapshot')
    if (replica.status()?.phase === 'changing') this.see('snapshot installed during a view change')
  }

  started(_replica: ReplicaView, records: readonly DurableRecord[]): void {
    if (records.some(({ kind }) => kind === 'vote')) this.see('restart with votes')
  }

  stopped(_replica: ReplicaView, { lost, kept }: PowerCut): void {
    if (lost > 0) this.see('power cut lost writes')
    if (kept > 0) this.see('power cut kept unconfirmed writes')
  }

  returned({ asOf }: Operation): void {
    if (asOf !== undefined) this.see('read beside the log')
  }

  refused(_replica: ReplicaView, _from: number, fault: MessageFault): void {
    if (fault.class === 'blame') this.see('bad message refused')
  }

  ignored(replica: ReplicaView, message: Message): void {
    if (message.kind !== 'vote' && message.kind !== 'propose') return
    const lastSlot = replica.honest ? replica.status()?.lastSlot : undefined
    if (lastSlot !== undefined && message.vote.statement.slot > lastSlot) this.see('statement past the end ignored')
  }

  foreign(_replica: ReplicaView, fate: 'kept' | 'dropped'): void {
    this.see(fate === 'kept' ? 'frame of the next epoch kept' : 'frame of another epoch dropped')
  }

  chainRefused(): void {
    this.see('false chain refused')
  }

  leapt(replica: ReplicaView, epochs: number): void {
    if (replica.honest) this.see(epochs > 1 ? 'leap over two epochs' : 'epoch left behind')
  }

  retired(replica: ReplicaView): void {
    if (replica.honest) this.see('key erased')
  }

  private handOver({ address }: ReplicaView, { charter: { quorum } }: HandOver): void {
    this.see('epoch begun')
    if (this.changing.get(address) === true) this.see('hand-over during a view change')
    const crashMode = quorum.byzantine === 0
    if ((this.crashModes.get(address) ?? this.crashMode) !== crashMode) this.see('mode changed')
    this.crashModes.set(address, crashMode)
    this.changing.set(address, false)
  }

  private end(replica: ReplicaView, lastSlot: number): void {
    if (!replica.honest || this.ends.get(replica.address) === lastSlot) return
    this.ends.set(replica.address, lastSlot)
    const { chosen = 0, executed = 0 } = replica.status() ?? {}
    if (chosen > executed + 1) this.see('end agreed with slots in flight')
  }

  private view({ address }: ReplicaView, { active, reason }: Effect & { readonly kind: 'view' }): void {
    if (reason === 'rotation') this.see('leader rotated')
    if (reason === 'leader-gone') this.see('leader given up as gone')
    if (reason === 'hesitant-leader') this.see('leader given up as hesitant')
    this.changing.set(address, !active)
    const failed = active ? 0 : (this.failedInARow.get(address) ?? 0) + 1
    this.failedInARow.set(address, failed)
    if (failed === 2) this.see('two failed views in a row')
    if (active && reason !== 'start') this.see('view changed')
  }

  private execute({ entry }: Effect & { readonly kind: 'execute' }): void {
    if (entry.header.kind === 'noop') this.see('gap filled with a no-op')
    else if (entry.requests.length === 0) this.see('clock entry')
    else if (commandBytes(entry) >= this.maxBatchBytes * BULK_SHARE) this.see('batch full of bytes')
  }

  private record(replica: ReplicaView, record: DurableRecord): void {
    if (record.kind === 'new-view') {
      const again = record.newView.viewChanges.some(({ prepared }) => prepared.length > 0)
      if (disagree(record.newView)) this.see('certificates of two views disagree')
      if (again && record.newView.proposals.length > 0) this.see('prepared value proposed again')
    }
    if (record.kind !== 'chosen') return
    const current = replica.status()?.view ?? 0
    if (record.certificate.statement.view < current) this.see('late decision of an old view')
    const input = this.lastInput.get(replica.address)
    if (input?.kind === 'message' && input.message.kind === 'entries') this.see('decision pulled from a peer')
  }

  private see(witness: Witness): void {
    this.counts.set(witness, (this.counts.get(witness) ?? 0) + 1)
  }
}

/** The case that the choice of the highest view is for: two replicas report different values as prepared for one slot. */
function disagree({ viewChanges }: NewView): boolean {
  const digests = new Map<number, string>()
  for (const { statement } of viewChanges.flatMap(({ prepared }) => prepared)) {
    const digest = hex(statement.digest)
    if ((digests.get(statement.slot) ?? digest) !== digest) return true
    digests.set(statement.slot, digest)
  }
  return false
}

// Reads of the machine's state that do not go through the log. Nothing here is agreed: whoever asks q replicas, or checks the proof,
// knows what to make of it (docs/reads.md).
//
// A read of the current state is answered once everything is executed that this replica may have helped to decide before it was
// asked (`readIndex`). That is what lets a client rely on q equal answers; without it all q could be of an old state. In crash mode a
// leader with a lease answers alone, once everything is executed that it has proposed (`leaseIndex`).

import { equalBytes, hex, slot } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import type { StableCheckpoint } from '../consensus/index.ts'
import { FIRST_PATH, POSITION_STATE_KEY, type ProvenValue, type ReadResult } from '../machine/index.ts'
import { type Answer, encodeReplicaFrame, type ProvenState, type Question } from '../wire/index.ts'
import type { Core } from './core.ts'
import type { Counters } from './counters.ts'
import { type Drained, FairQueue } from './fair-queue.ts'
import type { LentStates } from './lent-states.ts'
import {
  ANSWER_BYTES,
  READ_MS_BURST,
  READ_MS_PER_SECOND,
  READ_QUEUE_BYTES,
  READ_QUEUES_BYTES,
  READ_STEP_MS,
  READ_TIMEOUTS,
} from './limits.ts'
import type { KeptSnapshot, MachineHost } from './machine-host.ts'
import { WaitingReads } from './waiting-reads.ts'

export interface ReadsOptions {
  readonly core: () => Pick<Core, 'epoch' | 'readIndex' | 'leaseIndex' | 'status'>
  readonly host: Pick<MachineHost, 'read' | 'position' | 'snapshotAt'>
  readonly lent: Pick<LentStates, 'lend'>
  /** The checkpoint as everybody can verify it; see `Epochs.signed`. */
  readonly signed: (checkpoint: StableCheckpoint) => StableCheckpoint
  readonly viewTimeoutMs: () => number
  readonly counters: Counters
  /** Milliseconds that never go back. */
  readonly clock: () => number
}

export type StateQuestion = Extract<Question, { readonly kind: 'read' | 'prove' | 'state' }>

type AskedState = Extract<Question, { readonly kind: 'state' }>

/** A question of one client. */
export interface AskedRead {
  readonly link: ClientLink
  readonly id: number
  readonly question: StateQuestion
  /** What must be executed before it is answered. */
  readonly slot: number
  readonly askedAt: number
  /** Bytes of its commands or keys. */
  readonly bytes: number
  /** Commands answered. */
  answered: number
}

export class Reads {
  private readonly options: ReadsOptions
  private readonly waiting = new WaitingReads()
  private readonly queue = new FairQueue<string, AskedRead>({
    sourceBytes: READ_QUEUE_BYTES,
    totalBytes: READ_QUEUES_BYTES,
    costPerSecond: READ_MS_PER_SECOND,
    costBurst: READ_MS_BURST,
  })
  /** The newest stable checkpoint whose state is here. */
  private proven: StableCheckpoint | undefined

  constructor(options: ReadsOptions) {
    this.options = options
  }

  /** Questions that wait for execution. */
  get held(): number {
    return this.waiting.size
  }

  /** Takes a question; false where there was no room, and it was refused. */
  ask(link: ClientLink, id: number, question: StateQuestion, nowMs: number): boolean {
    const at = this.slotFor(question)
    if (at === undefined) {
      // As cheap as an answer, and no sign of too much to do.
      const { ended } = this.options.core().status()
      refuse({ link, id }, ended ? 'the epoch is over' : 'this replica holds no lease')
      return true
    }
    const bytes = partsOf(question).reduce((sum, part) => sum + part.length, 0)
    return this.put({ link, id, question, slot: at, askedAt: nowMs, bytes, answered: 0 })
  }

  /** What must be executed first; undefined where it is not for us to answer. */
  private slotFor(question: StateQuestion): number | undefined {
    if (question.kind !== 'read') return 0
    return question.lease ? this.options.core().leaseIndex() : this.options.core().readIndex()
  }

  /** Answers what can be answered, until `over`; to be called after execution. */
  flush(nowMs: number, over: () => boolean): Drained {
    if (this.waiting.size > 0) {
      const { ready, late } = this.waiting.take((read) => this.isReady(read), this.expiry(nowMs))
      for (const read of late) refuse(read, 'this replica did not get so far in time')
      for (const read of ready) this.put(read)
    }
    return this.queue.drain(nowMs, over, (_, read) => this.serve(read, nowMs))
  }

  private put(read: AskedRead): boolean {
    const source = hex(read.link.key)
    const taken = this.isReady(read) ? this.queue.push(source, read, read.bytes) : this.waiting.put(source, read)
    if (!taken) {
      this.options.counters.refuse('busy')
      refuse(read, 'too many reads wait already; ask again later')
    }
    return taken
  }

  private isReady({ slot: at, question }: AskedRead): boolean {
    if (question.kind !== 'read') return true
    const { core, host } = this.options
    const { transferring, ended } = core().status()
    return host.position.slot >= at && !transferring && !ended
  }

  private expiry(nowMs: number): number {
    return nowMs - READ_TIMEOUTS * this.options.viewTimeoutMs()
  }

  /** What it has cost, in milliseconds. */
  private serve(read: AskedRead, nowMs: number): number {
    if (read.askedAt < this.expiry(nowMs)) {
      refuse(read, 'this replica has too much to do')
      return 0
    }
    const { clock } = this.options
    const begunAt = clock()
    const { question } = read
    if (question.kind === 'prove') this.prove(read, question.keys)
    else if (question.kind === 'state') this.lend(read, question, nowMs)
    else if (this.isReady(read)) this.answer(read, question.commands, begunAt + READ_STEP_MS)
    const spent = clock() - begunAt
    const over = question.kind !== 'read' || read.answered >= question.commands.length
    // The others of the question wait for their next turn, behind those of other clients.
    if (!over) this.put(read)
    return spent
  }

  private answer(read: AskedRead, commands: readonly Uint8Array[], untilMs: number): void {
    const { core, host, clock } = this.options
    const { link } = read
    let results: ReadResult[] = []
    let bytes = 0
    const send = (last: boolean) => {
      const first = read.answered - results.length
      tell(read, last, { kind: 'read', epoch: core().epoch, slot: slot(host.position.slot), first, results })
      results = []
      bytes = 0
    }
    do {
      const command = commands[read.answered]
      if (command === undefined) break
      const result = host.read(command, link.key)
      if (results.length > 0 && bytes + result.result.length > ANSWER_BYTES) send(false)
      results.push(result)
      bytes += result.result.length
      read.answered++
    } while (clock() < untilMs)
    send(read.answered >= commands.length)
  }

  private prove(read: AskedRead, keys: readonly Uint8Array[]): void {
    tell(read, true, { kind: 'prove', state: this.provenState(keys) })
  }

  private lend(read: AskedRead, { atMost, path }: AskedState, nowMs: number): void {
    if (path.length !== FIRST_PATH.length) return refuse(read, 'no chunk begins there')
    const lent = this.options.lent.lend(atMost, nowMs)
    if (lent === undefined) return tell(read, true, { kind: 'state', part: undefined })
    const { checkpoint, kept } = lent
    const { bytes: chunk } = kept.state.chunk(path)
    tell(read, true, { kind: 'state', part: { checkpoint, frontier: kept.frontier, chunk } })
  }

  private provenState(keys: readonly Uint8Array[]): ProvenState | undefined {
    const { stable } = this.options.core().status()
    if (this.stateOf(stable) !== undefined) this.proven = this.options.signed(stable)
    const checkpoint = this.proven
    const kept = checkpoint && this.stateOf(checkpoint)
    if (checkpoint === undefined || kept === undefined) return undefined
    const { state, frontier } = kept
    const partOf = (key: Uint8Array): ProvenValue => ({ value: state.get(key), proof: state.prove(key) })
    return { checkpoint, frontier, position: partOf(POSITION_STATE_KEY), values: keys.map(partOf) }
  }

  /** The state that the checkpoint signs, where it is here: one that came out otherwise proves nothing. */
  private stateOf({ slot: at, stateRoot }: StableCheckpoint): KeptSnapshot | undefined {
    const kept = at === 0 ? undefined : this.options.host.snapshotAt(at)
    return kept !== undefined && equalBytes(kept.state.root, stateRoot) ? kept : undefined
  }
}

function partsOf(question: StateQuestion): readonly Uint8Array[] {
  if (question.kind === 'state') return [question.path]
  return question.kind === 'read' ? question.commands : question.keys
}

function refuse(read: Pick<AskedRead, 'link' | 'id'>, reason: string): void {
  tell(read, true, { kind: 'refused', reason })
}

/** What the link has no room for is dropped: the client does without this replica, or asks again. */
function tell({ link, id }: Pick<AskedRead, 'link' | 'id'>, last: boolean, answer: Answer): void {
  link.send(encodeReplicaFrame({ kind: 'answer', id, last, answer }))
}

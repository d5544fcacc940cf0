// One replica that hands out its log as a real one does, from slots of a test's making, and may change what it says on its way out.

import {
  appendLeaf,
  EMPTY_FRONTIER,
  epoch,
  type Frontier,
  frontierRoot,
  type PublicKey,
  publicKey,
  replicaIndex,
  sha256,
  signature,
  slot,
  utf8,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import {
  batchEntry,
  checkpointBytes,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
} from '../../src/consensus/index.ts'
import {
  createExecutor,
  type Executor,
  encodeKvCommand,
  type KvCommand,
  kv,
  type StateSnapshot,
  stateGenesis,
} from '../../src/machine/index.ts'
import type { Answer, ArchivedSlot, Question, ReplicaStatus } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { certificateOf } from '../replica/watch-support.ts'
import { ADMIN, FakeCluster } from './fake-cluster.ts'

export const INTERVAL = 4

/** What the replica says in place of the truth. */
export type LogLie = (truth: Answer, question: Question) => Answer

export interface State {
  readonly checkpoint: StableCheckpoint
  readonly frontier: Frontier
  readonly state: StateSnapshot
}

export class LogFake {
  readonly cluster = new FakeCluster({ parameters: { checkpointInterval: INTERVAL, window: 2 } })
  readonly replica = replicaIndex(1)
  readonly log: ArchivedSlot[] = []
  readonly states: State[] = []
  readonly asked: Question[] = []
  lie: LogLie = (truth) => truth
  /** The first slot that it keeps. */
  firstSlot = 1
  private readonly executor: Executor
  private frontier = EMPTY_FRONTIER
  private sequence = 0

  constructor() {
    const { genesis } = this.cluster
    this.executor = createExecutor({ machine: kv, ...stateGenesis(genesis) })
    this.cluster.counters.set(1, (id, question) => {
      this.asked.push(question)
      const answer = this.lie(this.answer(question), question)
      this.cluster.say(1, { kind: 'answer', id, last: true, answer })
    })
  }

  /** Agrees on these in the next slot, `atMs` after the start. */
  agree(atMs: number, commands: readonly KvCommand[], client: PublicKey = signerNamed(ADMIN).publicKey): void {
    const at = slot(this.executor.slot + 1)
    const entry = batchEntry(
      at,
      epoch(0),
      atMs,
      commands.map((command) => this.request(command, client)),
    )
    const { records, root } = this.executor.execute({ slot: at, timestampMs: atMs, requests: entry.requests })
    const certificate = certificateOf(entry, this.cluster.genesis.membership, [0, 1, 2])
    this.log.push({ entry, certificate, receipt: this.cluster.receipt(1, at, root), records })
    this.frontier = appendLeaf(this.frontier, entry.digest)
    if (at % INTERVAL === 0) this.checkpoint(at, this.frontier)
  }

  private request(command: KvCommand, client: PublicKey): SignedRequest {
    const request = { client, sequence: ++this.sequence, command: encodeKvCommand(command) }
    const id = requestId(request)
    return { request, id, proof: { index: 0, count: 1, root: id, path: [], signature: NO_SIGNATURE } }
  }

  private checkpoint(at: number, frontier: Frontier): void {
    const { genesis } = this.cluster
    const state = this.executor.snapshot()
    const content = { slot: slot(at), logRoot: frontierRoot(frontier), stateRoot: state.root, next: undefined }
    const bytes = checkpointBytes(content, genesis.membership, genesis.contents.name)
    const signatures = [0, 1, 2].map((i) => ({
      replica: replicaIndex(i),
      signature: this.cluster.signer(i).sign(bytes),
    }))
    this.states.push({ checkpoint: { ...content, signatures }, frontier, state })
    if (this.states.length > 2) this.states.shift()?.state.close()
  }

  private answer(question: Question): Answer {
    switch (question.kind) {
      case 'status':
        return { kind: 'status', status: this.status() }
      case 'slots': {
        const told = this.log.slice(Math.max(question.from, this.firstSlot) - 1, question.to)
        return { kind: 'slots', slots: told }
      }
      case 'state': {
        const found = this.states.findLast(({ checkpoint }) => checkpoint.slot <= question.atMost)
        if (found === undefined) return { kind: 'state', part: undefined }
        const { checkpoint, frontier, state } = found
        return { kind: 'state', part: { checkpoint, frontier, chunk: state.chunk(question.path).bytes } }
      }
      default:
        throw new Error(`nobody asks for ${question.kind}`)
    }
  }

  private status(): ReplicaStatus {
    const [executed, stable] = [slot(this.log.length), this.states.at(-1)?.checkpoint.slot ?? slot(0)]
    return {
      ...{ replica: this.replica, epoch: epoch(0), view: view(0), leader: replicaIndex(0), active: true, pending: 0 },
      ...{ chosen: executed, executed, stable, stateRoot: ZERO_DIGEST, firstSlot: slot(this.firstSlot) },
      ...{ transferring: false, requests: 0, uptimeMs: 0, connected: [], lies: [], liar: '', alarms: [], version: '0' },
    }
  }
}

const NO_SIGNATURE = signature(new Uint8Array(64))

export const put = (key: string, value: string, lease?: number) =>
  ({ kind: 'put', key: utf8(key), value: utf8(value), previous: false, ...(lease && { lease }) }) as const

export const STRANGER = publicKey(sha256(utf8('nobody')))

/** The lie that changes what is told of a log. */
export function told(change: (slots: readonly ArchivedSlot[]) => readonly ArchivedSlot[]): LogLie {
  return (truth) => (truth.kind === 'slots' ? { ...truth, slots: change(truth.slots) } : truth)
}

/** The lie that changes one slot. */
export function toldOf(which: number, change: (archived: ArchivedSlot) => ArchivedSlot): LogLie {
  return told((slots) => slots.map((each) => (each.entry.header.slot === which ? change(each) : each)))
}

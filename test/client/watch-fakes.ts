// Replicas that serve watches as real ones do, from slots of a test's making; single ones may change what they say on its way out.

import { epoch, fromUtf8, publicKey, replicaIndex, sha256, slot, utf8, view, ZERO_DIGEST } from '../../crypto/index.ts'
import type { Charter } from '../../keys/charter/index.ts'
import type { ClientLink } from '../../net/index.ts'
import type { Watch, WatchEvent } from '../../src/client/index.ts'
import { batchEntry, noopEntry } from '../../src/consensus/index.ts'
import { createExecutor, type Executor, encodeKvCommand, type KvCommand, kv } from '../../src/machine/index.ts'
import { ChangeLog, type ExecutedSlot } from '../../src/replica/change-log.ts'
import { Watches } from '../../src/replica/watches.ts'
import {
  type ClientFrame,
  decodeReplicaFrame,
  type ReplicaStatus,
  type WatchedSlot,
  type WatchUpdate,
} from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { certificateOf } from '../replica/watch-support.ts'
import { bundleOf } from '../wire/arbitraries.ts'
import { ADMIN, FakeCluster, type FakeClusterOptions } from './fake-cluster.ts'

/** What a replica says in place of the truth; undefined: nothing. */
export type WatchLie = (truth: WatchUpdate) => WatchUpdate | undefined

interface FakeReplica {
  readonly log: ChangeLog
  readonly watches: Watches
  readonly link: ClientLink
}

export class WatchFakes {
  readonly cluster: FakeCluster
  readonly lies = new Map<number, WatchLie>()
  /** These execute nothing for now. */
  readonly lagging = new Set<number>()
  readonly replicas: readonly FakeReplica[]
  private readonly executor: Executor
  private readonly done: ExecutedSlot[] = []
  private handled = 0
  private nowMs = 0

  /** With `newcomers` that become members later, under the next key numbers. */
  constructor({ newcomers = 0, ...options }: FakeClusterOptions & { readonly newcomers?: number } = {}) {
    this.cluster = new FakeCluster(options)
    const client = publicKey(sha256(utf8('client 1')))
    this.executor = createExecutor({ machine: kv, track: true, clients: [{ key: client, role: 'writer' }] })
    const count = this.cluster.members.length + newcomers
    this.replicas = Array.from({ length: count }, (_, index) => this.replica(index))
    this.cluster.onSent = () => this.receive()
  }

  /** Executes these in one slot, a request each, and tells it; the slot. */
  execute(...commands: readonly KvCommand[]): number {
    const at = slot(this.executor.slot + 1)
    const requests = bundleOf(commands.map(encodeKvCommand), 1, 100 * at)
    const { charter, membership } = this.cluster.chain.last
    const keyAt = keysOf(charter)
    const entry = batchEntry(at, charter.epoch, 1000 * at, requests)
    const { changes } = this.executor.execute({ slot: at, timestampMs: 1000 * at, requests })
    const certificate = certificateOf(entry, membership, [0, 1, 2], keyAt)
    this.done.push({ entry, certificate, timestampMs: 1000 * at, changes })
    this.tell()
    return at
  }

  /** The members with these keys are in office after the next checkpoint, up to which nothing happens. */
  handOver(keys: readonly number[]): void {
    const { charter, membership } = this.cluster.chain.last
    const keyAt = keysOf(charter)
    this.cluster.handOver(keys)
    while (this.executor.slot < this.cluster.executor.slot) {
      const at = slot(this.executor.slot + 1)
      this.executor.execute({ slot: at, timestampMs: 1000 * at, requests: [] })
      const entry = noopEntry(at, membership.epoch)
      this.done.push({
        ...{
          entry,
          certificate: certificateOf(entry, membership, [0, 1, 2], keyAt),
          timestampMs: 1000 * at,
          changes: [],
        },
      })
    }
    this.tell()
  }

  put(key: string, value: string): number {
    return this.execute({ kind: 'put', key: utf8(key), value: utf8(value), previous: false })
  }

  delete(key: string): number {
    return this.execute({ kind: 'delete', key: utf8(key), previous: false })
  }

  /** Everybody executes what there is, and says how far that is. */
  tell(): void {
    this.nowMs += 1000
    for (const [index, { log, watches }] of this.replicas.entries()) {
      if (!this.lagging.has(index)) for (const each of this.done.slice(log.last)) log.append(each)
      watches.tick(this.nowMs)
      while (watches.flush());
    }
  }

  /** Replicas that serve a watch. */
  serving(): number[] {
    return this.replicas.flatMap(({ watches }, index) => (watches.size > 0 ? [index] : []))
  }

  private replica(index: number): FakeReplica {
    const log = new ChangeLog()
    const watches = new Watches({ log, knows: () => true, within: () => () => false })
    const link: ClientLink = {
      id: index,
      key: signerNamed(ADMIN).publicKey,
      close: () => {},
      send: (bytes) => {
        const frame = decodeReplicaFrame(bytes)
        if (!frame.ok || frame.value.kind !== 'watched') throw new Error('not news of watches')
        const lie = this.lies.get(index) ?? ((truth: WatchUpdate) => truth)
        const updates = frame.value.updates.flatMap((update) => lie(update) ?? [])
        if (updates.length > 0) this.cluster.say(index, { kind: 'watched', updates })
        return true
      },
    }
    return { log, watches, link }
  }

  private receive(): void {
    const frames = this.cluster.sent.slice(this.handled)
    this.handled = this.cluster.sent.length
    for (const { to, frame } of frames) this.take(to, frame)
  }

  private take(to: number, frame: ClientFrame): void {
    const replica = this.replicas[to]
    if (replica === undefined) return
    const { watches, link, log } = replica
    if (frame.kind === 'watch') watches.open(link, frame)
    if (frame.kind === 'credit') watches.credit(link, frame.credits)
    if (frame.kind === 'unwatch') watches.close(link, frame.id)
    if (frame.kind === 'ask' && frame.question.kind === 'status') {
      const answer = { kind: 'status', status: status(to, log.last) } as const
      this.cluster.say(to, { kind: 'answer', id: frame.id, last: true, answer })
    }
    watches.flush()
  }
}

/** The key number at each position. */
function keysOf({ members }: Charter): (position: number) => number {
  return (position) => members[position]?.id ?? position
}

function status(replica: number, executed: number): ReplicaStatus {
  return {
    ...{ replica: replicaIndex(replica), epoch: epoch(0), view: view(0), leader: replicaIndex(0), active: true },
    ...{
      chosen: slot(executed),
      executed: slot(executed),
      stable: slot(0),
      stateRoot: ZERO_DIGEST,
      firstSlot: slot(1),
    },
    ...{ pending: 0, transferring: false, requests: 0, uptimeMs: 0, connected: [], lies: [], liar: '', alarms: [] },
    version: '0',
  }
}

/** The lie that changes each slot with news, or leaves it out. */
export function slots(change: (slot: WatchedSlot) => WatchedSlot | undefined): WatchLie {
  return (truth) =>
    truth.kind === 'batch' ? { ...truth, slots: truth.slots.flatMap((each) => change(each) ?? []) } : truth
}

export function lineOf(event: WatchEvent): string {
  const key = fromUtf8(event.key)
  return event.kind === 'put' ? `${key}=${fromUtf8(event.value)} v${event.version}` : `${key} gone`
}

/** Everything that a watch gives, as it comes, and how it ended. */
export function follow(watch: Watch): {
  readonly lines: string[]
  readonly slots: number[]
  error?: unknown
  done: boolean
} {
  const seen: { lines: string[]; slots: number[]; error?: unknown; done: boolean } = {
    lines: [],
    slots: [],
    done: false,
  }
  void (async () => {
    try {
      for await (const { slot: at, events } of watch) {
        seen.lines.push(...events.map(lineOf))
        seen.slots.push(at)
      }
    } catch (error) {
      seen.error = error
    }
    seen.done = true
  })()
  return seen
}

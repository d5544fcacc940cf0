// One life of a replica: everything between an opened store and a closed one, put together. replica.ts starts and stops it.

import { performance } from 'node:perf_hooks'
import { type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { ReplicaTransport, ReplicaTransportHandlers } from '../../net/index.ts'
import { type CoreConfig, type Effect, init, type VerifyContext } from '../consensus/index.ts'
import { kv } from '../machine/index.ts'
import type { Store } from '../storage/index.ts'
import { encodeTransferFrame, type ReplicaStatus } from '../wire/index.ts'
import { admission, Core } from './core.ts'
import { Counters } from './counters.ts'
import { Door } from './door.ts'
import { Inbound } from './inbound.ts'
import { Journal } from './journal.ts'
import { liesOf } from './liar.ts'
import type { ShellLimits } from './limits.ts'
import { MachineHost } from './machine-host.ts'
import type { MetricsSources } from './metrics.ts'
import { Questions } from './questions.ts'
import { recover } from './recovery.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import { Snapshots } from './snapshots.ts'
import { Alarms, statusOf } from './status.ts'
import { type Notices, Turn } from './turn.ts'
import type { Log, ReplicaOptions } from './types.ts'
import { CachingVerifier } from './verify-cache.ts'

export interface Life {
  readonly turn: Turn
  /** To be carried out first. */
  readonly effects: readonly Effect[]
  readonly handlers: ReplicaTransportHandlers
  readonly writer: SnapshotWriter
  readonly questions: Questions
  readonly counters: Counters
  readonly status: () => ReplicaStatus
  readonly metrics: MetricsSources
}

export interface LifeParts {
  readonly options: ReplicaOptions
  readonly store: Store
  readonly transport: ReplicaTransport
  readonly log: Log
  readonly limits: ShellLimits
  readonly fatal: (error: unknown) => void
  readonly signal?: AbortSignal | undefined
}

/** Reads the store and builds what was there. @throws {StoreError} where the replica must stay out. */
export async function bringToLife(parts: LifeParts): Promise<Life> {
  const { options, store, transport, log, limits, fatal, signal } = parts
  const { genesis, keys, machine = kv } = options
  const { membership, parameters } = genesis
  const self = keys.index
  const startedMs = performance.now()
  const host = new MachineHost({ machine, clients: genesis.clients, checkpointInterval: parameters.checkpointInterval })
  const genesisStateRoot = host.stateRoot()
  const verifier = new CachingVerifier(nativeVerifier)
  const context: VerifyContext = {
    membership,
    clusterName: genesis.contents.name,
    parameters,
    genesisStateRoot,
    verifier,
    admit: admission(genesis.clients.map(({ key }) => key)),
  }
  const recovered = await recover({ path: options.data, recovered: store.recovered, context, host, log, signal })
  const config: CoreConfig = {
    self,
    membership,
    clusterName: genesis.contents.name,
    parameters,
    signer: keys.consensus,
    genesisStateRoot,
    mutations: new Set(),
  }
  const { state, effects } = init(config, recovered.records, host.position)
  const core = new Core(state, context)
  const peers = genesis.members.map((_, i) => replicaIndex(i)).filter((each) => each !== self)
  const counters = new Counters()
  const alarms = new Alarms()
  for (const text of recovered.alarms) alarms.raise(text)
  const lies = options.liar && liesOf(options.liar, genesis, keys)
  const journal = new Journal({
    store,
    kept: recovered.kept,
    bytes: recovered.journalBytes,
    onDurable: (number) => turn.put({ kind: 'durable', number }),
  })
  const status = () =>
    statusOf({
      self,
      peers,
      core,
      host,
      store,
      transport,
      kept: recovered.kept,
      alarms,
      liar: lies?.name ?? '',
      startedMs,
    })
  const questions = new Questions({ store, epoch: membership.epoch, kept: recovered.kept, status })
  const door = new Door({
    core,
    host,
    verifier,
    counters,
    deliver: (requests) => turn.step({ kind: 'requests', requests }),
    ask: (link, id, question) => questions.ask(link, id, question),
  })
  const inbound = new Inbound({
    core,
    verifier,
    counters,
    admissible: (message) => door.admissible(message),
    deliver: (from, message) => turn.step({ kind: 'message', from, message }),
  })
  const snapshots = new Snapshots({
    self,
    replicas: genesis.members.length,
    host,
    viewTimeoutMs: parameters.viewTimeoutMs,
    counters,
    lie: lies?.chunk,
    awaits: (checkpoint) => core.awaits(checkpoint),
    installed: (checkpoint, { frontier, timestampMs }) =>
      turn.step({ kind: 'installed', checkpoint, frontier, timestampMs }),
    send: (to, frame) => {
      if (!transport.send(to, 'transfer', encodeTransferFrame(frame))) counters.unsent++
    },
  })
  const writer = new SnapshotWriter({
    store,
    limits,
    stored: recovered.snapshot,
    journalBytes: () => journal.bytes,
    released: (kept) => {
      // The machine may have moved to another state meanwhile, and left this one to its reader.
      if (host.snapshotAt(kept.slot) === kept) snapshots.release()
      else kept.state.close()
    },
    onFailure: fatal,
  })
  const stable = recovered.stable
  snapshots.attach(writer, stable?.slot ?? 0)
  const turn: Turn = new Turn({
    ...{ self, peers, core, inbound, door, journal, host, snapshots, transport, counters, lies },
    notices: noticesOf(log, alarms, fatal),
  })
  return {
    turn,
    effects,
    handlers: handlersOf({ turn, inbound, door, snapshots, questions, host, clients: genesis.clients, log }),
    writer,
    questions,
    counters,
    status,
    metrics: {
      ...{ status, counters, verifier, store, transport },
      snapshotsWritten: () => writer.written,
      clients: () => door.clients,
      dropped: () => inbound.dropped + door.dropped + snapshots.dropped,
      illness: () => alarms.texts.at(-1),
    },
  }
}

function handlersOf(parts: {
  readonly turn: Turn
  readonly inbound: Inbound
  readonly door: Door
  readonly snapshots: Snapshots
  readonly questions: Questions
  readonly host: MachineHost
  readonly clients: ReplicaOptions['genesis']['clients']
  readonly log: Log
}): ReplicaTransportHandlers {
  const { turn, inbound, door, snapshots, questions, host, log } = parts
  return {
    peerFrame(from: ReplicaIndex, channel, frame) {
      if (channel === 'consensus') inbound.push(from, frame)
      else snapshots.push(from, frame)
      turn.wake()
    },
    peerUp: (peer) => log.debug({ peer }, 'connected to a member'),
    peerDown: (peer) => log.debug({ peer }, 'lost a member'),
    clientFrame(link, frame) {
      door.push(link, frame)
      turn.wake()
    },
    clientUp: (link) => door.up(link),
    clientDown(link) {
      door.down(link)
      questions.down(link)
    },
    // Those of the genesis are let in from the start: a replica that lags may not have executed anything yet.
    isClient: (key) => host.knows(key) || parts.clients.some((each) => Buffer.compare(each.key, key) === 0),
  }
}

function noticesOf(log: Log, alarms: Alarms, fatal: (error: unknown) => void): Notices {
  return {
    alarm(code, slot) {
      alarms.raise(`${code}: at slot ${slot}`)
      log.error({ code, slot }, 'alarm: the state of this replica is wrong')
    },
    evidence: ({ accused, kind }) => log.warn({ accused, kind }, 'a replica lied, and this proves it'),
    view: ({ view, active, reason }) => log.info({ view, active, reason }, active ? 'in a view' : 'changing the view'),
    transfer: (slot, reason) => log.info({ slot, reason }, 'fetching the state from peers'),
    fatal,
  }
}

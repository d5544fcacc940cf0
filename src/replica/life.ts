// One life of a replica: everything between an opened store and a closed one, put together. replica.ts starts and stops it.

import { performance } from 'node:perf_hooks'
import { equalBytes } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { ReplicaTransport, ReplicaTransportHandlers } from '../../net/index.ts'
import type { Effect, Input } from '../consensus/index.ts'
import { kv } from '../machine/index.ts'
import { type Store, StoreError } from '../storage/index.ts'
import { encodeTransferFrame, type ReplicaStatus } from '../wire/index.ts'
import { admission } from './core.ts'
import { Counters } from './counters.ts'
import { Door } from './door.ts'
import { Epochs } from './epochs.ts'
import { Inbound } from './inbound.ts'
import { Journal } from './journal.ts'
import { LentStates } from './lent-states.ts'
import type { ShellLimits } from './limits.ts'
import { MachineHost } from './machine-host.ts'
import type { MetricsSources } from './metrics.ts'
import { Questions } from './questions.ts'
import { Reads, type ReadsOptions } from './reads.ts'
import { type RecoveredReplica, recover } from './recovery.ts'
import { beginReign, type Reign } from './reign.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import { Snapshots } from './snapshots.ts'
import { Alarms, statusOf } from './status.ts'
import { type Notices, Turn, within } from './turn.ts'
import type { Log, ReplicaOptions } from './types.ts'
import { CachingVerifier } from './verify-cache.ts'
import { Watches } from './watches.ts'

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

/** What the parts of a life have in common. */
interface Common extends LifeParts {
  readonly epochs: Epochs
  /** In the epoch that this replica is in now. */
  readonly reign: () => Reign
  readonly host: MachineHost
  readonly verifier: CachingVerifier
  readonly counters: Counters
  readonly alarms: Alarms
  readonly recovered: RecoveredReplica
  /** Within a turn. */
  readonly step: (input: Input) => void
  readonly durable: (number: number) => void
}

/** Reads the store and builds what was there. @throws {StoreError} where the replica must stay out. */
export async function bringToLife(parts: LifeParts): Promise<Life> {
  const { options, store, transport, log, limits, fatal, signal } = parts
  const { genesis, keys, machine = kv } = options
  const startedMs = performance.now()
  const host = new MachineHost({
    ...{ machine, genesis },
    changes: { bytes: limits.changeBytes, slots: limits.changeSlots },
  })
  const verifier = new CachingVerifier(nativeVerifier)
  const admit = admission(genesis.clients.map(({ key }) => key))
  const epochs = new Epochs({ genesis, verifier, admit, stateRoot: host.stateRoot(), signers: [keys.consensus] })
  const recovered = await recover({ path: options.data, recovered: store.recovered, epochs, host, log, signal })
  const place = epochs.lastPlace()
  if (place === undefined) throw strange(options)
  const counters = new Counters()
  const start = { records: recovered.records, machine: host.position }
  const { reign, effects } = beginReign(place, start, { counters, liar: options.liar })
  const common: Common = {
    ...parts,
    ...{ epochs, host, verifier, recovered },
    reign: () => reign,
    counters,
    alarms: new Alarms(recovered.alarms),
    step: (input) => turn.step(input),
    durable: (number) => turn.durable(number),
  }
  const { alarms } = common
  const status = () => statusOf({ ...{ reign, host, store, transport, alarms, startedMs }, kept: recovered.kept })
  const { journal, writer, snapshots, lent } = keepingOf(common)
  const { questions, reads, watches, door, inbound } = entranceOf(common, status, lent)
  const notices = noticesOf(log, alarms, fatal)
  const turn: Turn = new Turn({ ...common, journal, snapshots, door, inbound, reads, watches, notices })
  return {
    ...{ turn, effects, writer, questions, counters, status },
    handlers: handlersOf(common, { turn, inbound, door, snapshots, questions, watches }),
    metrics: {
      ...{ status, counters, verifier, store, transport },
      snapshotsWritten: () => writer.written,
      clients: () => door.clients,
      dropped: () => inbound.dropped + door.dropped + snapshots.dropped,
      illness: () => alarms.texts.at(-1),
    },
  }
}

function strange({ data, keys }: ReplicaOptions): StoreError {
  const what = `replica ${keys.index} is a member in no epoch that ${data} knows of`
  return new StoreError('foreign', `${what}; is its consensus key the one that the cluster has taken?`)
}

/** What is kept: on disk, and as states of checkpoints. */
function keepingOf(common: Common) {
  const { store, transport, limits, fatal, epochs, reign, host, counters, recovered, step, durable } = common
  const journal = new Journal({
    store,
    kept: recovered.kept,
    bytes: recovered.journalBytes,
    onDurable: durable,
  })
  const lent = new LentStates(host)
  const snapshots = new Snapshots({
    ...{ host, counters, lent, reign },
    signed: (checkpoint) => epochs.signed(checkpoint),
    installed: (checkpoint, { frontier, timestampMs }) =>
      step({ kind: 'installed', checkpoint, frontier, timestampMs, ...host.outlook }),
    send(to, frame) {
      if (!transport.send(to, 'transfer', encodeTransferFrame(frame))) counters.unsent++
    },
  })
  const writer = new SnapshotWriter({
    ...{ store, limits },
    stored: recovered.snapshot,
    journalBytes: () => journal.bytes,
    released(kept) {
      // The machine may have moved to another state meanwhile, and left this one to its reader.
      if (host.snapshotAt(kept.slot) === kept) snapshots.release()
      else kept.state.close()
    },
    onFailure: fatal,
  })
  snapshots.attach(writer, recovered.stable)
  return { journal, writer, snapshots, lent }
}

/** Where peers and clients are let in. */
function entranceOf(common: Common, status: () => ReplicaStatus, lent: LentStates) {
  const { store, epochs, reign, host, verifier, counters, recovered, step } = common
  const clock = () => performance.now()
  const readsOptions: ReadsOptions = {
    ...{ host, lent, counters, clock },
    core: () => reign().core,
    viewTimeoutMs: () => reign().core.parameters.viewTimeoutMs,
  }
  const reads = new Reads(readsOptions)
  const questions = new Questions({ store, links: () => epochs.chain.links, kept: recovered.kept, status })
  const watches = new Watches({ log: host.changes, knows: (client) => host.knows(client), within })
  const door = new Door({
    ...{ host, verifier, counters, watches },
    core: () => reign().core,
    deliver: (requests) => step({ kind: 'requests', requests }),
    ask(link, id, question) {
      // Reads are metered by what they take, where they are answered.
      if (question.kind === 'read' || question.kind === 'prove' || question.kind === 'state') {
        return reads.ask(link, id, question, clock()) ? 0 : 1
      }
      questions.ask(link, id, question)
      return 1
    },
  })
  const inbound = new Inbound({
    ...{ verifier, counters },
    core: () => reign().core,
    admissible: (message) => door.admissible(message),
    deliver: (from, message) => step({ kind: 'message', from, message }),
  })
  return { questions, reads, watches, door, inbound }
}

interface Receivers {
  readonly turn: Turn
  readonly inbound: Inbound
  readonly door: Door
  readonly snapshots: Snapshots
  readonly questions: Questions
  readonly watches: Watches
}

function handlersOf({ host, log, options }: Common, receivers: Receivers): ReplicaTransportHandlers {
  const { turn, inbound, door, snapshots, questions, watches } = receivers
  const { clients } = options.genesis
  return {
    peerFrame(from, channel, frame) {
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
      watches.down(link)
    },
    // Those of the genesis are let in from the start: a replica that lags may not have executed anything yet.
    isClient: (key) => host.knows(key) || clients.some((each) => equalBytes(each.key, key)),
    // The members are those of the genesis, all the time: nobody was one and is not.
    isFormer: () => false,
    formerFrame: () => undefined,
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

// One life of a replica: everything between an opened store and a closed one, put together. replica.ts starts and stops it.

import { performance } from 'node:perf_hooks'
import { equalBytes, type ReplicaIndex, type Signer, type Verified } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { ReplicaTransport, ReplicaTransportHandlers } from '../../net/index.ts'
import type { Effect, EpochChain, Input, Message, ProtocolParameters, StableCheckpoint } from '../consensus/index.ts'
import { kv } from '../machine/index.ts'
import { type Store, StoreError } from '../storage/index.ts'
import { encodeTransferFrame, frameHead, type ReplicaStatus } from '../wire/index.ts'
import { admission } from './core.ts'
import { Counters } from './counters.ts'
import { Door } from './door.ts'
import { Epochs, type Place, type Seat } from './epochs.ts'
import { Following } from './following.ts'
import { Inbound } from './inbound.ts'
import { Journal } from './journal.ts'
import { Keyring } from './keyring.ts'
import { LentStates } from './lent-states.ts'
import type { ShellLimits } from './limits.ts'
import { MachineHost } from './machine-host.ts'
import type { MetricsSources } from './metrics.ts'
import { Network } from './network.ts'
import { type Notices, noticesOf } from './notices.ts'
import { Questions } from './questions.ts'
import { Reads, type ReadsOptions } from './reads.ts'
import { type RecoveredReplica, recover } from './recovery.ts'
import { beginReign, type Reign, type ReignStart, Reigns } from './reign.ts'
import { type Retired, Retirement } from './retirement.ts'
import { SnapshotWriter } from './snapshot-writer.ts'
import { Snapshots } from './snapshots.ts'
import { StartCheck } from './start-check.ts'
import { Alarms, statusOf } from './status.ts'
import { Succession } from './succession.ts'
import { Turn, within } from './turn.ts'
import type { Log, ReplicaOptions } from './types.ts'
import { CachingVerifier } from './verify-cache.ts'
import { Watches } from './watches.ts'

export interface Life {
  readonly turn: Turn
  /** To be passed before anything else is done. */
  readonly startCheck: StartCheck
  /** To be carried out first. */
  readonly effects: readonly Effect[]
  readonly handlers: ReplicaTransportHandlers
  readonly writer: SnapshotWriter
  readonly questions: Questions
  readonly counters: Counters
  readonly status: () => ReplicaStatus
  /** Of the epoch that it is in. */
  readonly parameters: () => ProtocolParameters
  readonly metrics: MetricsSources
}

export interface LifeParts {
  readonly options: ReplicaOptions
  readonly store: Store
  readonly transport: ReplicaTransport
  readonly log: Log
  readonly limits: ShellLimits
  readonly fatal: (error: unknown) => void
  /** It has been removed from the cluster, and may stop. */
  readonly retire: (retired: Retired) => void
  readonly signal?: AbortSignal | undefined
}

/** What the parts of a life have in common. */
interface Common extends LifeParts {
  readonly epochs: Epochs
  readonly reigns: Reigns
  readonly network: Network
  readonly startCheck: StartCheck
  readonly retirement: Retirement
  readonly host: MachineHost
  readonly verifier: CachingVerifier
  readonly counters: Counters
  readonly alarms: Alarms
  readonly recovered: RecoveredReplica
  /** Within a turn. */
  readonly step: (reign: Reign, input: Input) => void
}

/** Reads the store and builds what was there. @throws {StoreError} where the replica must stay out. */
export async function bringToLife(parts: LifeParts): Promise<Life> {
  const { options, store, transport, log, limits, fatal, signal } = parts
  const { genesis, keys, machine = kv } = options
  const transportKey = keys.transport.publicKey
  const startedMs = performance.now()
  const host = new MachineHost({
    ...{ machine, genesis },
    changes: { bytes: limits.changeBytes, slots: limits.changeSlots },
  })
  const verifier = new CachingVerifier(nativeVerifier)
  const admit = admission(genesis.clients.map(({ key }) => key))
  const epochs = new Epochs({ genesis, verifier, admit, stateRoot: host.stateRoot(), transportKey })
  const recovered = await recover({ path: options.data, recovered: store.recovered, epochs, host, log, signal })
  const seat = epochs.lastSeat()
  if (seat === undefined) throw strange(options)
  const keyring = new Keyring(keys, store)
  const signer = seat.epoch === epochs.chain.last ? await settled(keyring, seat, options) : keyring.current
  const counters = new Counters()
  const begin = (to: Place, from: ReignStart) => beginReign(to, from, { counters, liar: options.liar })
  const { reign, effects } = begin({ ...seat, signer }, { records: recovered.records, machine: host.position })
  const reigns = new Reigns(reign)
  const name = `replica ${keys.index}`
  const retirement = new Retirement({
    ...{ name, epochs, host, keyring, fatal, log },
    retire: parts.retire,
    ask: (members, nowMs) => following.ask(members, nowMs),
  })
  const network = new Network({ transport, genesis, reigns, epochs, host, retirement })
  const startCheck = new StartCheck({
    ...{ reigns, epochs, network, counters, store, records: recovered.records, path: options.data },
    lies: options.liar !== undefined,
    clock: () => performance.now(),
  })
  const common: Common = {
    ...parts,
    ...{ epochs, reigns, network, startCheck, retirement, host, verifier, recovered, counters },
    alarms: new Alarms(recovered.alarms),
    step: (of, input) => turn.step(of, input),
  }
  const { alarms } = common
  const status = () => statusOf({ ...{ reigns, host, store, network, alarms, startedMs }, kept: recovered.kept })
  const notices = noticesOf(log, alarms, fatal)
  const { journal, writer, snapshots, lent } = keepingOf(common)
  const { questions, reads, watches, door, inbound, following } = entranceOf(common, status, {
    ...{ lent, journal, notices },
    follow: (chain) => succession.follow(chain),
  })
  const succession: Succession = new Succession({
    ...{ ...common, keyring, journal, snapshots, inbound, notices, begin, next: following.next },
    turn: () => turn,
  })
  const turn: Turn = new Turn({ ...common, journal, snapshots, door, inbound, reads, watches, notices, succession })
  return {
    ...{ startCheck, turn, effects, writer, questions, counters, status },
    parameters: () => reigns.current.core.parameters,
    handlers: handlersOf(common, { turn, inbound, door, snapshots, questions, watches, following }),
    metrics: {
      ...{ status, counters, verifier, store, transport },
      snapshotsWritten: () => writer.written,
      clients: () => door.clients,
      dropped: () => inbound.dropped + door.dropped + snapshots.dropped,
      illness: () => alarms.texts.at(-1),
    },
  }
}

/** The key of this seat; what a crash kept from being done for it is done now. @throws {StoreError} where it is not here. */
async function settled(keyring: Keyring, { key, epoch }: Seat, { keys }: ReplicaOptions): Promise<Signer> {
  if (keys.isErased) {
    const what = `replica ${keys.index} is a member in epoch ${epoch.charter.epoch}, and its consensus key is gone`
    throw new StoreError('foreign', `${what}: put consensus.pem back, or another replica in its place`)
  }
  try {
    return keyring.find(key) ?? (await keyring.replace(key))
  } catch (error) {
    throw new StoreError('foreign', error instanceof Error ? error.message : String(error))
  }
}

function strange({ data, keys }: ReplicaOptions): StoreError {
  const what = `replica ${keys.index} is a member in no epoch that ${data} knows of`
  return new StoreError('foreign', `${what}; is its transport key the one that the cluster has taken?`)
}

/** What is kept: on disk, and as states of checkpoints. */
function keepingOf(common: Common) {
  const { store, limits, fatal, epochs, reigns, network, host, counters, recovered, step } = common
  const signed = (checkpoint: StableCheckpoint) => epochs.signed(checkpoint)
  const journal = new Journal({
    store,
    kept: recovered.kept,
    bytes: recovered.journalBytes,
    signed,
  })
  const lent = new LentStates(host)
  const snapshots = new Snapshots({
    ...{ host, counters, lent, reigns, signed },
    installed(checkpoint, { frontier, timestampMs }) {
      step(reigns.current, { kind: 'installed', checkpoint, frontier, timestampMs, ...host.outlook })
      network.refresh()
    },
    others: () => network.everybody.filter((each) => each !== reigns.current.seats[reigns.current.self]),
    send(to, frame) {
      if (!network.send(to, 'transfer', encodeTransferFrame(frame))) counters.unsent++
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

/** What those who are let in may set off. */
interface Within {
  readonly lent: LentStates
  readonly journal: Journal
  readonly notices: Notices
  readonly follow: (chain: EpochChain) => void
}

/** Where peers and clients are let in. */
function entranceOf(common: Common, status: () => ReplicaStatus, { lent, journal, notices, follow }: Within) {
  const { store, epochs, reigns, network, startCheck, retirement, host, verifier, counters, recovered, step } = common
  const clock = () => performance.now()
  const readsOptions: ReadsOptions = {
    ...{ host, lent, counters, clock },
    signed: (checkpoint) => epochs.signed(checkpoint),
    core: () => reigns.current.core,
    viewTimeoutMs: () => reigns.current.core.parameters.viewTimeoutMs,
  }
  const reads = new Reads(readsOptions)
  const linksTold = () => reigns.current.lies?.chain?.(epochs.chain.links) ?? epochs.chain.links
  const questions = new Questions({ store, links: linksTold, kept: recovered.kept, status })
  const watches = new Watches({ log: host.changes, knows: (client) => host.knows(client), within })
  const door = new Door({
    ...{ host, verifier, counters, watches },
    core: () => reigns.current.core,
    deliver: (requests) => step(reigns.current, { kind: 'requests', requests }),
    ask(link, id, question) {
      // Reads are metered by what they take, where they are answered.
      if (question.kind === 'read' || question.kind === 'prove' || question.kind === 'state') {
        return reads.ask(link, id, question, clock()) ? 0 : 1
      }
      questions.ask(link, id, question)
      return 1
    },
  })
  const deliver = (reign: Reign, from: ReplicaIndex, message: Verified<Message>) =>
    step(reign, { kind: 'message', from, message })
  const following = new Following({
    ...{ epochs, reigns, retirement, verifier, counters, deliver, follow },
    send(to, frame) {
      if (!network.send(to, 'consensus', frame)) counters.unsent++
    },
    evidence(evidence) {
      if (journal.holds(evidence)) return false
      journal.add([{ kind: 'evidence', evidence }], () => {})
      notices.evidence(evidence)
      return true
    },
  })
  const inbound = new Inbound({
    ...{ reigns, verifier, counters, deliver, following, startCheck, clock },
    admissible: (message) => door.admissible(message),
  })
  return { questions, reads, watches, door, inbound, following }
}

interface Receivers {
  readonly turn: Turn
  readonly inbound: Inbound
  readonly door: Door
  readonly snapshots: Snapshots
  readonly questions: Questions
  readonly watches: Watches
  readonly following: Following
}

function handlersOf(
  { host, log, options, epochs, network, startCheck }: Common,
  receivers: Receivers,
): ReplicaTransportHandlers {
  const { turn, inbound, door, snapshots, questions, watches, following } = receivers
  const { clients } = options.genesis
  return {
    peerFrame(from, channel, frame) {
      const peer = network.at(from)
      if (peer === undefined) return
      if (channel === 'consensus') {
        if (startCheck.hear(peer, frame)) return
        inbound.push(peer, frame)
      } else snapshots.push(peer, frame)
      turn.wake()
    },
    peerUp(peer) {
      log.debug({ peer }, 'connected to a member')
      const name = network.at(peer)
      if (name === undefined) return
      startCheck.peerUp(name)
      turn.link(name, true)
    },
    peerDown(peer) {
      log.debug({ peer }, 'lost a member')
      const name = network.at(peer)
      if (name !== undefined) turn.link(name, false)
    },
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
    isFormer: (key) => epochs.wasMember(key),
    formerFrame(link, frame) {
      const head = frameHead(frame)
      const chain = head && following.chainFrame(head.epoch)
      if (chain !== undefined) link.send(chain)
    },
  }
}

// One run of one scenario, from the first event to the verdict. Two phases: first everything may fail as the scenario says, and
// only safety is asked for; then the network heals, a core that holds a quorum stays, and all that is pending has to finish.

import type { ReplicaIndex } from '../../crypto/index.ts'
import { parseBehaviour } from '../byzantine/index.ts'
import type { HandOver, StableCheckpoint } from '../consensus/index.ts'
import { Admin } from './admin.ts'
import { identitiesIn } from './cast.ts'
import { Channels } from './channels.ts'
import { SimulatedClient } from './client.ts'
import { type CoreFactory, type Defect, realCore } from './core.ts'
import { Epochs } from './epochs.ts'
import { FaultEngine } from './faults.ts'
import { type Group, groupOf } from './group.ts'
import { EventQueue, Network, type NetworkCounts, Random, TraceHash } from './kernel/index.ts'
import { LivenessWatch } from './liveness.ts'
import { type Announce, announcer, type Observer, Violation } from './observer.ts'
import type { Packet } from './packets.ts'
import { SimulatedReplica } from './replica.ts'
import type { Scenario } from './scenario.ts'
import { type SignatureSuite, simulatedSuite } from './signatures.ts'
import { Verdicts } from './verdicts.ts'
import { FIRST_CLIENT_ADDRESS, type World } from './world.ts'

export interface SimulationOptions {
  readonly suite?: SignatureSuite
  readonly coreFactory?: CoreFactory
  /** Checkers, witnesses; called in this order. */
  readonly observers?: (simulation: Simulation) => readonly Observer[]
}

export interface Verdict {
  readonly failure: Failure | undefined
  /** Equal for equal runs. */
  readonly hash: string
  readonly events: number
  readonly simulatedMs: number
  /** When the healed core was done, counted from the healing. */
  readonly recoveryMs: number
  readonly ledger: ReadonlyMap<string, number>
  readonly network: Readonly<NetworkCounts>
}

/** The only excuses for a core that does not get done; they are counted and shown. */
export type Excuse = 'more liars than b' | 'no honest quorum in the core'

export interface Failure {
  /** `I1 agreement`, or `exception` where the code under test threw. */
  readonly invariant: string
  readonly message: string
  readonly atMs: number
}

/** Events after which a run is a storm: no honest run of these sizes comes near. */
const MAX_EVENTS = 1_000_000
/** No command of a simulated client has more. */
const LONGEST_COMMAND_BYTES = 48
/** How often phases look whether they are over, simulated microseconds. */
const LOOK_US = 10_000

export class Simulation implements World {
  readonly scenario: Scenario
  readonly group: Group
  readonly epochs: Epochs
  readonly defects: ReadonlySet<Defect>
  readonly random: Random
  readonly trace = new TraceHash()
  readonly replicas: readonly SimulatedReplica[]
  readonly clients: readonly SimulatedClient[]
  readonly announce: Announce
  readonly verdicts = new Verdicts()
  nowUs = 0
  healed = false
  private readonly queue = new EventQueue<() => void>()
  private readonly network: Network
  private readonly faults: FaultEngine
  private readonly observers: readonly Observer[]
  private readonly admin: Admin
  private events = 0

  constructor(scenario: Scenario, options: SimulationOptions = {}) {
    this.scenario = scenario
    this.group = groupOf(scenario, options.suite ?? simulatedSuite)
    this.epochs = new Epochs(this.group, scenario)
    this.defects = new Set(scenario.defects)
    this.random = new Random(scenario.seed)
    this.network = new Network(scenario.network, this.random.fork('network'), (atUs, run) => this.at(atUs, run))
    this.announce = announcer(() => this.observers)
    this.replicas = this.makeReplicas(options)
    this.clients = scenario.clients.map((settings, i) => {
      const signer = this.group.clientSigners[i]
      if (signer === undefined) throw new Error(`no signer for client ${i}`)
      return new SimulatedClient(this, i, settings, signer)
    })
    this.admin = new Admin(this, this.group.admin)
    const channels = new Channels({
      addresses: this.replicas.map(({ address }) => address),
      tell: (to, packet) => this.at(this.nowUs + scenario.network.minDelayUs, () => this.replicas[to]?.receive(packet)),
    })
    this.faults = new FaultEngine(scenario.faults, {
      ...{ network: this.network, channels },
      at: (atUs, run) => this.at(atUs, run),
      replicas: (identity) => this.replicas.filter((replica) => replica.identity === identity),
      clock: this,
    })
    this.observers = [...(options.observers?.(this) ?? []), channels, this.faults]
  }

  /** Runs to the end. Never throws: whatever the code under test throws is a failure. */
  run(): Verdict {
    let failure: Failure | undefined
    let healedUs = 0
    try {
      this.begin()
      this.runUntil(1000 * this.scenario.safetyMs, () => this.admin.done && this.clients.every((client) => client.done))
      healedUs = this.nowUs
      this.heal()
      this.recover()
      this.announce('finished')
    } catch (error) {
      failure = this.failureOf(error)
    }
    return {
      failure,
      hash: this.trace.digest(),
      events: this.events,
      simulatedMs: this.nowUs / 1000,
      recoveryMs: (this.nowUs - healedUs) / 1000,
      ledger: this.faults.ledger,
      network: this.network.counts,
    }
  }

  /** Why less is asked of this run: what it does to the group is beyond what the group promises to bear. */
  get excuses(): readonly Excuse[] {
    const { epochs } = this
    const excuses: Excuse[] = []
    for (let epoch = 0; epoch <= epochs.newest && excuses.length === 0; epoch++) {
      if (this.liarsOf(epoch).size > epochs.context(epoch).membership.quorums.byzantine)
        excuses.push('more liars than b')
    }
    const { quorum } = epochs.context(epochs.newest).membership.quorums
    if (this.coreReplicas().filter(({ honest }) => honest).length < quorum) excuses.push('no honest quorum in the core')
    return excuses
  }

  /** The positions of the members of an epoch that lie. */
  liarsOf(epoch: number): ReadonlySet<number> {
    return new Set(this.epochs.members(epoch).filter((index) => !this.isHonest(this.epochs.identityOf(epoch, index))))
  }

  isHonest(identity: number): boolean {
    return this.replicas.some((replica) => replica.identity === identity && replica.honest)
  }

  at(atUs: number, run: () => void): void {
    this.queue.push(atUs, run)
  }

  transmit(from: number, to: number, packet: Packet): void {
    const receiver = to >= FIRST_CLIENT_ADDRESS ? this.clients[to - FIRST_CLIENT_ADDRESS] : this.replicas[to]
    if (receiver === undefined) return
    const sender = this.replicas[from]
    const goal = this.replicas[to]
    const arrive = () => receiver.receive(packet)
    if (packet.kind !== 'message' || sender === undefined || goal === undefined) {
      this.network.send(from, to, this.nowUs, arrive)
      return
    }
    const fate = this.faults.fate(sender.identity, goal.identity, packet.message)
    if (fate !== 'lost') this.network.send(from, to, this.nowUs + fate, arrive)
  }

  get members(): readonly ReplicaIndex[] {
    return this.epochs.members(this.epochs.newest)
  }

  addressesOf(index: ReplicaIndex): readonly number[] {
    return this.epochs.addressesOf(this.epochs.newest, index)
  }

  handOver(link: HandOver): void {
    this.epochs.handOver(link)
  }

  stays({ address, honest }: { readonly address: number; readonly honest: boolean }): boolean {
    return !this.healed || !honest || this.scenario.core.includes(address)
  }

  get stable(): StableCheckpoint | undefined {
    const { newest } = this.epochs
    const known = this.replicas.flatMap((replica) =>
      replica.honest && replica.epoch === newest ? (replica.status()?.stable ?? []) : [],
    )
    return known.reduce<StableCheckpoint | undefined>(
      (best, each) => ((best?.slot ?? -1) < each.slot ? each : best),
      undefined,
    )
  }

  /** The second phase; without excuse the core must get everything done. */
  private recover(): void {
    const watch = new LivenessWatch(() => this.coreReplicas(), this.members.length, this.nowUs)
    let looks = 0
    this.runUntil(this.nowUs + 1000 * (this.scenario.livenessMs + this.workMs()), () => {
      if (looks++ % 4 === 0) watch.look(this.nowUs, this.clients.flatMap((client) => client.pending).length)
      return this.converged()
    })
    if (this.converged() || this.excuses.length > 0) return
    throw new Violation('I12 liveness', this.stuck(watch))
  }

  /**
   * What the requests that are left may take beside the rest, where window and batches hold few: slots that take as long as the longest
   * time-out lets them are slow, not stuck.
   */
  private workMs(): number {
    const { window, maxBatchRequests, maxBatchBytes, viewTimeoutCapMs } = this.scenario.parameters
    const left = this.clients.reduce((sum, client) => sum + client.left, 0)
    const inFlight = Math.min(window * maxBatchRequests, Math.max(1, Math.floor(maxBatchBytes / LONGEST_COMMAND_BYTES)))
    return Math.floor(left / inFlight) * viewTimeoutCapMs
  }

  private makeReplicas(options: SimulationOptions): SimulatedReplica[] {
    const { liars, twins } = this.scenario
    const coreFactory = options.coreFactory ?? realCore
    const make = (address: number, identity: number, joins = false) => {
      const liar = liars.find(({ replica }) => replica === identity)
      const behaviour = liar && parseBehaviour(liar.behaviour)
      const honest = liar === undefined && !twins.includes(identity)
      return new SimulatedReplica(this, { address, identity, coreFactory, behaviour, honest, joins })
    }
    const first = this.members
    const seconds = twins.map((identity, i) => make(first.length + i, identity))
    const joining = Array.from({ length: identitiesIn(this.scenario) - first.length }, (_, i) =>
      make(first.length + seconds.length + i, first.length + i, true),
    )
    return [...first.map((index) => make(index, index)), ...seconds, ...joining]
  }

  private begin(): void {
    for (const replica of this.replicas) {
      replica.start()
      replica.seek()
    }
    this.faults.start()
    for (const client of this.clients) this.at(1000, () => client.start())
    this.admin.start()
  }

  /** Runs events up to `endUs`, or until `over` says so; that is asked at regular times only. */
  private runUntil(endUs: number, over: () => boolean): void {
    let lookUs = this.nowUs
    for (;;) {
      const nextUs = this.queue.nextAt ?? endUs
      while (lookUs <= nextUs) {
        if (lookUs > endUs) break
        this.nowUs = Math.max(this.nowUs, lookUs)
        this.announce('time', this.nowUs)
        if (over()) return
        lookUs += LOOK_US
      }
      if (nextUs >= endUs) break
      const next = this.queue.pop()
      if (next === undefined) break
      this.nowUs = Math.max(this.nowUs, next.at)
      if (++this.events > MAX_EVENTS) throw new Violation('I9 bounds', `more than ${MAX_EVENTS} events: a storm`)
      next.event()
    }
    this.nowUs = endUs
  }

  private heal(): void {
    this.healed = true
    this.faults.healed()
    this.network.heal(this.nowUs)
    for (const replica of this.replicas) {
      if (!this.stays(replica)) replica.stop()
      else {
        replica.resume()
        replica.start()
      }
    }
    for (const client of this.clients) client.finishAfter(2)
    this.announce('healed', this.nowUs)
  }

  /** Every client has its answers, every replica of the core executed the same, and nothing is left that ends by itself. */
  private converged(): boolean {
    if (!this.admin.done || this.clients.some((client) => !client.done)) return false
    const core = this.coreReplicas()
    const statuses = core.map((replica) => replica.status())
    const [first] = statuses
    if (core.some(({ epoch }) => epoch !== this.epochs.newest)) return false
    return statuses.every(
      (status) => status !== undefined && status.executed === first?.executed && status.dueMs === undefined,
    )
  }

  /** Those that are members of the newest epoch; who is none any more goes on serving the others, and has nothing to finish. */
  private coreReplicas(): SimulatedReplica[] {
    const { newest } = this.epochs
    return this.scenario.core.flatMap((address) =>
      this.epochs.positionOf(newest, address) === undefined ? [] : (this.replicas[address] ?? []),
    )
  }

  private stuck(watch: LivenessWatch): string {
    const pending = this.clients.flatMap((client) => client.pending)
    const oldest = pending.map(({ client, sequence }) => `c${client}.${sequence}`).slice(0, 5)
    const due = this.coreReplicas().some((replica) => replica.status()?.dueMs !== undefined)
    const unlike = due ? 'not all leases have ended' : 'not all have executed the same'
    const what = pending.length === 0 ? unlike : `${pending.length} requests are unanswered`
    const which = oldest.length === 0 ? '' : ` (${oldest.join(' ')})`
    const after = `${this.scenario.livenessMs} ms after healing a quorum of honest replicas`
    return `${after}, ${what}${which}: ${watch.diagnosis(this.nowUs)}`
  }

  private failureOf(error: unknown): Failure {
    const atMs = this.nowUs / 1000
    if (error instanceof Violation) return { invariant: error.invariant, message: error.message, atMs }
    if (!(error instanceof Error)) return { invariant: 'exception', message: String(error), atMs }
    return { invariant: 'exception', message: error.stack ?? error.message, atMs }
  }
}

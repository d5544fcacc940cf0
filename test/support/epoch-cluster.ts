// Cores wired together by hand through changes of their membership: as mini-cluster.ts, but that epochs end and the next ones begin.
// A process is named
// by the number of its key, and runs the core of its epoch beside those that are over.

import { EMPTY_FRONTIER, equalBytes, markVerified, replicaIndex } from '../../crypto/index.ts'
import type { Charter } from '../../keys/charter/index.ts'
import {
  type CoreState,
  type DurableRecord,
  type Effect,
  EpochChain,
  type EpochContext,
  type HandOver,
  type Input,
  ignoreReason,
  init,
  type Message,
  originOf,
  type StableCheckpoint,
  status,
  step,
  succeed,
  verifyMessage,
  verifyRequest,
} from '../../src/consensus/index.ts'
import { signerOf } from './chain.ts'
import {
  type EpochPlan,
  firstState,
  type MachineState,
  outlookOf,
  partsOf,
  positionOf,
  stateAfter,
} from './epoch-machine.ts'
import { request } from './mini-cluster.ts'

export interface Process {
  readonly key: number
  up: boolean
  chain: EpochChain
  /** By epoch: the one in office, and those that are over. */
  readonly cores: Map<number, CoreState>
  machine: MachineState
  /** By slot, of checkpoints. */
  readonly snapshots: Map<number, MachineState>
  /** On disk. */
  saved: MachineState
  readonly records: DurableRecord[]
  /** Appends that are on their way to a disk that stands still; undefined where it does not. */
  held: { readonly epoch: number; readonly effect: Effect & { readonly kind: 'persist' } }[] | undefined
  /** The power goes with the append of this number, which is lost. */
  cutAt: number | undefined
  appends: number
  wanted: { readonly epoch: number; readonly checkpoint: StableCheckpoint } | undefined
  /** Everything under its own signature that ever left it. */
  readonly said: { readonly epoch: number; readonly message: Message }[]
  readonly handOvers: HandOver[]
  readonly evidence: string[]
  readonly views: string[]
  readonly alarms: string[]
}

export interface Frame {
  readonly from: Process
  readonly to: Process
  readonly epoch: number
  readonly message: Message
}

export class EpochCluster {
  readonly processes: Process[]
  /** What was refused, or went out too early. */
  readonly faults: string[] = []
  filter: (frame: Frame) => boolean = () => true
  nowMs = 0
  private readonly plans: readonly EpochPlan[]
  private readonly queue: Frame[] = []
  private sequence = 0

  constructor(...plans: readonly [EpochPlan, ...EpochPlan[]]) {
    this.plans = plans
    const chain = EpochChain.genesis(partsOf(plans[0]))
    const keys = [...new Set(plans.flatMap((plan) => plan.keys))]
    const machine = firstState(partsOf(plans[0]))
    this.processes = keys.map((key) => ({
      ...{ key, up: true, chain, cores: new Map(), machine, snapshots: new Map(), saved: machine, records: [] },
      ...{ held: undefined, cutAt: undefined, appends: 0, wanted: undefined, said: [], handOvers: [] },
      ...{ evidence: [], views: [], alarms: [] },
    }))
    for (const process of this.processes) this.begin(process, undefined)
  }

  process(key: number): Process {
    return this.processes.find((each) => each.key === key) ?? none()
  }

  /** The core of the newest epoch that this process is a member of. */
  core(key: number): CoreState {
    const { cores } = this.process(key)
    return cores.get(Math.max(...cores.keys())) ?? none()
  }

  status(key: number) {
    return status(this.core(key))
  }

  /** Requests of a client, to every process that runs. */
  submit(...texts: string[]): void {
    const { verify } = this.processes[0]?.chain.last ?? none()
    const requests = texts.map((text) => {
      this.sequence += 1
      const checked = verifyRequest(request(verify.membership.clusterId, text, this.sequence), verify)
      return checked.ok ? checked.value : none()
    })
    for (const process of this.processes)
      this.feed(process, process.chain.last.charter.epoch, { kind: 'requests', requests })
  }

  deliver({ from, to, epoch: of, message }: Frame): void {
    const core = to.cores.get(of)
    const context = contextOf(to.chain, of)
    const position = context?.charter.members.findIndex(({ consensusKey }) =>
      equalBytes(consensusKey, signerOf(from.key).publicKey),
    )
    if (!to.up || core === undefined || context === undefined || position === undefined || position < 0) return
    if (ignoreReason(core, replicaIndex(position), message) !== undefined) return
    const checked = verifyMessage(message, { ...context.verify, lastSlot: undefined })
    if (checked.ok) this.feed(to, of, { kind: 'message', from: replicaIndex(position), message: checked.value })
    else this.faults.push(`${to.key} refused ${message.kind} of ${from.key}: ${checked.fault.code}`)
  }

  settle(): void {
    for (let frame = this.queue.shift(); frame !== undefined; frame = this.queue.shift())
      if (frame.from.up && this.filter(frame)) this.deliver(frame)
  }

  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 25) {
      this.nowMs += 25
      for (const process of this.processes) {
        for (const of of [...process.cores.keys()])
          this.feed(process, of, { kind: 'tick', nowMs: this.nowMs, wallMs: 1_000_000 + this.nowMs })
        this.install(process)
      }
      this.settle()
    }
  }

  /** Runs until `done`, at most for so long; whether it came to that. */
  runUntil(done: () => boolean, limitMs = 20_000): boolean {
    for (const endMs = this.nowMs + limitMs; !done() && this.nowMs < endMs; ) this.run(25)
    return done()
  }

  crash(key: number): void {
    this.process(key).up = false
  }

  restart(key: number): void {
    const process = this.process(key)
    Object.assign(process, { up: true, machine: process.saved, wanted: undefined, held: undefined })
    process.snapshots.clear()
    if (process.saved.executed.length > 0) process.snapshots.set(process.saved.executed.length, process.saved)
    process.cores.clear()
    process.chain = EpochChain.genesis(partsOf(this.plans[0] ?? none()))
    for (const record of process.records)
      if (record.kind === 'hand-over') process.chain = longer(process.chain, record.handOver)
    this.begin(process, undefined)
  }

  feed(process: Process, of: number, input: Input): void {
    const core = process.cores.get(of)
    if (process.up && core !== undefined) this.carryOut(process, of, step(core, input))
  }

  /** The disk writes again. */
  release(process: Process): void {
    const waiting = process.held ?? []
    process.held = undefined
    for (const { epoch: of, effect } of waiting) this.append(process, of, effect)
  }

  private begin(process: Process, old: CoreState | undefined): void {
    const { charter, membership, start } = process.chain.last
    const signer = signerOf(process.key)
    const self = membership.members.findIndex(({ consensusKey }) => equalBytes(consensusKey, signer.publicKey))
    if (self < 0) return
    const config = {
      ...{ self: replicaIndex(self), membership, clusterName: 'test', parameters: charter.parameters },
      ...{ signer, start, mutations: new Set<never>() },
    }
    const machine = positionOf(process.machine)
    const { records } = process
    const begun = charter.epoch === 0 ? init(config, records, machine) : succeed(old, config, records, machine)
    process.cores.set(charter.epoch, begun.state)
    this.carryOut(process, charter.epoch, begun.effects)
  }

  private carryOut(process: Process, of: number, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (!process.up) return
      this.carryOutOne(process, of, effect)
    }
    // After the records of the same step.
    for (const effect of effects)
      if (effect.kind === 'stabilize' && process.up) this.keep(process, effect.checkpoint.slot)
  }

  private carryOutOne(process: Process, of: number, effect: Effect): void {
    switch (effect.kind) {
      case 'persist':
        if (process.held !== undefined) process.held.push({ epoch: of, effect })
        else this.append(process, of, effect)
        return
      case 'send':
      case 'broadcast':
        return this.send(process, of, effect)
      case 'execute':
        return this.execute(process, of, effect)
      case 'transfer':
        process.wanted = { epoch: of, checkpoint: effect.checkpoint }
        return
      case 'hand-over':
        return this.handOver(process, of, effect.handOver)
      case 'evidence':
        process.evidence.push(`${effect.evidence.kind} ${effect.evidence.accused}`)
        return
      case 'view':
        process.views.push(`${of}: ${effect.view} ${effect.active ? 'active' : 'changing'} ${effect.reason}`)
        return
      case 'alarm':
        process.alarms.push(effect.code)
        return
      case 'receipt':
      case 'stabilize':
        return
    }
  }

  private append(process: Process, of: number, { number, records }: Effect & { readonly kind: 'persist' }): void {
    process.appends += 1
    if (process.appends === process.cutAt) {
      process.up = false
      return
    }
    process.records.push(...records)
    this.feed(process, of, { kind: 'durable', number })
  }

  private send(process: Process, of: number, effect: Effect & { readonly kind: 'send' | 'broadcast' }): void {
    const { message } = effect
    const context = contextOf(process.chain, of) ?? none()
    const keys = keysOf(context.charter)
    const self = keys.indexOf(process.key)
    if (originOf(message) === self) process.said.push({ epoch: of, message })
    const known = process.records.some((record) => record.kind === 'hand-over' && record.handOver.charter.epoch === of)
    if (of > 0 && !known) this.faults.push(`${process.key} spoke in epoch ${of} before its hand-over was durable`)
    for (const [position, key] of keys.entries())
      if (position !== self && (effect.kind === 'broadcast' || effect.to === position))
        this.queue.push({ from: process, to: this.process(key), epoch: of, message })
  }

  private execute(process: Process, of: number, { entry, timestampMs }: Effect & { readonly kind: 'execute' }): void {
    const at = entry.header.slot
    const before = process.machine
    const interval = before.charter.parameters.checkpointInterval
    process.machine = stateAfter(before, entry, timestampMs, this.plans)
    if (at % interval === 0) process.snapshots.set(at, process.machine)
    const stateRoot = at % interval === 0 ? process.machine.root : undefined
    const executed = { kind: 'executed', slot: at, resultsRoot: entry.header.root, stateRoot } as const
    this.feed(process, of, { ...executed, ...outlookOf(process.machine) })
  }

  private keep(process: Process, at: number): void {
    process.saved = process.snapshots.get(at) ?? process.saved
    for (const old of process.snapshots.keys()) if (old < at) process.snapshots.delete(old)
  }

  private handOver(process: Process, of: number, handOver: HandOver): void {
    process.handOvers.push(handOver)
    process.chain = longer(process.chain, handOver)
    this.begin(process, process.cores.get(of))
    // Who joins asks for the chain, and has it on disk before it says anything.
    for (const key of keysOf(handOver.charter)) {
      const joiner = this.process(key)
      if (!joiner.up || joiner.chain.links.length > of || joiner.cores.has(of)) continue
      for (const link of process.chain.links.slice(joiner.chain.links.length))
        joiner.records.push({ kind: 'hand-over', handOver: link, frontier: EMPTY_FRONTIER })
      joiner.chain = process.chain
      this.begin(joiner, undefined)
    }
  }

  private install(process: Process): void {
    const { wanted } = process
    if (wanted === undefined || !process.up) return
    const { checkpoint, epoch: of } = wanted
    const source = this.processes.find((each) => each.up && each !== process && each.snapshots.has(checkpoint.slot))
    const machine = source?.snapshots.get(checkpoint.slot)
    if (machine === undefined) return
    process.wanted = undefined
    process.machine = machine
    process.snapshots.set(checkpoint.slot, machine)
    const { frontier, timestampMs } = machine
    const installed = markVerified(checkpoint)
    this.feed(process, of, { kind: 'installed', checkpoint: installed, frontier, timestampMs, ...outlookOf(machine) })
  }
}

export function keysOf(charter: Charter): number[] {
  return charter.members.map(({ id }) => id)
}

function longer(chain: EpochChain, link: HandOver): EpochChain {
  const extended = chain.extend(link)
  if (!extended.ok) throw new Error(`a hand-over does not hold: ${JSON.stringify(extended.fault)}`)
  return extended.value
}

/** The context of an epoch that the chain reaches. */
function contextOf(chain: EpochChain, of: number): EpochContext | undefined {
  if (of === chain.last.charter.epoch) return chain.last
  const link = chain.links[of]
  return link && chain.at(link.checkpoint.slot)
}

function none(): never {
  throw new Error('nothing there')
}

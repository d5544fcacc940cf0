// From a seed to a scenario: every option of a run is drawn from the seed, swarm-like, so that over many seeds all mixtures come
// up, the extreme ones too. Ref: Groce et al., "Swarm testing", 2012.

import { largestByzantine, largestCrash, quorumSystem } from '../../crypto/index.ts'
import { BEHAVIOURS, EPOCH_BEHAVIOURS } from '../byzantine/index.ts'
import type { ProtocolParameters, Rotation } from '../consensus/index.ts'
import { MIN_LEASE_TTL_MS } from '../machine/index.ts'
import type { Defect } from './core.ts'
import { drawFaults, drawLosses, type FaultPlan, LARGEST_JUMP_TIMEOUTS, tellSome, viewsApart } from './draw-faults.ts'
import { type NetworkSettings, Random } from './kernel/index.ts'
import {
  type ClientSettings,
  type Liar,
  type MembershipChange,
  SCENARIO_FORMAT,
  type Scenario,
  type WorkloadSettings,
} from './scenario.ts'
import { type SplitPlan, splitBrain } from './split-brain.ts'

/**
 * `fast`: four replicas, 200 operations, mild faults. `swarm`: everything. `crash`: nobody lies (b = 0). `twins`: replicas that
 * run twice under one identity. `membership`: as the swarm, and the members change.
 */
export type ProfileName = 'fast' | 'swarm' | 'crash' | 'twins' | 'membership'
export const PROFILES: readonly ProfileName[] = ['fast', 'swarm', 'crash', 'twins', 'membership']

export interface DrawOptions {
  readonly profile: ProfileName
  readonly replicas?: number
  readonly byzantine?: number
  readonly crash?: number
  /** Mistakes to switch on; none unless told. */
  readonly defects?: readonly Defect[]
  /** Liars that the user chose; otherwise they are drawn. */
  readonly liars?: readonly Liar[]
  /** Of the profile `membership`: these changes; otherwise they are drawn. */
  readonly changes?: readonly MembershipChange[]
}

/** The group of the fast profile. */
export const FAST_REPLICAS = 4
/** One run in so many is made with real Ed25519. */
export const REAL_SIGNATURES_EVERY = 250

/** A run in which the members stay who they are. */
export function drawFixed(seed: number, options: DrawOptions): Scenario {
  const label = `${options.profile} ${seed}`
  const random = new Random(label)
  const group = drawGroup(random.fork('group'), options)
  const quorums = quorumSystem(group)
  const drawn = drawParameters(random.fork('parameters'), options.profile, quorums.crashMode)
  const parameters = { ...drawn, ...drawBytes(random.fork('bytes'), options.profile) }
  const liars = options.liars ?? drawLiars(random.fork('liars'), options, group)
  const twins = options.profile === 'twins' ? random.fork('twins').sample(range(group.replicas), group.byzantine) : []
  const liesOf = new Set([...twins, ...liars.map(({ replica }) => replica)])
  const honest = range(group.replicas).filter((replica) => !liesOf.has(replica))
  const stopped = Math.max(0, Math.min(honest.length - quorums.quorum, group.crash + group.byzantine - liesOf.size))
  const faultsRandom = random.fork('faults')
  const core = faultsRandom.sample(honest, honest.length - stopped).sort((a, b) => a - b)
  const spare = honest.filter((replica) => !core.includes(replica))
  const safetyMs = parameters.viewTimeoutMs * (options.profile === 'fast' ? 60 : 120)
  const mild = options.profile === 'fast'
  const plan: FaultPlan = {
    replicas: group.replicas,
    timeoutMs: parameters.viewTimeoutMs,
    safetyMs,
    mild,
    crashMode: quorums.crashMode,
  }
  const clients = drawReads(
    random.fork('reads'),
    options.profile,
    drawClients(random.fork('clients'), parameters.viewTimeoutMs, options.profile),
  )
  const leases = options.profile === 'twins' ? {} : drawLeases(random.fork('leases'), parameters.viewTimeoutMs)
  const sides: SplitPlan = { ...group, twins, clients: clients.length, timeoutMs: parameters.viewTimeoutMs }
  return {
    format: SCENARIO_FORMAT,
    about: `seed ${seed} of profile ${options.profile}`,
    seed: label,
    group,
    parameters,
    signatures: options.profile === 'fast' && seed % REAL_SIGNATURES_EVERY === 0 ? 'real' : 'simulated',
    network: drawNetwork(random.fork('network'), parameters.viewTimeoutMs, mild),
    disk: drawDisk(random.fork('disk')),
    clocks: drawClocks(random.fork('clocks'), group.replicas, parameters.clockDriftMs),
    shell: {
      tickMs: Math.max(2, Math.round(parameters.viewTimeoutMs / (mild ? 5 : 10))),
      executeUs: random.fork('shell').pick([0, 20, 200, 2000]),
      truncates: random.fork('truncates').chance(0.7),
      keptResults: random.fork('kept').pick([1, 8, 64, 512]),
    },
    clients,
    workload: { ...drawWorkload(random.fork('workload')), ...leases },
    liars,
    twins,
    changes: [],
    faults: tellSome(random.fork('told'), plan, [
      ...(options.profile === 'twins' ? viewsApart(faultsRandom.fork('views'), plan, 8) : []),
      ...(options.profile === 'twins'
        ? splitBrain(random.fork('split'), sides, random.fork('phases').below(5)).faults
        : []),
      ...drawFaults(faultsRandom.fork('list'), plan),
      ...(mild ? [] : drawLosses(random.fork('losses'), plan, spare, group.byzantine - liesOf.size)),
    ]),
    safetyMs,
    core,
    livenessMs: livenessBound(parameters, group.byzantine) + leasesBound(parameters, leases),
    defects: options.defects ?? [],
  }
}

/**
 * What a healed core may take: the time-out that had built up, then a view for each liar in a row, the transfer of a state, and
 * the clients' own patience.
 */
export function livenessBound(parameters: ProtocolParameters, byzantine: number): number {
  const { viewTimeoutCapMs, viewTimeoutMs, clockDriftMs } = parameters
  // Agreed time may be ahead of all clocks by what they were set wrong; proposals wait until the clocks are there.
  const clocksMs = clockDriftMs + LARGEST_JUMP_TIMEOUTS * viewTimeoutMs
  return (2 * byzantine + 6) * viewTimeoutCapMs + 40 * viewTimeoutMs + clocksMs
}

/** Until the last lease has ended: its time to live by clocks that were set wrong, and the patience with a leader that ends none. */
function leasesBound(
  { clockDriftMs }: ProtocolParameters,
  { leaseTtlMs }: Pick<WorkloadSettings, 'leaseTtlMs'>,
): number {
  return leaseTtlMs === undefined ? 0 : leaseTtlMs + 2 * clockDriftMs
}

function drawGroup(random: Random, options: DrawOptions): Scenario['group'] {
  const crashOnly = options.profile === 'crash'
  const drawn =
    options.profile === 'fast' ? FAST_REPLICAS : random.pick(crashOnly ? [3, 3, 5, 5, 7] : [4, 4, 4, 5, 6, 7, 7, 9, 10])
  const replicas = options.replicas ?? drawn
  const byzantine = options.byzantine ?? (crashOnly ? 0 : Math.max(0, largestByzantine(replicas, options.crash ?? 0)))
  const crash = options.crash ?? Math.max(0, largestCrash(replicas, byzantine))
  return { replicas, byzantine, crash }
}

function drawParameters(
  random: Random,
  profile: ProfileName,
  crashMode: boolean,
): Omit<ProtocolParameters, 'maxBatchBytes' | 'maxRequestBytes'> {
  const window = random.pick(profile === 'fast' ? [2, 4, 8] : [1, 2, 4, 8, 16])
  const checkpointInterval = window * random.pick([1, 1, 2, 4])
  const viewTimeoutMs = random.pick([50, 100, 200, 500])
  const rotations: Rotation[] = [
    { policy: 'sticky' },
    { policy: 'sticky' },
    { policy: 'every', slots: checkpointInterval },
  ]
  if (crashMode) rotations.push({ policy: 'lowest-alive' })
  return {
    window,
    checkpointInterval,
    maxBatchRequests: random.pick(profile === 'fast' ? [16, 64, 1024] : [1, 4, 64, 1024]),
    clockDriftMs: random.pick([500, 5000]),
    viewTimeoutMs,
    viewTimeoutCapMs: viewTimeoutMs * random.pick([4, 8, 16]),
    clockRatePercent: 10,
    rotation: random.pick(rotations),
    signedVotes: !(crashMode && random.chance(0.3)),
  }
}

/** Batches that a few commands fill with their bytes; a stream of its own, so that the others are as they were before. */
function drawBytes(
  random: Random,
  profile: ProfileName,
): Pick<ProtocolParameters, 'maxBatchBytes' | 'maxRequestBytes'> {
  const roomy = profile === 'membership' || profile === 'twins'
  const maxBatchBytes = roomy ? 65_536 : random.pick([65_536, 65_536, 65_536, 256, 64])
  return { maxBatchBytes, maxRequestBytes: Math.min(4096, maxBatchBytes) }
}

/** Delays that leave the time-out some room; after the healing it must be possible to make progress within one. */
function drawNetwork(random: Random, timeoutMs: number, mild: boolean): NetworkSettings {
  const unitUs = timeoutMs * 1000
  const bad = random.chance(mild ? 0.3 : 0.6)
  return {
    minDelayUs: random.between(10, Math.round(unitUs / 200)),
    meanExtraUs: Math.round(unitUs / random.pick([2000, 500, 200, 100])),
    slowProbability: bad ? random.pick([0, 0.01, 0.05]) : 0,
    slowUs: Math.round(unitUs / random.pick([20, 5, 2])),
    lossProbability: bad ? random.pick([0, 0.01, 0.05, mild ? 0.05 : 0.2]) : 0,
    duplicateProbability: bad ? random.pick([0, 0.01, 0.1, 0.3]) : 0,
    ordered: random.chance(0.4),
  }
}

function drawDisk(random: Random): Scenario['disk'] {
  return {
    meanSyncUs: random.pick([20, 400, 400, 3000]),
    slowProbability: random.pick([0, 0.01]),
    keepUnsyncedProbability: random.pick([0, 0.3, 0.8]),
  }
}

function drawClocks(random: Random, replicas: number, driftMs: number): Scenario['clocks'] {
  const spread = random.pick([0, Math.floor(driftMs / 50), Math.floor(driftMs / 5)])
  return range(replicas).map(() => ({
    offsetMs: random.between(-spread, spread),
    driftPpm: random.between(-200, 200),
  }))
}

function drawClients(random: Random, timeoutMs: number, profile: ProfileName): ClientSettings[] {
  const fast = profile === 'fast'
  const count = fast ? random.between(1, 4) : random.between(1, 6)
  const total = fast ? 200 : random.pick([40, 100, 200])
  const equivocator = profile === 'swarm' && count > 1 && random.chance(0.2)
  return range(count).map((i) => ({
    operations: Math.ceil(total / count),
    outstanding: random.pick(fast ? [8, 32, 32] : [1, 4, 16]),
    bundle: random.pick(fast ? [16, 32] : [1, 4, 16]),
    // Answers that come together are followed by requests that go together, and so by few slots.
    thinkUs: random.pick(fast ? [timeoutMs * 20, timeoutMs * 40] : [0, 1000, timeoutMs * 100]),
    retryMs: timeoutMs * random.pick([1, 2, 4]),
    ...(random.chance(0.1) ? { deadlineMs: timeoutMs * 2 } : {}),
    ...(equivocator && i === 0 ? { fault: 'equivocates' as const } : {}),
  }))
}

/** Who reads beside the log; a stream of its own, so that the others are as they were before anybody did. */
function drawReads(random: Random, profile: ProfileName, clients: readonly ClientSettings[]): ClientSettings[] {
  if (profile === 'fast') return [...clients]
  const modes = profile === 'crash' ? (['quorum', 'lease', 'lease'] as const) : (['quorum'] as const)
  return clients.map((client) =>
    random.chance(0.5) && client.fault === undefined ? { ...client, reads: random.pick(modes) } : client,
  )
}

function drawWorkload(random: Random): Scenario['workload'] {
  return {
    keys: random.pick([1, 2, 5, 20]),
    reads: random.pick([0, 30, 50, 80]),
    deletes: random.pick([0, 5, 10]),
    swaps: random.pick([0, 5, 10]),
  }
}

/** In one run of four, but for twins, whose runs are about other things. A stream of its own, so that the others are as they were before there were leases. */
function drawLeases(random: Random, timeoutMs: number): Pick<WorkloadSettings, 'leases' | 'leaseTtlMs'> {
  if (!random.chance(0.25)) return {}
  const leaseTtlMs = Math.max(MIN_LEASE_TTL_MS, timeoutMs * random.pick([2, 8, 40]))
  return { leases: random.pick([10, 30, 60]), leaseTtlMs }
}

function drawLiars(random: Random, { profile }: DrawOptions, group: Scenario['group']): Liar[] {
  if (profile === 'twins' || group.byzantine === 0) return []
  const behaviours = Object.keys(BEHAVIOURS).filter((name) => !EPOCH_BEHAVIOURS.includes(name))
  const count = random.between(0, group.byzantine)
  return random.sample(range(group.replicas), count).map((replica) => ({ replica, behaviour: random.pick(behaviours) }))
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

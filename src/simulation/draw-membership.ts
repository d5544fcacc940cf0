// Runs of the profile `membership`: everything that the swarm has, and changes of the membership in the midst of it.

import { quorumSystem } from '../../crypto/index.ts'
import { BEHAVIOURS, EPOCH_BEHAVIOURS } from '../byzantine/index.ts'
import { identitiesIn, membersByEpoch, parametersByEpoch } from './cast.ts'
import { drawChanges } from './draw-changes.ts'
import { between, drawFaults, type FaultPlan, span, tellSome } from './draw-faults.ts'
import { Random } from './kernel/index.ts'
import { type DrawOptions, drawFixed, livenessBound } from './profiles.ts'
import { DAMAGES, type Fault, type Liar, type Scenario } from './scenario.ts'

/** One epoch as it is planned. */
interface Epoch {
  readonly members: readonly number[]
  readonly byzantine: number
  readonly crash: number
  readonly quorum: number
}

/** Groups that begin so: with room to grow, and with little left to shrink. */
const GROUPS: readonly Scenario['group'][] = [
  { replicas: 4, byzantine: 1, crash: 0 },
  { replicas: 4, byzantine: 1, crash: 0 },
  { replicas: 5, byzantine: 1, crash: 0 },
  { replicas: 6, byzantine: 1, crash: 1 },
  { replicas: 7, byzantine: 2, crash: 0 },
  { replicas: 3, byzantine: 0, crash: 1 },
  { replicas: 5, byzantine: 0, crash: 2 },
]

export function drawMembership(seed: number, options: DrawOptions): Scenario {
  const random = new Random(`${options.profile} ${seed}`).fork('membership')
  const { replicas, byzantine, crash } = options
  const given = replicas ?? byzantine ?? crash
  const base = drawFixed(seed, { ...(given === undefined && toOptions(random.pick(GROUPS))), ...options, liars: [] })
  const parameters = { ...base.parameters, maxRequestBytes: 16_384 }
  const changes = options.changes ?? drawChanges(random.fork('changes'), { group: base.group, parameters })
  const scenario: Scenario = { ...base, parameters, changes }
  const epochs = epochsOf(scenario)
  const all = Array.from({ length: identitiesIn(scenario) }, (_, i) => i)
  const liars = options.liars ?? drawLiars(random.fork('liars'), all, epochs)
  const lying = liars.map(({ replica }) => replica)
  const honest = all.filter((each) => !lying.includes(each))
  const away = drawAway(random.fork('away'), honest, lying, epochs)
  const plan: FaultPlan = {
    ...{ replicas: all.length, timeoutMs: parameters.viewTimeoutMs, safetyMs: base.safetyMs },
    ...{ mild: false, crashMode: epochs.every((epoch) => epoch.byzantine === 0) },
  }
  const busy = random.fork('load')
  return {
    ...scenario,
    liars,
    clocks: all.map((i) => base.clocks[i % base.clocks.length] ?? { offsetMs: 0, driftPpm: 0 }),
    clients: base.clients.map((client) => ({
      ...client,
      // The changes are to come while there is something to do.
      operations: client.operations * 2,
      thinkUs: busy.pick([client.thinkUs, parameters.viewTimeoutMs * 100, parameters.viewTimeoutMs * 300]),
      ...(client.reads !== undefined && { reads: busy.pick(['quorum', 'lease'] as const) }),
    })),
    faults: tellSome(random.fork('told'), plan, [
      ...drawEpochFaults(random.fork('epoch faults'), plan, epochs),
      ...(random.chance(0.6) ? drawFaults(random.fork('faults'), plan) : []),
      ...drawLosses(random.fork('losses'), plan, away, lying, epochs),
    ]),
    core: honest.filter((each) => !away.includes(each)),
    // Each epoch begins anew, and may take what a group takes that was healed.
    livenessMs:
      base.livenessMs -
      livenessBound(base.parameters, base.group.byzantine) +
      parametersByEpoch(scenario).reduce((sum, each, i) => sum + livenessBound(each, epochs[i]?.byzantine ?? 0), 0),
  }
}

function toOptions({ replicas, byzantine, crash }: Scenario['group']): Partial<DrawOptions> {
  return { replicas, byzantine, crash }
}

function epochsOf(scenario: Scenario): Epoch[] {
  const members = membersByEpoch(scenario)
  let { byzantine, crash } = scenario.group
  return members.map((all, i) => {
    ;({ byzantine, crash } = scenario.changes[i - 1]?.quorum ?? { byzantine, crash })
    const { quorum } = quorumSystem({ replicas: all.length, byzantine, crash })
    return { members: all, byzantine, crash, quorum }
  })
}

/** True where no epoch has more of these among its members than may lie there. */
function withinLies(some: readonly number[], epochs: readonly Epoch[]): boolean {
  return epochs.every(({ members, byzantine }) => members.filter((each) => some.includes(each)).length <= byzantine)
}

function drawLiars(random: Random, all: readonly number[], epochs: readonly Epoch[]): Liar[] {
  const behaviours = Object.keys(BEHAVIOURS)
  const liars: Liar[] = []
  for (const replica of random.shuffled(all)) {
    if (random.chance(0.4) || !withinLies([...liars.map((liar) => liar.replica), replica], epochs)) continue
    const names = random.chance(0.5) ? EPOCH_BEHAVIOURS : behaviours
    liars.push({ replica, behaviour: random.pick(names) })
  }
  return liars.sort((a, b) => a.replica - b.replica)
}

/** Who is switched off for good at the healing: honest, and so few that what stays is a quorum of every epoch. */
function drawAway(
  random: Random,
  honest: readonly number[],
  lying: readonly number[],
  epochs: readonly Epoch[],
): number[] {
  const away: number[] = []
  for (const each of random.shuffled(honest)) {
    const gone = [...away, ...lying, each]
    const left = epochs.every(({ members, quorum }) => members.filter((one) => !gone.includes(one)).length >= quorum)
    if (left && random.chance(0.5)) away.push(each)
  }
  return away
}

/** Disks that lose something, of replicas that nobody needs later; see `drawLosses` of the other profiles. */
function drawLosses(
  random: Random,
  plan: FaultPlan,
  away: readonly number[],
  lying: readonly number[],
  epochs: readonly Epoch[],
): Fault[] {
  const wiped: number[] = []
  return away.flatMap((replica): Fault[] => {
    if (random.chance(0.5)) return []
    const lies = random.chance(0.5) && withinLies([...lying, ...wiped, replica], epochs)
    if (lies) wiped.push(replica)
    const loss = lies ? { wiped: true as const } : { damaged: random.pick(DAMAGES) }
    return [{ do: 'crash', replica, ...loss, ...span(random, plan) }]
  })
}

type Maker = (random: Random, plan: FaultPlan, epochs: readonly Epoch[]) => Fault[]

const MAKERS: readonly Maker[] = [
  /** Of the leader that the epoch begins with, or of anybody, at a step of the change. */
  (random, plan, epochs) => {
    const { members } = random.pick(epochs)
    const replica = random.chance(0.5) ? (members[0] ?? 0) : random.pick(members)
    const record = random.pick(['hand-over', 'hand-over', 'checkpoint', 'stable', 'vote', 'chosen'])
    const nth = record === 'hand-over' ? random.between(1, 2) : random.between(1, 12)
    const when = { record, of: replica, nth, durable: random.chance(0.5) }
    return [{ do: 'crash', replica, when, until: { afterMs: 1 + random.exponential(3 * plan.timeoutMs) } }]
  },
  /** All members of an epoch, one after the other, as each hands it over. */
  (random, plan, epochs) => {
    const { members } = random.pick(epochs)
    return random.sample(members, random.between(1, members.length)).map((replica) => ({
      ...({ do: 'crash', replica } as const),
      when: { record: 'hand-over', of: replica, durable: random.chance(0.5) },
      until: { afterMs: 1 + random.exponential(2 * plan.timeoutMs) },
    }))
  },
  /** Along the lines of a change: who stays, who goes and who comes do not hear each other; now and then only some do not. */
  (random, plan, epochs) => {
    const at = random.below(Math.max(1, epochs.length - 1))
    const [before, after] = [epochs[at]?.members ?? [], epochs[at + 1]?.members ?? []]
    const stays = before.filter((each) => after.includes(each))
    const goes = before.filter((each) => !after.includes(each))
    const comes = after.filter((each) => !before.includes(each))
    const some = random.sample(stays, random.between(0, stays.length))
    const rest = stays.filter((each) => !some.includes(each))
    const [one, other] = random.pick([
      [stays, comes],
      [stays, goes],
      [goes, comes],
      [
        [...goes, ...some],
        [...comes, ...rest],
      ],
      [some, comes],
      [some, rest],
      [[...some, ...comes], rest],
    ] as const)
    const links = between(one, other)
    const ofOne = random.pick(stays.length > 0 ? stays : before)
    const when = random.chance(0.5) ? { record: 'hand-over', of: ofOne, nth: at + 1 } : span(random, plan).when
    const until = { afterMs: 1 + random.exponential(random.pick([3, 10, 30]) * plan.timeoutMs) }
    return [{ do: random.pick(['cut', 'cut', 'clog']), links, ...(when && { when }), until }]
  },
  /** Away over one epoch or several. */
  (random, plan, epochs) => {
    const replica = random.pick(random.pick(epochs).members)
    const others = Array.from({ length: plan.replicas }, (_, i) => i).filter((each) => each !== replica)
    const atMs = random.below(Math.ceil(plan.safetyMs / 8))
    const rest = { when: { atMs }, until: { atMs: random.between(Math.ceil(plan.safetyMs / 6), plan.safetyMs) } }
    return [
      random.chance(0.5)
        ? { do: 'crash', replica, ...rest }
        : { do: 'cut', links: between([replica], others), ...rest },
    ]
  },
]

function drawEpochFaults(random: Random, plan: FaultPlan, epochs: readonly Epoch[]): Fault[] {
  return Array.from({ length: random.below(5) }, () => random.pick(MAKERS)(random, plan, epochs)).flat()
}

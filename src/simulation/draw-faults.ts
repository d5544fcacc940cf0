// Which faults a seed brings, and when. At most c + b replicas are held down at once only by chance: in the safety phase there
// is no budget, since nothing but safety is asked for.

import type { Random } from './kernel/index.ts'
import { DAMAGES, type Fault, type Link } from './scenario.ts'

/** The most that the wall clock of one replica is set wrong by all faults together, in view time-outs. */
export const LARGEST_JUMP_TIMEOUTS = 8

export interface FaultPlan {
  readonly replicas: number
  readonly timeoutMs: number
  readonly safetyMs: number
  readonly mild: boolean
  readonly crashMode: boolean
}

type Maker = (random: Random, plan: FaultPlan) => Fault[]

const MAKERS: Readonly<Record<string, Maker>> = {
  crash: (random, plan) => [{ do: 'crash', replica: random.below(plan.replicas), ...span(random, plan) }],
  pause: (random, plan) => [{ do: 'pause', replica: random.below(plan.replicas), ...span(random, plan) }],
  partition: (random, plan) => {
    const side = random.sample(all(plan), random.between(1, plan.replicas - 1))
    const links = between(side, without(plan, side))
    return [{ do: random.pick(['cut', 'cut', 'clog']), links: oneWay(random, links), ...span(random, plan) }]
  },
  /** Non-transitive: any set of links, whoever is at their ends. */
  links: (random, plan) => {
    const links = all(plan).flatMap((from) => all(plan).flatMap((to): Link[] => (from === to ? [] : [[from, to]])))
    return [
      {
        do: random.pick(['cut', 'clog']),
        links: random.sample(links, random.between(1, links.length)),
        ...span(random, plan),
      },
    ]
  },
  /** All hear only one replica in the middle (pitfall P63). */
  star: (random, plan) => {
    const middle = random.below(plan.replicas)
    const rim = without(plan, [middle])
    const links = rim.flatMap((from) => rim.flatMap((to): Link[] => (from === to ? [] : [[from, to]])))
    return [{ do: 'cut', links, ...span(random, plan) }]
  },
  /** Stops the links of some replicas one after another and opens them in another order. Ref: FoundationDB. */
  swizzle: (random, plan) => {
    const chosen = random.sample(all(plan), random.between(1, plan.replicas))
    const start = random.below(plan.safetyMs)
    const ends = random.shuffled(chosen.map((_, i) => i))
    const step = plan.timeoutMs / 2
    return chosen.map((replica, i) => ({
      do: 'clog',
      links: [...between([replica], without(plan, [replica]))],
      when: { atMs: Math.round(start + i * step) },
      until: { atMs: Math.round(start + (chosen.length + (ends[i] ?? 0)) * step) },
    }))
  },
  'failing disk': (random, plan) => [{ do: 'fail-disk', replica: random.below(plan.replicas), ...span(random, plan) }],
  'slow disk': (random, plan) => [
    { do: 'slow-disk', replica: random.below(plan.replicas), factor: random.pick([5, 50]), ...span(random, plan) },
  ],
  clock: (random, plan) => [
    {
      do: 'clock',
      replica: random.below(plan.replicas),
      byMs: random.between(-2, 2) * plan.timeoutMs,
      ...span(random, plan),
    },
  ],
  /** Power goes at a moment that matters: between a record's writing, its durability, and what follows. */
  'crash at a record': (random, plan) => {
    const replica = random.below(plan.replicas)
    const record = random.pick(['vote', 'prepared', 'chosen', 'promise', 'new-view', 'checkpoint', 'stable', 'entry'])
    const when = { record, of: replica, nth: random.between(1, 20), durable: random.chance(0.5) }
    return [{ do: 'crash', replica, when, until: { afterMs: random.between(1, 4 * plan.timeoutMs) } }]
  },
  'crash in a view': (random, plan) => {
    const replica = random.below(plan.replicas)
    const view = random.between(1, 4)
    return [
      { do: 'crash', replica, when: { view, of: replica }, until: { afterMs: random.between(1, 4 * plan.timeoutMs) } },
    ]
  },
  'views apart': (random, plan) => viewsApart(random, plan, 6),
  'drop a kind': (random, plan) => {
    const kind = random.pick([
      'propose',
      'prepare',
      'accept',
      'view-change',
      'new-view',
      'checkpoint',
      'entries',
      'bodies',
    ])
    const end = random.chance(0.5) ? { to: random.below(plan.replicas) } : { from: random.below(plan.replicas) }
    return [
      { do: random.pick(['drop', 'delay']), messages: { kind, ...end }, byMs: plan.timeoutMs, ...span(random, plan) },
    ]
  },
}

/**
 * Disks that lose something, of replicas that nobody needs later: `wiped` ones count as liars, and so are within the liars' budget;
 * damaged ones stay out, or get the lost part again.
 */
export function drawLosses(random: Random, plan: FaultPlan, spare: readonly number[], liarsLeft: number): Fault[] {
  return random.shuffled(spare).flatMap((replica, i): Fault[] => {
    if (random.chance(0.5)) return []
    const loss = i < liarsLeft && random.chance(0.5) ? { wiped: true as const } : { damaged: random.pick(DAMAGES) }
    return [{ do: 'crash', replica, ...loss, ...span(random, plan) }]
  })
}

/** Of what ends channels, some is noticed at their other ends; and some first leaders die at work, as only their peers notice in time. */
export function tellSome(random: Random, plan: FaultPlan, faults: readonly Fault[]): readonly Fault[] {
  const told = faults.map((fault) => {
    const tells = fault.do === 'crash' || fault.do === 'fail-disk' || fault.do === 'cut'
    return tells && random.chance(0.5) ? { ...fault, told: true as const } : fault
  })
  return random.chance(0.3) ? [...told, leaderDies(random, plan)] : told
}

function leaderDies(random: Random, { replicas, timeoutMs }: FaultPlan): Fault {
  const replica = random.pick([0, 0, 1, 2]) % replicas
  const when = { executed: random.between(1, 40), of: replica }
  return { do: 'crash', replica, told: true, when, until: { afterMs: random.between(1, 8 * timeoutMs) } }
}

/** A list of faults for the safety phase; empty for a quarter of all seeds' mild runs. */
export function drawFaults(random: Random, plan: FaultPlan): Fault[] {
  const names = Object.keys(MAKERS)
  if (plan.mild && random.chance(0.25)) return []
  // Swarm: a run knows only some kinds, so that no kind always hides another.
  const kinds = random.sample(names, random.between(1, plan.mild ? 3 : names.length))
  const count = random.between(1, plan.mild ? 4 : 20)
  return Array.from({ length: count }, () => MAKERS[random.pick(kinds)]?.(random, plan) ?? []).flat()
}

/**
 * For each of the first views another split of the group, and few that hear the Prepare votes: so different replicas hold
 * certificates of different views, which is where the choice in a NewView matters. Ref: Bano et al., "Twins", 2020.
 */
export function viewsApart(random: Random, plan: FaultPlan, views: number): Fault[] {
  return Array.from({ length: views }, (_, view): Fault[] => {
    const apart = random.sample(all(plan), random.between(0, Math.floor(plan.replicas / 3)))
    const hearing = random.sample(all(plan), random.between(1, plan.replicas))
    const kind = random.pick(['prepare', 'prepare', 'accept'])
    return [
      ...apart.flatMap((replica): Fault[] => [
        { do: 'drop', messages: { view, to: replica } },
        { do: 'drop', messages: { view, from: replica } },
      ]),
      ...without(plan, hearing).map((to): Fault => ({ do: 'drop', messages: { kind, view, to } })),
    ]
  }).flat()
}

export function span(random: Random, plan: FaultPlan): Pick<Fault, 'when' | 'until'> {
  const atMs = random.below(plan.mild ? Math.ceil(plan.safetyMs / 10) : plan.safetyMs)
  const length = random.exponential(random.pick([1, 3, 10]) * plan.timeoutMs)
  return { when: { atMs }, until: { atMs: atMs + 1 + length } }
}

function all({ replicas }: FaultPlan): number[] {
  return Array.from({ length: replicas }, (_, i) => i)
}

function without(plan: FaultPlan, some: readonly number[]): number[] {
  return all(plan).filter((replica) => !some.includes(replica))
}

export function between(one: readonly number[], other: readonly number[]): Link[] {
  return one.flatMap((a) =>
    other.flatMap((b): Link[] => [
      [a, b],
      [b, a],
    ]),
  )
}

function oneWay(random: Random, links: readonly Link[]): readonly Link[] {
  return random.chance(0.4) ? links.filter((_, i) => i % 2 === 0) : links
}

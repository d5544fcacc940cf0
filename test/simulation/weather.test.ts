// Network weather: links that flap, that work one way only, that leave nobody in reach of everybody; leaders that stand still and
// come back, and two of them at once. Operations are neither lost nor done twice, and nobody leaves a leader that works.

import { describe, expect, it } from 'vitest'
import {
  allChecks,
  CALM,
  type Fault,
  type Link,
  type Observer,
  Simulation,
  scenarioOf,
  Witnesses,
} from '../../src/simulation/index.ts'

/** Who led at the end, and how many led at once in views of their own. */
class Leaders implements Observer {
  most = 0
  readonly views = new Set<number>()
  simulation: Simulation | undefined

  time(): void {
    const leading = (this.simulation?.replicas ?? []).flatMap((replica) => {
      const status = replica.status()
      if (status?.phase !== 'active') return []
      this.views.add(status.view)
      return status.leader === status.self ? [status.view] : []
    })
    this.most = Math.max(this.most, new Set(leading).size)
  }
}

const CLIENT = { ...CALM.clients[0], operations: 120, outstanding: 2, thinkUs: 10_000 }

function weather(change: object) {
  const scenario = scenarioOf({ clients: [CLIENT], safetyMs: 4000, ...change })
  const [witnesses, leaders] = [new Witnesses(), new Leaders()]
  const simulation = new Simulation(scenario, {
    observers: (running) => {
      leaders.simulation = running
      return [...allChecks(running), witnesses, leaders]
    },
  })
  const { failure, simulatedMs } = simulation.run()
  expect(failure).toBeUndefined()
  expect(simulation.clients.flatMap(({ pending }) => pending)).toEqual([])
  const views = simulation.scenario.core.map((address) => simulation.replicas[address]?.status()?.view ?? 0)
  return {
    simulatedMs,
    leaders,
    leader: Math.max(...views) % scenario.group.replicas,
    views,
    witnesses: witnesses.counts,
  }
}

const both = (a: number, b: number): Link[] => [
  [a, b],
  [b, a],
]
const among = (replicas: readonly number[]): Link[] =>
  replicas.flatMap((a) => replicas.flatMap((b): Link[] => (a === b ? [] : [[a, b]])))
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const GROUPS = [
  ['n = 3, crash mode', { replicas: 3, byzantine: 0, crash: 1 }],
  ['n = 5, crash mode', { replicas: 5, byzantine: 0, crash: 2 }],
  ['n = 4', { replicas: 4, byzantine: 1, crash: 0 }],
  ['n = 7', { replicas: 7, byzantine: 2, crash: 0 }],
] as const

describe.each(GROUPS)('%s', (_, group) => {
  const others = range(group.replicas).slice(1)

  it('links of the leader that flap do not cost it its place: neighbours pass on what is missed', () => {
    const faults = range(12).map(
      (i): Fault => ({
        ...{ do: 'cut', links: both(0, others[i % others.length] ?? 1) },
        ...{ when: { atMs: 60 + 120 * i }, until: { atMs: 150 + 120 * i } },
      }),
    )
    const { views } = weather({ seed: 'flapping', group, faults })
    expect(new Set(views)).toEqual(new Set([0]))
  })

  it('a link that works one way only does not stop anything, whichever way', () => {
    for (const link of [[0, 1] as const, [1, 0] as const]) {
      const { views } = weather({ seed: `one way ${link}`, group, faults: [{ do: 'cut', links: [link] }] })
      expect(new Set(views)).toEqual(new Set([0]))
    }
  })

  it('a leader that hears nobody, or that nobody hears, is replaced', () => {
    const deaf: Link[] = others.map((other) => [other, 0])
    const dumb: Link[] = others.map((other) => [0, other])
    for (const links of [deaf, dumb]) {
      const { leaders } = weather({ seed: `${links[0]}`, group, faults: [{ do: 'cut', links, when: { atMs: 100 } }] })
      expect(Math.max(...leaders.views)).toBeGreaterThan(0)
    }
  })

  it('a chain, in which nobody but the middle reaches all, makes progress before it heals', () => {
    const order = [1, 0, ...others.slice(1)]
    const kept = new Set(
      order
        .slice(1)
        .flatMap((each, i) => both(order[i] ?? 0, each))
        .map(String),
    )
    const links = among(range(group.replicas)).filter((link) => !kept.has(String(link)))
    const { simulatedMs } = weather({ seed: 'chain', group, faults: [{ do: 'cut', links, when: { atMs: 50 } }] })
    expect(simulatedMs).toBeLessThan(4000)
  })

  it('a leader that lost its quorum, while one other still hears all, does not stop the group', () => {
    const links = among(range(group.replicas).filter((each) => each !== 1))
    const { simulatedMs } = weather({ seed: 'quorum loss', group, faults: [{ do: 'cut', links, when: { atMs: 50 } }] })
    expect(simulatedMs).toBeLessThan(4000)
  })

  it('a constrained election gets on: the leader is gone, and the next in line reaches nobody but the last', () => {
    const links = [...others.flatMap((each) => both(0, each)), ...others.slice(1, -1).flatMap((each) => both(1, each))]
    const faults: Fault[] = [{ do: 'cut', links, when: { atMs: 50 } }]
    const { simulatedMs } = weather({ seed: 'constrained', group, core: others, faults })
    expect(simulatedMs).toBeLessThan(4000)
  })

  it('a leader that stood still does not take over again when it is back', () => {
    const faults: Fault[] = [{ do: 'pause', replica: 0, when: { atMs: 100 }, until: { atMs: 1200 } }]
    const { leader, leaders } = weather({ seed: 'paused', group, faults, clients: [{ ...CLIENT, operations: 300 }] })
    expect(leaders.most).toBe(2)
    expect(leader).not.toBe(0)
  })

  it('a leader that is cut off with clients of its own, while others elect another, adds nothing to the log', () => {
    const links = others.flatMap((each) => both(0, each))
    const faults: Fault[] = [{ do: 'cut', links, when: { atMs: 100 }, until: { atMs: 1500 } }]
    const clients = [CLIENT, CLIENT, CLIENT].map((each) => ({ ...each, operations: 200 }))
    const { leaders, leader } = weather({ seed: 'two leaders', group, faults, clients })
    // Where it cannot be trusted to be merely cut off, a leader that gets nowhere gives its view up by itself.
    expect(leaders.most).toBe(group.byzantine === 0 ? 2 : 1)
    expect(leader).not.toBe(0)
  })
})

describe('to the lowest that is alive, in crash mode', () => {
  it.each([3, 5])('the old leader takes over again when it is back, and nothing is lost (n = %d)', (replicas) => {
    const group = { replicas, byzantine: 0, crash: (replicas - 1) / 2 }
    const faults: Fault[] = [{ do: 'pause', replica: 0, when: { atMs: 100 }, until: { atMs: 1200 } }]
    const { leader, leaders } = weather({
      ...{ seed: 'lowest alive', group, faults, parameters: { rotation: { policy: 'lowest-alive' } } },
      clients: [{ ...CLIENT, operations: 300 }],
    })
    expect(leaders.most).toBe(2)
    expect(leader).toBe(0)
    expect(Math.max(...leaders.views)).toBeGreaterThan(0)
  })
})

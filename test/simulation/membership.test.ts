// The profile `membership`: what its seeds bring is within what the group bears, and the runs hold what they must.

import { describe, expect, it } from 'vitest'
import { quorumSystem } from '../../crypto/index.ts'
import {
  allChecks,
  type Core,
  type CoreFactory,
  drawScenario,
  identitiesIn,
  type MembershipChange,
  membersByEpoch,
  realCore,
  runScenario,
  type Scenario,
  ScenarioError,
  Simulation,
  scenarioOf,
} from '../../src/simulation/index.ts'

const DRAWN = Array.from({ length: 300 }, (_, seed) => drawScenario(seed + 1, { profile: 'membership' }))

/** The members and numbers of each epoch. */
function epochsOf(scenario: Scenario) {
  let quorum: NonNullable<MembershipChange['quorum']> = scenario.group
  return membersByEpoch(scenario).map((members, i) => {
    quorum = scenario.changes[i - 1]?.quorum ?? quorum
    return { members, ...quorumSystem({ ...quorum, replicas: members.length }) }
  })
}

/** Those that lie, or lose their disk and so count as liars. */
function lying({ liars, faults }: Scenario): Set<number> {
  const wiped = faults.flatMap((fault) => (fault.do === 'crash' && fault.wiped ? [fault.replica] : []))
  return new Set([...liars.map(({ replica }) => replica), ...wiped])
}

describe('a seed of the profile membership', () => {
  it('is a scenario as files may hold them', () => {
    for (const scenario of DRAWN) expect(scenarioOf(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario)
  })

  it('has no more liars in any epoch than may lie there, and a core that holds a quorum of each', () => {
    for (const scenario of DRAWN) {
      const liars = lying(scenario)
      for (const { members, byzantine, quorum } of epochsOf(scenario)) {
        expect(members.filter((each) => liars.has(each)).length).toBeLessThanOrEqual(byzantine)
        expect(members.filter((each) => scenario.core.includes(each)).length).toBeGreaterThanOrEqual(quorum)
      }
      expect(scenario.core.some((each) => liars.has(each))).toBe(false)
    }
  })

  it('brings every kind of change', () => {
    const kinds = new Set<string>()
    for (const scenario of DRAWN) {
      const epochs = epochsOf(scenario)
      scenario.changes.forEach((change, i) => {
        if (change.add > 0) kinds.add('grow')
        if (change.remove.length > 0) kinds.add('shrink')
        if (change.replace !== undefined) kinds.add('replace')
        if (change.rotate !== undefined) kinds.add('rotate')
        if (change.parameters !== undefined) kinds.add('parameters')
        const [before, after] = [epochs[i]?.crashMode, epochs[i + 1]?.crashMode]
        if (before !== after) kinds.add(after ? 'to crash mode' : 'to Byzantine mode')
      })
    }
    expect([...kinds].sort()).toEqual([
      'grow',
      'parameters',
      'replace',
      'rotate',
      'shrink',
      'to Byzantine mode',
      'to crash mode',
    ])
  })

  it('holds every invariant, and goes through all its changes', () => {
    // Among them those that once failed: somebody stood still in each, at the end of an epoch, because all had left who held the state of its beginning, or because all had lost power before that was on disk.
    for (const seed of [1, 2, 3, 11, 24, 40, 1014, 1102, 1170]) {
      const scenario = drawScenario(seed, { profile: 'membership' })
      const simulation = new Simulation(scenario, { observers: allChecks })
      expect(simulation.run().failure).toBeUndefined()
      expect(simulation.epochs.newest).toBe(scenario.changes.length)
    }
  })
})

describe('changes of the membership in a scenario', () => {
  const four = { group: { replicas: 4, byzantine: 1, crash: 0 } }

  it('number those that join in the order in which they are named, places that are taken last', () => {
    const scenario = scenarioOf({
      ...four,
      changes: [
        { afterMs: 0, add: 1, remove: [], replace: [1] },
        { afterMs: 0, add: 0, remove: [0], rotate: [5] },
      ],
    })
    expect(identitiesIn(scenario)).toBe(6)
    expect(membersByEpoch(scenario)).toEqual([
      [0, 1, 2, 3],
      [0, 5, 2, 3, 4],
      [5, 2, 3, 4],
    ])
    expect(runScenario(scenario).failure).toBeUndefined()
  })

  it.each([
    ['too few members', { afterMs: 0, add: 0, remove: [0] }, 'changes[0]: '],
    [
      'an unknown setting',
      { afterMs: 0, add: 0, remove: [], parameters: { windows: 4 } },
      'changes[0].parameters.windows',
    ],
    ['keys that are none', { afterMs: 0, add: 0, remove: [], rotate: 3 }, 'changes[0].rotate: expected a list'],
    ['a quorum that is none', { afterMs: 0, add: 0, remove: [], quorum: 1 }, 'changes[0].quorum: expected an object'],
  ])('are refused with %s', (_, change, begin) => {
    const read = () => scenarioOf({ ...four, changes: [change] })
    expect(read).toThrow(ScenarioError)
    expect(read).toThrow(begin)
  })
})

describe('a key that is no member’s any more', () => {
  it.each([
    ['of who is removed', { afterMs: 50, add: 1, remove: [3] }],
    ['of who goes over to another', { afterMs: 50, add: 0, remove: [], rotate: [3] }],
  ])('%s is erased: whoever signs with it after the hand-over is found out', (_, change) => {
    /** Signs once more when its epoch is over. */
    const clings: CoreFactory = (start) => {
      const { core, effects } = realCore(start)
      let over = false
      const step: Core['step'] = (input) => {
        if (over) start.config.signer.sign(new Uint8Array(161))
        const made = core.step(input)
        over ||= made.some(({ kind }) => kind === 'hand-over')
        return made
      }
      const honest = start.config.self !== 3 || start.config.membership.epoch > 0
      return { core: honest ? core : { ...core, step }, effects }
    }
    const scenario = scenarioOf({ changes: [change] })
    expect(new Simulation(scenario).run().failure).toBeUndefined()
    expect(new Simulation(scenario, { coreFactory: clings }).run().failure?.invariant).toBe('I15 retired key')
  })
})

// Directed schedules, each from a bug that a system of this kind has really had; see docs/simulation.md for their numbers.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  CALM,
  type Fault,
  type Link,
  type RunReport,
  runScenario,
  type Scenario,
  scenarioOf,
} from '../../src/simulation/index.ts'

function run(change: object): RunReport {
  return runScenario(scenarioOf(change))
}

function expectSound({ failure, operations }: RunReport): void {
  expect(failure).toBeUndefined()
  expect(operations.answered).toBe(operations.asked)
  expect(operations.asked).toBeGreaterThan(0)
}

const ONE_CLIENT = [{ ...CALM.clients[0], operations: 12, outstanding: 2 }]
/** Every ordered pair. */
const links = (replicas: readonly number[]): Link[] =>
  replicas.flatMap((a) => replicas.flatMap((b): Link[] => (a === b ? [] : [[a, b]])))

describe('directed schedules', () => {
  it('S01: with a little loss and many copies nothing but the log happens: no view is given up', () => {
    const network = { minDelayUs: 1000, meanExtraUs: 3000, lossProbability: 0.02, duplicateProbability: 0.1 }
    const parameters = { viewTimeoutMs: 1000, viewTimeoutCapMs: 8000 }
    const report = run({
      seed: 'S01',
      network,
      parameters,
      clients: [{ ...CALM.clients[0], operations: 200, retryMs: 2000 }],
      safetyMs: 60_000,
    })
    expectSound(report)
    expect(report.witnesses['view changed'] ?? 0).toBe(0)
  })

  it('S02: a leader that offers two values decides at most one, is found out, and is replaced', () => {
    const report = run({ seed: 'S02', liars: [{ replica: 0, behaviour: 'equivocate' }], clients: ONE_CLIENT })
    expectSound(report)
    expect(report.witnesses['lie proved']).toBeGreaterThan(0)
    expect(report.witnesses['view changed']).toBeGreaterThan(0)
  })

  it('S03: a body that only two followers got survives the leader that sent it', () => {
    const faults: Fault[] = [
      { do: 'drop', messages: { kind: 'propose', from: 0, to: 3 } },
      { do: 'drop', messages: { kind: 'bodies' }, until: { view: 1, of: 3 } },
      { do: 'crash', replica: 0, when: { record: 'chosen', of: 1 } },
    ]
    const report = run({ seed: 'S03', faults, core: [1, 2, 3], clients: ONE_CLIENT })
    expectSound(report)
    expect(report.faults.crash).toBe(1)
    expect(report.witnesses['view changed']).toBeGreaterThan(0)
  })

  it('S06: after a star around one replica during a view change all go on, without new requests', () => {
    // The leader falls silent with requests under way; the others hear only r0, which hears no request.
    const faults: Fault[] = [
      { do: 'drop', messages: { kind: 'propose', view: 0 } },
      { do: 'cut', links: links([1, 2, 3]), when: { message: { kind: 'view-change' } }, until: { afterMs: 600 } },
    ]
    const report = run({ seed: 'S06', faults, clients: [{ ...CALM.clients[0], operations: 8, outstanding: 8 }] })
    expectSound(report)
    expect(report.faults.cut).toBe(1)
    expect(report.witnesses['view changed']).toBeGreaterThan(0)
  })

  it('S07: a replica that accepted in one view and one that accepted in the next do not lock the others (neo 792)', () => {
    const faults: Fault[] = [
      { do: 'drop', messages: { kind: 'accept', view: 0 } },
      { do: 'drop', messages: { kind: 'prepare', view: 0, to: 0 } },
      { do: 'drop', messages: { kind: 'prepare', view: 0, to: 1 } },
      { do: 'drop', messages: { kind: 'accept', view: 1 } },
      { do: 'drop', messages: { kind: 'prepare', view: 1, to: 0 } },
      { do: 'drop', messages: { kind: 'prepare', view: 1, to: 2 } },
    ]
    const report = run({ seed: 'S07', faults, clients: ONE_CLIENT })
    expectSound(report)
    expect(report.witnesses['prepared value proposed again']).toBeGreaterThan(0)
  })

  it('S09: with n = 5 and b = 1 an equivocating leader that also votes twice splits nothing', () => {
    for (const behaviour of ['equivocate', 'double-vote']) {
      expectSound(
        run({
          seed: 'S09',
          group: { replicas: 5, byzantine: 1, crash: 0 },
          liars: [{ replica: 0, behaviour }],
          clients: ONE_CLIENT,
        }),
      )
    }
  })

  it('S10: one liar and one power cut at any step of a slot (n = 6, b = 1, c = 1)', () => {
    for (const record of ['entry', 'vote', 'prepared', 'chosen', 'promise', 'new-view']) {
      const faults: Fault[] = [{ do: 'crash', replica: 1, when: { record, of: 1, nth: 2 }, until: { afterMs: 300 } }]
      const group = { replicas: 6, byzantine: 1, crash: 1 }
      expectSound(
        run({
          seed: `S10 ${record}`,
          group,
          liars: [{ replica: 0, behaviour: 'random' }],
          faults,
          clients: ONE_CLIENT,
        }),
      )
    }
  })

  it('S12: power lost at every single record, before and after it is on disk, makes nobody vote twice', () => {
    let cuts = 0
    for (const of of [0, 1]) {
      for (const durable of [false, true]) {
        for (const record of ['entry', 'vote', 'prepared', 'chosen', 'checkpoint', 'stable']) {
          for (const nth of [1, 2, 3]) {
            const faults: Fault[] = [
              { do: 'crash', replica: of, when: { record, of, nth, durable }, until: { afterMs: 40 } },
            ]
            const parameters = { window: 2, checkpointInterval: 2, maxBatchRequests: 4 }
            const report = run({
              seed: `S12 ${of} ${durable} ${record} ${nth}`,
              faults,
              parameters,
              clients: ONE_CLIENT,
            })
            expectSound(report)
            cuts += report.faults.crash ?? 0
          }
        }
      }
    }
    expect(cuts).toBeGreaterThan(60)
  })

  it('S15: votes with torsion count nowhere, and the others decide without them', () => {
    const report = run({ seed: 'S15', liars: [{ replica: 1, behaviour: 'torsion-sign' }], clients: ONE_CLIENT })
    expectSound(report)
    expect(report.witnesses['bad message refused']).toBeGreaterThan(0)
  })

  it('S17: of two commands under one number one wins everywhere, across a view change', () => {
    const faults: Fault[] = [{ do: 'crash', replica: 0, when: { executed: 2, of: 0 }, until: { afterMs: 400 } }]
    const report = run({ seed: 'S17', faults, clients: [{ ...ONE_CLIENT[0], fault: 'equivocates' }, ONE_CLIENT[0]] })
    expectSound(report)
    expect(report.witnesses['number used twice by a client']).toBeGreaterThan(0)
  })

  it('S23: a leader that leaves holes, or proposes only the end of the window, is replaced', () => {
    for (const behaviour of ['hole-maker', 'window-edge']) {
      const report = run({ seed: 'S23', liars: [{ replica: 0, behaviour }], clients: ONE_CLIENT })
      expectSound(report)
      expect(report.witnesses['view changed']).toBeGreaterThan(0)
    }
  })

  it("S25: checkpoints that one liar invents free nobody's memory and move no window", () => {
    for (const behaviour of [
      'checkpoint-liar:past',
      'checkpoint-liar:future',
      'checkpoint-liar:split',
      'wrong-state-root',
    ]) {
      const clients = [{ ...ONE_CLIENT[0], operations: 40 }]
      expectSound(
        run({
          seed: 'S25',
          liars: [{ replica: 2, behaviour }],
          parameters: { window: 2, checkpointInterval: 2, maxBatchRequests: 1 },
          clients,
        }),
      )
    }
  })

  it('S26: an empty replica gets the state although those it asks first lie about it', () => {
    for (const behaviour of ['bad-snapshot', 'sync-liar']) {
      const faults: Fault[] = [{ do: 'crash', replica: 3, until: { atMs: 400 } }]
      const parameters = { window: 2, checkpointInterval: 2, maxBatchRequests: 1 }
      const clients = [{ ...ONE_CLIENT[0], operations: 60, thinkUs: 4000 }]
      const report = run({ seed: 'S26', liars: [{ replica: 0, behaviour }], faults, parameters, clients })
      expectSound(report)
      expect(report.witnesses['snapshot installed']).toBeGreaterThan(0)
    }
  })

  it('S31: beyond b liars it promises nothing, and says so', () => {
    const liars = [0, 1].map((replica) => ({ replica, behaviour: 'equivocate' }))
    const report = run({ seed: 'S31', liars, core: [2, 3], clients: ONE_CLIENT })
    expect(report.excuses).toContain('more liars than b')
  })

  it('crash mode: two of five stop and a cut-off one returns without deposing the leader', () => {
    const group = { replicas: 5, byzantine: 0, crash: 2 }
    const away: Fault = {
      do: 'cut',
      links: [0, 1, 2, 3].flatMap((i): [number, number][] => [
        [i, 4],
        [4, i],
      ]),
      until: { atMs: 600 },
    }
    const crash: Fault = { do: 'crash', replica: 3, when: { executed: 2, of: 3 } }
    const clients = [{ ...ONE_CLIENT[0], operations: 60, thinkUs: 20_000 }]
    const report = run({ seed: 'S29', group, faults: [away, crash], core: [0, 1, 2, 4], clients })
    expectSound(report)
    expect(report.witnesses['view changed'] ?? 0).toBe(0)
  })
})

describe('a scenario file', () => {
  it.each<[string, object, RegExp]>([
    ['a setting that does not exist', { netwrok: {} }, /netwrok: no such setting/],
    ['a nested one', { network: { loss: 1 } }, /network\.loss: no such setting/],
    ['a wrong type', { safetyMs: 'long' }, /safetyMs: expected a number/],
    ['a group that cannot be', { group: { replicas: 3, byzantine: 1, crash: 0 } }, /group: .*needs n >= 3b/],
    [
      'a fault that is told',
      { faults: [{ do: 'crash', replica: 0, told: false }] },
      /faults\[0\]\.told: expected true/,
    ],
    ['an unknown fault', { faults: [{ do: 'explode' }] }, /faults\[0\]\.do: expected one of cut, clog/],
    ['a fault without its replica', { faults: [{ do: 'crash' }] }, /faults\[0\]\.replica: missing/],
    ['an unknown behaviour', { liars: [{ replica: 0, behaviour: 'nice' }] }, /nice/],
    ['an unknown defect', { defects: ['none-such'] }, /none-such/],
    ['another format', { format: 'quorate-scenario-0' }, /format: expected quorate-scenario-1/],
    ['a client setting that does not exist', { clients: [{ speed: 1 }] }, /clients\[0\]\.speed: no such setting/],
  ])('is refused for %s', (_, value, sentence) => {
    expect(() => scenarioOf(value)).toThrow(sentence)
  })

  it('that names nothing is the calm run, and one that was written is read as it is', () => {
    const calm: Scenario = scenarioOf({})
    expect(calm).toEqual({ ...CALM, core: [0, 1, 2, 3] })
    expect(scenarioOf(JSON.parse(JSON.stringify(calm)))).toEqual(calm)
  })

  // One slot for each invented request made a storm of 100670, and of 100902 a core that kept more than its clients may ask for.
  it.each([100_670, 100_902])('a liar that invents clients takes neither room nor slots (swarm %d)', (seed) => {
    const found = new URL(`./found/swarm-${seed}.json`, import.meta.url)
    const report = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expectSound(report)
    expect(report.liars).toBeGreaterThan(0)
  })

  it('that loses its memory is one voter less, also for the check of what must be carried over (swarm 1003784)', () => {
    const found = new URL('./found/swarm-1003784.json', import.meta.url)
    const { failure } = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expect(failure).toBeUndefined()
  })

  it('of ten with time-outs too short for their disks say things again ever less often (swarm 1004483)', () => {
    const found = new URL('./found/swarm-1004483.json', import.meta.url)
    const { failure, events } = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expect(failure).toBeUndefined()
    expect(events).toBeLessThan(600_000)
  })

  it('of ten with time-outs shorter than their messages take do not fill the links with copies (swarm 12007326)', () => {
    const found = new URL('./found/swarm-12007326.json', import.meta.url)
    const { failure, events } = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expect(failure).toBeUndefined()
    expect(events).toBeLessThan(600_000)
  })

  it('whose power fails before its first NewView is durable may begin the view with another one (crash 30007965)', () => {
    const found = new URL('./found/crash-30007965.json', import.meta.url)
    const { failure } = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expect(failure).toBeUndefined()
  })

  it('whose disk stands still while views go by keeps no votes of views that are over (swarm 3000875)', () => {
    const found = new URL('./found/swarm-3000875.json', import.meta.url)
    const { failure } = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expect(failure).toBeUndefined()
  })

  it('whose disk is slower than all others keeps no votes of slots that are stable without them (membership 21)', () => {
    const found = new URL('./found/membership-21.json', import.meta.url)
    const { failure } = runScenario(scenarioOf(JSON.parse(readFileSync(found, 'utf8'))))
    expect(failure).toBeUndefined()
  })
})

// No lease ends early: whatever the leaders' clocks say, and across a change of leader, a lease whose time to live was asked for with
// twice the drift bound on top lives for what its owner counts on.

import { describe, expect, it } from 'vitest'
import { type Observer, type Operation, type Scenario, Simulation, scenarioOf } from '../../src/simulation/index.ts'

const DRIFT = 400

/** When each entry was first executed (true time, microseconds), with its agreed time; and what clients were told about leases. */
class Recorder implements Observer {
  readonly entries: { readonly atUs: number; readonly timestampMs: number }[] = []
  readonly operations: Operation[] = []
  readonly leaders = new Set<number>()
  private nowUs = 0
  private highest = 0

  time(nowUs: number): void {
    this.nowUs = nowUs
  }

  effect: NonNullable<Observer['effect']> = (replica, effect) => {
    if (effect.kind === 'view' && effect.active) this.leaders.add(effect.view % 4)
    if (effect.kind !== 'execute' || !replica.honest || effect.entry.header.slot <= this.highest) return
    this.highest = effect.entry.header.slot
    this.entries.push({ atUs: this.nowUs, timestampMs: effect.timestampMs })
  }

  returned(operation: Operation): void {
    this.operations.push(operation)
  }
}

function scenario(clocks: readonly number[], liars: Scenario['liars'] = []): Scenario {
  return scenarioOf({
    about: 'leases, with clocks that are apart by the bound',
    seed: `clocks ${clocks.join()}`,
    parameters: { clockDriftMs: DRIFT, viewTimeoutMs: 100, viewTimeoutCapMs: 400 },
    clocks: clocks.map((offsetMs) => ({ offsetMs, driftPpm: 0 })),
    clients: [{ operations: 150, outstanding: 2, bundle: 2, thinkUs: 20_000, retryMs: 200 }],
    workload: { keys: 2, reads: 30, deletes: 5, swaps: 5, leases: 80, leaseTtlMs: 3 * DRIFT },
    liars,
    faults: [
      { do: 'crash', replica: 0, when: { atMs: 600 }, until: { atMs: 1500 } },
      ...(liars.length === 0 ? [{ do: 'crash', replica: 1, when: { atMs: 1600 }, until: { atMs: 2400 } }] : []),
    ],
    safetyMs: 8000,
    livenessMs: 20_000,
  })
}

function recorded(run: Scenario): Recorder {
  const recorder = new Recorder()
  const simulation = new Simulation(run, { observers: () => [recorder] })
  expect(simulation.run().failure).toBeUndefined()
  return recorder
}

/** Leases granted or kept alive: when that was asked for, for how long, and until which agreed time. */
function promises({ operations }: Recorder) {
  const ttls = new Map<number, number>()
  return operations.flatMap(({ command, answer, invokedUs }) => {
    if (command.kind !== 'leased' || answer?.kind !== 'leased') return []
    const [asked, told] = [command.command, answer.response]
    if (asked.kind === 'lease-grant' && told.kind === 'lease-grant') {
      ttls.set(told.lease, asked.ttlMs)
      return [{ invokedUs, ttlMs: asked.ttlMs, endsMs: told.expiresAtMs }]
    }
    if (asked.kind !== 'lease-keep-alive' || told.kind !== 'lease-keep-alive') return []
    return [{ invokedUs, ttlMs: ttls.get(asked.lease) ?? 0, endsMs: told.expiresAtMs }]
  })
}

/** By how much, in milliseconds of true time, each promise was kept; negative where it was not. */
function slackOf(recorder: Recorder): number[] {
  return promises(recorder).flatMap(({ invokedUs, ttlMs, endsMs }) => {
    const end = recorder.entries.find(({ timestampMs }) => timestampMs >= endsMs)
    return end === undefined ? [] : [(end.atUs - invokedUs) / 1000 - (ttlMs - 2 * DRIFT)]
  })
}

describe('a lease', () => {
  it.each([
    ['that are right', [0, 0, 0, 0]],
    ['of which the next leader is ahead by the bound', [-DRIFT / 2, DRIFT / 2, 0, 0]],
    ['of which the next leader is behind by the bound', [DRIFT / 2, -DRIFT / 2, 0, 0]],
    ['that are all apart', [-DRIFT / 2, DRIFT / 2, -DRIFT / 4, DRIFT / 4]],
  ])('ends in no leader change before what its owner counts on, by clocks %s', (_name, clocks) => {
    const recorder = recorded(scenario(clocks))
    const slack = slackOf(recorder)
    expect(recorder.leaders.size).toBeGreaterThan(0)
    expect(slack.length).toBeGreaterThan(10)
    expect(Math.min(...slack)).toBeGreaterThanOrEqual(0)
  })

  it('would end early without the drift bound on top: the clocks of two leaders show', () => {
    const slack = slackOf(recorded(scenario([-DRIFT / 2, DRIFT / 2, 0, 0])))
    // What the owner counted on would be longer by twice the bound.
    expect(Math.min(...slack) - 2 * DRIFT).toBeLessThan(0)
  })
})

// What simulated replicas are told of the channels between them, and what they make of it.

import { describe, expect, it } from 'vitest'
import { replicaIndex } from '../../crypto/index.ts'
import { Channels } from '../../src/simulation/channels.ts'
import { CALM, type Fault, type RunReport, runScenario, scenarioOf } from '../../src/simulation/index.ts'

function channels(...addresses: number[]) {
  const told: string[] = []
  const made = new Channels({
    addresses,
    tell: (to, packet) => told.push(packet.kind === 'link' ? `${to}: ${packet.address} ${packet.up}` : packet.kind),
  })
  /** What was told since it was asked last. */
  return { made, told: () => told.splice(0) }
}

function replica(address: number) {
  const index = replicaIndex(address)
  return { address, index, identity: address, honest: true, up: true, status: () => undefined }
}

describe('channels', () => {
  it('tell all others of a replica that stops where that is noticed, and of its return', () => {
    const { made, told } = channels(0, 1, 2)
    made.stopped(replica(0))
    made.started(replica(0))
    expect(told()).toEqual([])
    made.notice(0, true)
    made.stopped(replica(0))
    made.stopped(replica(1))
    expect(told()).toEqual(['1: 0 false', '2: 0 false'])
    made.notice(0, false)
    // The other one is not told of what it knows nothing of any more.
    made.started(replica(1))
    made.started(replica(0))
    expect(told()).toEqual(['2: 0 true'])
  })

  it('tell of an end and of a beginning once', () => {
    const { made, told } = channels(0, 1)
    made.make(0, 1)
    made.breakOff(0, 1)
    made.breakOff(0, 1)
    made.make(0, 1)
    made.make(0, 1)
    expect(told()).toEqual(['1: 0 false', '1: 0 true'])
  })
})

const CLIENT = { ...CALM.clients[0], operations: 120, outstanding: 2, thinkUs: 10_000 }

function run(...faults: Fault[]): RunReport {
  const report = runScenario(scenarioOf({ clients: [CLIENT], safetyMs: 4000, faults }))
  expect(report.failure).toBeUndefined()
  expect(report.operations.answered).toBe(CLIENT.operations)
  return report
}

const DEATH = { do: 'crash', replica: 0, when: { executed: 10, of: 1 }, until: { afterMs: 3000 } } as const

describe('a simulated leader that dies', () => {
  it('is given up as gone where its peers are told, and by the time-out where not', () => {
    const told = run({ ...DEATH, told: true })
    expect(told.witnesses['leader given up as gone']).toBeGreaterThan(0)
    const silent = run(DEATH)
    expect(silent.witnesses['leader given up as gone']).toBeUndefined()
    expect(silent.witnesses['view changed']).toBeGreaterThan(0)
  })

  it('of a full or broken disk is given up likewise', () => {
    const report = run({ ...DEATH, do: 'fail-disk', told: true })
    expect(report.witnesses['leader given up as gone']).toBeGreaterThan(0)
  })
})

describe('a link that breaks where both ends notice', () => {
  it('takes no leader from those who hear it', () => {
    const report = run({ do: 'cut', links: [[0, 1]], told: true, when: { atMs: 200 } })
    expect(report.witnesses['view changed']).toBeUndefined()
  })

  it('takes the leader from all who lost it', () => {
    const links = [1, 2, 3].map((to) => [0, to] as const)
    const report = run({ do: 'cut', links, told: true, when: { atMs: 200 }, until: { afterMs: 2000 } })
    expect(report.witnesses['leader given up as gone']).toBeGreaterThan(0)
  })
})

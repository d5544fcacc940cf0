// What is lost, ordered again, or got from liars: disks with flipped bits, requests in several slots, states from bad sources.

import { describe, expect, it } from 'vitest'
import {
  appendLeaf,
  EMPTY_FRONTIER,
  frontierRoot,
  leafHash,
  replicaIndex,
  slot,
  utf8,
  type Verified,
} from '../../crypto/index.ts'
import type { StableCheckpoint } from '../../src/consensus/index.ts'
import { AuthenticatedMap, prefixed, toText } from '../../src/machine/authenticated-map/index.ts'
import { CALM, DAMAGES, type Fault, type RunReport, runScenario, scenarioOf } from '../../src/simulation/index.ts'
import { Transfer } from '../../src/simulation/transfer.ts'

const SMALL = { window: 2, checkpointInterval: 2, maxBatchRequests: 2 }

function run(change: object): RunReport {
  return runScenario(scenarioOf(change))
}

function expectSound({ failure, operations, excuses }: RunReport): void {
  expect(failure).toBeUndefined()
  expect(excuses).toEqual([])
  expect(operations.answered).toBe(operations.asked)
  expect(operations.asked).toBeGreaterThan(0)
}

/** The log of the checkpoint below: four entries. */
const LOG = ['a', 'b', 'c', 'd'].reduce((log, text) => appendLeaf(log, leafHash(utf8(text))), EMPTY_FRONTIER)

/** A state of several chunks. */
function stateWith(label: string, keys: number) {
  const map = new AuthenticatedMap()
  for (let i = 0; i < keys; i++) {
    map.set(prefixed(1, utf8(`${label} ${i}`)), toText(new Uint8Array(8192).fill(i)))
  }
  const snapshot = map.snapshot()
  return { root: snapshot.root, chunk: (path: Uint8Array) => snapshot.chunk(path).bytes }
}

function poisoned(chunk: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(chunk)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  return bytes
}

const isRare = (kind: string) => kind === 'promise' || kind === 'new-view'

const clients = [{ ...CALM.clients[0], operations: 60, outstanding: 4, thinkUs: 4000 }]

describe('S14: bits flip on the disk of one replica', () => {
  it.each(DAMAGES)('in its %s: it gets that again or stays out, and votes for nothing twice', (damaged) => {
    let hits = 0
    for (const nth of [1, 2, 3]) {
      // Views are given up once, so that there are promises and NewViews; a snapshot is there once a checkpoint is stable.
      const quiet: Fault = { do: 'drop', messages: { kind: 'propose', view: 0 }, when: { atMs: 40 } }
      const when =
        damaged === 'snapshot'
          ? { executed: 4 + 2 * nth, of: 3 }
          : { record: damaged, of: 3, nth: isRare(damaged) ? 1 : nth, durable: true }
      const crash: Fault = { do: 'crash', replica: 3, damaged, when, until: { afterMs: 50 * nth } }
      const again = damaged === 'snapshot' || damaged === 'chosen'
      const report = run({
        seed: `S14 ${damaged} ${nth}`,
        parameters: SMALL,
        clients,
        faults: [quiet, crash],
        core: again ? [0, 1, 2, 3] : [0, 1, 2],
      })
      expectSound(report)
      hits += report.faults[`damaged ${damaged}`] ?? 0
    }
    expect(hits).toBeGreaterThan(1)
  })

  it('a replica that may have lost a promise is no part of what goes on', () => {
    const crash: Fault = {
      do: 'crash',
      replica: 3,
      damaged: 'vote',
      when: { executed: 4, of: 3 },
      until: { afterMs: 50 },
    }
    const report = run({ seed: 'S14 core', faults: [crash], clients, safetyMs: 500, livenessMs: 1000 })
    // The core of a calm run is everybody, so one that stays out is missed.
    expect(report.failure?.invariant).toBe('I12 liveness')
  })
})

describe('a disk that fails', () => {
  it('ends its process, which goes on where it was on a disk that works', () => {
    const fails: Fault = { do: 'fail-disk', replica: 0, when: { executed: 3, of: 0 }, until: { afterMs: 300 } }
    const report = run({ seed: 'failing disk', faults: [fails], parameters: SMALL, clients })
    expectSound(report)
    expect(report.faults['fail-disk']).toBe(1)
    expect(report.witnesses['view changed']).toBeGreaterThan(0)
  })
})

describe('S18: one request in many slots', () => {
  it('takes effect once, across checkpoints and an installed snapshot, with equal results everywhere', () => {
    // Seven, so that five go on while the liar stands by what it proposed and one is away.
    const away: Fault = { do: 'crash', replica: 6, when: { executed: 1, of: 6 }, until: { atMs: 150 } }
    const report = run({
      seed: 'S18',
      group: { replicas: 7, byzantine: 2, crash: 0 },
      liars: [{ replica: 0, behaviour: 'order-again' }],
      faults: [away],
      parameters: { ...SMALL, maxBatchRequests: 4 },
      clients,
    })
    expectSound(report)
    expect(report.witnesses['request ordered again']).toBeGreaterThan(2)
    expect(report.witnesses['snapshot installed']).toBeGreaterThan(0)
    expect(report.witnesses['checkpoint stable']).toBeGreaterThan(4)
  })
})

describe('S26: an empty replica asks liars for the state', () => {
  it.each(['bad-snapshot', 'sync-liar', 'selective-silent:3', 'replay-old'])(
    'with one honest server only, behind %s and a link that loses a fifth',
    (behaviour) => {
      const away: Fault = { do: 'crash', replica: 3, until: { atMs: 400 } }
      const cut: Fault = {
        do: 'cut',
        links: [
          [2, 3],
          [3, 2],
        ],
      }
      const report = run({
        seed: `S26 ${behaviour}`,
        liars: [{ replica: 0, behaviour }],
        faults: [away, cut],
        parameters: SMALL,
        network: { minDelayUs: 1000, meanExtraUs: 2000, lossProbability: 0.2 },
        safetyMs: 4000,
        clients,
      })
      expectSound(report)
      expect(report.witnesses['snapshot installed']).toBeGreaterThan(0)
    },
  )

  const state = stateWith('ours', 40)
  const checkpoint = {
    slot: slot(4),
    logRoot: frontierRoot(LOG),
    stateRoot: state.root,
    signatures: [],
  } as unknown as Verified<StableCheckpoint>

  it('installs nothing but the state that q signed: no poison, no older state, none of another cluster', () => {
    const older = stateWith('ours', 30)
    const foreign = stateWith('theirs', 40)
    const sources = [0, 1, 2, 3].map(replicaIndex)
    const transfer = new Transfer(checkpoint, sources, 1000)
    let step = transfer.tick(0)
    const given: string[] = []
    for (let nowUs = 0; step.kind !== 'done' && nowUs < 100_000; nowUs += 100) {
      if (step.kind !== 'ask') {
        step = transfer.tick(nowUs)
        continue
      }
      const { of, path } = step
      const chunks = [poisoned(state.chunk(path)), older.chunk(path), foreign.chunk(path), state.chunk(path)]
      const chunk = chunks[of]
      if (chunk === undefined) throw new Error(`asked replica ${of}`)
      given.push(['poison', 'older', 'foreign', 'genuine'][of] ?? '')
      step = transfer.take({ kind: 'snapshot-chunk', from: of, slot: slot(4), path, frontier: LOG, chunk }, nowUs)
    }
    expect(step.kind).toBe('done')
    expect(transfer.refused).toBe(3)
    expect(given).toEqual(expect.arrayContaining(['poison', 'older', 'foreign', 'genuine']))
    if (step.kind === 'done') expect(step.map.commit()).toEqual(state.root)
  })

  it('leaves one that is silent after its patience, however often that one sends a byte of nothing', () => {
    const transfer = new Transfer(checkpoint, [replicaIndex(0), replicaIndex(1)], 1000)
    const first = transfer.tick(0)
    if (first.kind !== 'ask') throw new Error('does not ask')
    expect(first.of).toBe(0)
    const trickle = { kind: 'snapshot-chunk', slot: slot(4), path: utf8('no path'), frontier: LOG } as const
    for (let nowUs = 100; nowUs < 1000; nowUs += 100) {
      const step = transfer.take({ ...trickle, from: replicaIndex(0), chunk: Uint8Array.of(0) }, nowUs)
      expect(step.kind).toBe('wait')
    }
    expect(transfer.tick(999).kind).toBe('wait')
    const next = transfer.tick(1000)
    expect(next.kind === 'ask' && next.of).toBe(1)
  })
})

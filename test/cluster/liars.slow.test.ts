// Replicas as real processes, of which some lie. Requests are answered rightly all the same; where a lie cannot help leaving proof,
// the honest ones hold it. Every behaviour of the table runs by itself, so a new one needs no word here.

import { afterEach, describe, expect, it } from 'vitest'
import { BEHAVIOURS } from '../../src/byzantine/index.ts'
import { Harness, type HarnessOptions } from './harness.ts'

/**
 * Lies of a first leader that contradict one another in its own signatures, whatever the timing, and what proves them. The others
 * leave none (`mute`, `slow`), or none for certain: `disobey` and `hide-prepared` only where a view change carries something over.
 */
const PROOFS: Readonly<Record<string, string>> = {
  equivocate: 'two-votes',
  'double-vote': 'two-votes',
  'checkpoint-liar': 'two-checkpoints',
}
/** What a first leader never does, since it enters its view without a NewView, or does in the next view only. */
const AT_VIEW_CHANGES = ['disobey', 'hide-prepared', 'two-new-views', 'bad-new-view']

/** Few slots between checkpoints, so that a hundred requests pass several and notes are lied about too. */
const SHORT = { window: 4, checkpointInterval: 8 }
const WORKERS = { workers: 4 }
const ENOUGH = 100

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

async function start(options: HarnessOptions): Promise<Harness> {
  harness = await Harness.start({ parameters: SHORT, ...options })
  return harness
}

async function proven(made: Harness, accused: number, kind: string): Promise<void> {
  await made.cluster.until(`an honest replica holds ${kind} of ${accused}`, () => {
    return made.honest().some(({ lies }) => lies.some((lie) => lie.accused === accused && lie.kind === kind))
  })
}

/** What a liar says of itself when it starts. */
function confessions({ errors }: Harness): string[] {
  return errors.flatMap((line) => /replica \d+ lies on purpose: .*[^\s]/.exec(line)?.[0] ?? []).sort()
}

describe('a cluster of four whose first leader lies', () => {
  const rows = Object.keys(BEHAVIOURS).map((name) => [name, PROOFS[name] ?? 'not for certain'] as const)

  it.each(rows)('answers rightly although it does %s (proof: %s)', async (name) => {
    const made = await start({ replicas: 4, liars: { 0: name } })
    const load = await made.load(WORKERS)
    await made.answered(load, ENOUGH)
    const kind = PROOFS[name]
    if (kind !== undefined) await proven(made, 0, kind)
    await made.verdict()
    expect(confessions(made)).toEqual([expect.stringContaining(name)])
  })

  it('does what is in the table of behaviours, all that this file names included', () => {
    expect(Object.keys(BEHAVIOURS)).toEqual(expect.arrayContaining([...Object.keys(PROOFS), ...AT_VIEW_CHANGES]))
  })
})

describe('a cluster of four whose next leader lies', () => {
  it.each(AT_VIEW_CHANGES)('answers rightly although it does %s after the first was killed', async (name) => {
    const made = await start({ replicas: 4, liars: { 1: name } })
    const { cluster } = made
    const load = await made.load(WORKERS)
    await made.answered(load, ENOUGH / 2)
    await cluster.kill(0)
    // With one killed and one that lies there are more faulty ones than four bear, so nothing need be answered here.
    await cluster.until('the others leave its view', () => made.honest().every(({ view }) => view > 0))
    await cluster.start(0)
    await made.answered(load, ENOUGH)
    await made.verdict()
    expect(confessions(made)).toEqual([expect.stringContaining(name)])
  })
})

describe('a cluster of seven', () => {
  it('answers rightly although its first two leaders lie, one by equivocate and one by double-vote (proof of both)', async () => {
    const made = await start({ replicas: 7, liars: { 0: 'equivocate', 1: 'double-vote' } })
    const load = await made.load(WORKERS)
    await made.answered(load, ENOUGH)
    for (const liar of [0, 1]) await proven(made, liar, 'two-votes')
    await made.verdict()
    expect(made.honest()).toHaveLength(5)
    expect(confessions(made)).toHaveLength(2)
  })

  it('answers rightly although its leader does withhold-body while a follower is killed with -9, and takes that back', async () => {
    const made = await start({ replicas: 7, liars: { 0: 'withhold-body' } })
    const { cluster } = made
    const load = await made.load(WORKERS)
    await made.answered(load, ENOUGH / 2)
    await cluster.kill(6)
    await made.answered(load, ENOUGH)
    await cluster.start(6)
    await made.verdict()
    expect(made.honest()).toHaveLength(6)
  })
})

// Four replicas as real processes, of which the first leader lies. Requests are answered rightly all the same; where the lie leaves
// proof, the honest ones hold it.

import { afterEach, describe, expect, it } from 'vitest'
import { Harness } from './harness.ts'

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

describe('a cluster whose first leader lies', () => {
  it.each([
    ['equivocate', true],
    ['wrong-result', false],
    ['forge-certificate', false],
    ['mute', false],
  ])('answers rightly although it does %s (proof left: %s)', async (behaviour, proof) => {
    harness = await Harness.start({ replicas: 4, liars: { 0: behaviour } })
    const { cluster } = harness
    const load = await harness.load()
    await harness.answered(load, 300)
    if (proof) {
      await cluster.until('an honest replica holds proof', () => {
        return harness?.honest().some(({ lies }) => lies.some(({ accused }) => accused === 0)) ?? false
      })
    }
    await harness.verdict()
    expect(harness.errors.some((line) => line.includes(`replica 0 lies on purpose: ${behaviour}`))).toBe(true)
  })
})

// The end of an epoch, and power that goes at every single record of it.

import { describe, expect, it } from 'vitest'
import { FOUR, lossOfPower, THREE } from '../support/epoch-power.ts'

describe.each([
  ['n=4, b=1', FOUR],
  ['n=3, b=0', THREE],
] as const)('a power cut at any record of a change (%s)', (_name, plan) => {
  it.each([
    ['the leader', [0]],
    ['a follower', [plan.keys.length - 1]],
    ['everybody', plan.keys],
  ])('of %s loses nothing, and nobody contradicts what it said', (_who, victims) => {
    expect(lossOfPower(plan, victims, 1)).toBeUndefined()
  })
})

// Seeds of the profile membership that failed once.

import { expect, it } from 'vitest'
import { runSeed } from '../../src/simulation/index.ts'

it.each([
  ['a liar that is a member no more made up a chain of nobody', 31129],
  ['half of an odd time-out was to be a parameter', 31189],
])('where %s, everything holds (seed %i)', (_, seed) => {
  const { failure } = runSeed(seed, { profile: 'membership' }).report
  expect(failure).toBeUndefined()
})

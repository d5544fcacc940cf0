// Seeds of `swarm` that a check refused although all was well. What was wrong elsewhere is kept in found/.

import { expect, it } from 'vitest'
import { runSeed } from '../../src/simulation/index.ts'

it.each([
  // Ten replicas, one request a slot, one slot at a time, links that stall for 50 ms: 43 slots after the healing took 11.1 of 10.1 s.
  [22029644, 'a core that decides one request at a time has the time for all of them'],
])('seed %i: %s', (seed) => {
  const { failure } = runSeed(seed, { profile: 'swarm' }).report
  expect(failure?.message).toBeUndefined()
})

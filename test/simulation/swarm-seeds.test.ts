// Seeds of `swarm` that found something, where what was wrong lay in how they are drawn. What was wrong elsewhere is kept in found/.

import { expect, it } from 'vitest'
import { runSeed } from '../../src/simulation/index.ts'

it.each([
  // Ten replicas, one request a slot, one slot at a time, links that stall for 50 ms: 39 slots after the healing took 10.2 of 10.1 s.
  [22029644, 'a core that decides one request at a time has the time for all of them'],
])('seed %i: %s', (seed) => {
  const { failure } = runSeed(seed, { profile: 'swarm' }).report
  expect(failure?.message).toBeUndefined()
})

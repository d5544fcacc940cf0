// Runs in which the log may fork, since one replica too many lies; checks/forks.ts asks who it was.

import { Random } from './kernel/index.ts'
import { drawFixed } from './profiles.ts'
import type { Scenario } from './scenario.ts'
import { splitBrain } from './split-brain.ts'

/** A run with one liar too many: b + 1 twins, on both sides of splits, and clients that go on all the while. */
export function drawFork(seed: number, replicas: number): Scenario {
  const drawn = drawFixed(seed, { profile: 'twins', replicas })
  const random = new Random(`fork ${seed}`)
  const members = Array.from({ length: replicas }, (_, i) => i)
  const twins = random.sample(members, drawn.group.byzantine + 1)
  const { viewTimeoutMs } = drawn.parameters
  const split = splitBrain(random, { replicas, twins, clients: drawn.clients.length, timeoutMs: viewTimeoutMs }, 6)
  return {
    ...drawn,
    about: `fork ${seed} of ${replicas}`,
    seed: `fork ${seed}`,
    twins,
    faults: [...split.faults, ...(random.chance(0.5) ? drawn.faults : [])],
    clients: drawn.clients.map((client) => ({
      ...client,
      operations: 100,
      outstanding: 2,
      thinkUs: viewTimeoutMs * 200,
      retryMs: viewTimeoutMs,
    })),
    safetyMs: split.endMs,
    core: members.filter((replica) => !twins.includes(replica)),
    livenessMs: 0,
  }
}

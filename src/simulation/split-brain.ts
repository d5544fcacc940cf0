// Splits that a twin can use: each of its copies on another side, with clients on both, so that each side has a quorum of names and
// hears nothing of the other. With b twins the sides must not both decide. With more they can, and then the auditor has to find
// out who the twins were. Ref: Bano et al., "Twins: BFT systems made robust", 2021.

import type { Random } from './kernel/index.ts'
import type { Fault, Link } from './scenario.ts'
import { FIRST_CLIENT_ADDRESS } from './world.ts'

export interface SplitPlan {
  /** Replicas, without second copies. */
  readonly replicas: number
  readonly twins: readonly number[]
  readonly clients: number
  readonly timeoutMs: number
}

/** One split after another, each for some time-outs; the last ends at `endMs`. */
export function splitBrain(random: Random, plan: SplitPlan, phases: number): { faults: Fault[]; endMs: number } {
  const faults: Fault[] = []
  let atMs = random.below(plan.timeoutMs * 3)
  for (let phase = 0; phase < phases; phase++) {
    const endMs = atMs + random.between(2, 20) * plan.timeoutMs
    faults.push({ do: 'cut', links: linksBetween(random, plan), when: { atMs }, until: { atMs: endMs } })
    atMs = endMs
  }
  return { faults, endMs: atMs }
}

function linksBetween(random: Random, { replicas, twins, clients }: SplitPlan): Link[] {
  const honest = Array.from({ length: replicas }, (_, i) => i).filter((replica) => !twins.includes(replica))
  const left = new Set(random.sample(honest, random.between(0, honest.length)))
  const seconds = twins.map((_, i) => replicas + i)
  for (const [i, twin] of twins.entries()) left.add(random.chance(0.5) ? twin : (seconds[i] ?? twin))
  const askers = Array.from({ length: clients }, (_, i) => FIRST_CLIENT_ADDRESS + i)
  for (const asker of askers) if (random.chance(0.5)) left.add(asker)
  const all = [...honest, ...twins, ...seconds, ...askers]
  return all.flatMap((a) => all.filter((b) => left.has(a) !== left.has(b)).map((b): Link => [a, b]))
}

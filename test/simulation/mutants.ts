// `npm run mutants`: hunts every deliberate defect and prints how soon it was caught. Exit code 1 where one got away.

import { hunt, MUTANTS } from '../../src/simulation/index.ts'

const only = new Set(process.argv.slice(2))
let escaped = 0
for (const mutant of MUTANTS) {
  if (only.size > 0 && !only.has(mutant.defect)) continue
  const start = performance.now()
  const { seed, report } = hunt(mutant)
  if (seed === undefined) escaped++
  const caught = seed === undefined ? `NOT CAUGHT in ${mutant.seeds} seeds` : `seed ${seed} of at most ${mutant.seeds}`
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const how = report?.failure?.invariant ?? ''
  console.log(
    `${mutant.defect.padEnd(30)} ${mutant.draw.profile.padEnd(10)} ${caught.padEnd(24)} ${how.padEnd(26)} ${seconds} s`,
  )
}
process.exitCode = escaped === 0 ? 0 : 1

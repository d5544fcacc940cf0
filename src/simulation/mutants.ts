// The defects that the checkers must catch, each within so many seeds of a profile: how we know that the simulator sees. A defect
// of one replica would be a liar's; here all honest replicas have it, as with a bug in a release.

import { MUTATIONS } from '../consensus/index.ts'
import { type Defect, SHELL_DEFECTS } from './core.ts'
import type { DrawOptions } from './profiles.ts'
import type { RunOptions, RunReport } from './run.ts'
import type { MembershipChange } from './scenario.ts'
import { runSeed } from './summary.ts'

export interface Mutant {
  readonly defect: Defect
  /** What is drawn to find it. */
  readonly draw: DrawOptions
  /** Seeds, from 1, within which it must be caught. */
  readonly seeds: number
}

export interface Hunt {
  readonly mutant: Mutant
  /** The seed that caught it; undefined where none did. */
  readonly seed: number | undefined
  readonly report: RunReport | undefined
}

const SWARM: DrawOptions = { profile: 'swarm', replicas: 4 }

const JOINS: MembershipChange = { afterMs: 300, add: 1, remove: [] }
/** From crash mode to Byzantine mode, by one more member. */
const HARDENS: MembershipChange = {
  ...JOINS,
  quorum: { byzantine: 1, crash: 0 },
  parameters: { signedVotes: true, rotation: { policy: 'sticky' } },
}

/** Where a defect needs more than the swarm to show. */
const SPECIAL: Readonly<Partial<Record<Defect, Omit<Mutant, 'defect'>>>> = {
  'carry-votes-over': { draw: { profile: 'membership' }, seeds: 50 },
  'effective-at-once': { draw: { profile: 'membership' }, seeds: 50 },
  'epoch-missing-from-statement': { draw: { profile: 'membership' }, seeds: 50 },
  'hand-over-at-trust': { draw: { profile: 'membership' }, seeds: 50 },
  'self-admission': {
    draw: {
      ...{ profile: 'membership', replicas: 4, liars: [{ replica: 3, behaviour: 'forge-chain' }] },
      changes: [JOINS, { afterMs: 300, add: 1, remove: [0] }],
    },
    seeds: 50,
  },
  'unsigned-votes-across-modes': {
    draw: {
      ...{ profile: 'membership', replicas: 3, byzantine: 0, crash: 1 },
      liars: [{ replica: 3, behaviour: 'forge-certificate' }],
      changes: [HARDENS],
    },
    seeds: 100,
  },
  'vote-past-the-end': { draw: { profile: 'membership' }, seeds: 50 },
  'accept-torsion': liesWith('torsion-sign'),
  'count-duplicate-signer': liesWith('duplicate-signer'),
  'first-certificate': { draw: { profile: 'twins', replicas: 4 }, seeds: 400 },
  'ignore-membership': liesWith('other-cluster'),
  'ignore-view': liesWith('relabel'),
}

/** A swarm in which replica 3 preys on the defect. */
function liesWith(behaviour: string): Omit<Mutant, 'defect'> {
  return { draw: { ...SWARM, liars: [{ replica: 3, behaviour }] }, seeds: 50 }
}

/**
 * Chance meets these too rarely: a leader that was left answers old values only while nobody has asked it for anything else.
 * `test/simulation/direct-reads` has the schedules that catch them.
 */
export const DIRECTED: ReadonlySet<Defect> = new Set(['lease-without-end', 'break-lease-promise'])

export const MUTANTS: readonly Mutant[] = [...MUTATIONS.filter((each) => !DIRECTED.has(each)), ...SHELL_DEFECTS].map(
  (defect) => ({
    defect,
    draw: SWARM,
    seeds: 200,
    ...SPECIAL[defect],
  }),
)

/**
 * Runs seeds until one catches the mutant.
 * @throws {Error} where the catching seed fails without the defect too: it says nothing about the mutant.
 */
export function hunt(mutant: Mutant, options?: RunOptions): Hunt {
  const draw: DrawOptions = { ...mutant.draw, defects: [mutant.defect] }
  for (let seed = 1; seed <= mutant.seeds; seed++) {
    const { report } = runSeed(seed, draw, options)
    if (report.failure === undefined) continue
    const control = runSeed(seed, mutant.draw, options).report.failure
    if (control !== undefined) throw new Error(`seed ${seed} breaks ${control.invariant} without ${mutant.defect} too`)
    return { mutant, seed, report }
  }
  return { mutant, seed: undefined, report: undefined }
}

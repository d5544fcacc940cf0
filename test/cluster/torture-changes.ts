// Changes of the members as torture draws them: somebody joins, leaves, is replaced or changes keys, tolerance and mode as the new number
// allows, and one of those who must agree may be killed in the midst of it.

import { toleranceOf } from '../../keys/index.ts'
import type { EpochChain } from '../../src/consensus/index.ts'
import type { Harness } from './harness.ts'

/** Who is in office when a fault is drawn. */
export interface Office {
  readonly chain: EpochChain
  /** Numbers of all members. */
  readonly numbers: readonly number[]
  readonly honest: readonly number[]
  /** How many of the honest may fail at once. */
  readonly room: number
}

type Random = () => number
type Kind = 'grow' | 'shrink' | 'replace' | 'rotate'

const MOST_MEMBERS = 7
/** Fewer than four can be in crash mode alone, where nobody may lie. */
const [LEAST_MEMBERS, LEAST_WITH_LIARS] = [3, 4]
/** The share of changes in the midst of which somebody is killed. */
const KILLS = 0.5

export async function officeOf(harness: Harness, liars: readonly number[]): Promise<Office> {
  const chain = await harness.chain()
  const { quorum } = chain.last.charter
  const numbers = await harness.members.numbersOf(chain.last)
  const honest = numbers.filter((number) => !liars.includes(number))
  const room = quorum.byzantine + quorum.crash - (numbers.length - honest.length)
  return { chain, numbers, honest, room }
}

/** One change, until its epoch has begun; what it was, for people. */
export async function changeMembers(harness: Harness, office: Office, random: Random): Promise<string> {
  const { members, cluster } = harness
  const { chain, numbers, honest, room } = office
  const pick = <Value>(of: readonly Value[]): Value => {
    const found = of[Math.floor(random() * of.length)]
    if (found === undefined) throw new Error('nothing to draw from')
    return found
  }
  const kind = pick(kindsFor(office))
  const [one, all] = [pick(numbers), random() < 0.5]
  const doomed = room > 0 && random() < KILLS ? pick(honest) : undefined
  const kill = async () => {
    if (doomed !== undefined) await cluster.kill(doomed)
  }
  const told = doomed === undefined ? '' : ` with ${doomed} killed`
  const after = (count: number) => ({ ...toleranceOf(count, {}), meanwhile: kill })
  const changes: Readonly<Record<Kind, () => Promise<string>>> = {
    grow: async () => `${await members.grow(1, after(numbers.length + 1))}`,
    shrink: async () => {
      await members.shrink([one], chain, after(numbers.length - 1))
      return `${one}`
    },
    replace: async () => `${one} by ${await members.replace(one, chain, { meanwhile: kill })}`,
    rotate: async () => {
      await members.rotate(all ? numbers : [one], { meanwhile: kill })
      return all ? 'all' : `${one}`
    },
  }
  const what = await changes[kind]()
  // Also where it is no member any more: it finds out, and stops. It cannot where it was killed after it had found out.
  if (doomed !== undefined && members.hasKey(doomed)) await cluster.start(doomed)
  return `${kind} ${what}${told}`
}

function kindsFor({ numbers, honest }: Office): readonly Kind[] {
  const least = honest.length === numbers.length ? LEAST_MEMBERS : LEAST_WITH_LIARS
  return [
    'replace',
    'rotate',
    ...(numbers.length < MOST_MEMBERS ? (['grow'] as const) : []),
    ...(numbers.length > least ? (['shrink'] as const) : []),
  ]
}

// Which changes of the membership a seed brings: groups that grow, shrink, take others in the place of some, go over to other keys and
// parameters, or to another mode.

import { largestByzantine, largestCrash } from '../../crypto/index.ts'
import type { ProtocolParameters } from '../consensus/index.ts'
import type { Random } from './kernel/index.ts'
import type { MembershipChange, Scenario } from './scenario.ts'

const MOST_CHANGES = 4
const MOST_MEMBERS = 10

interface Office {
  readonly members: readonly number[]
  readonly nextId: number
  readonly quorum: { readonly byzantine: number; readonly crash: number }
  readonly parameters: ProtocolParameters
}

/** What a change asks for, before the numbers of those who may lie or stop follow from it. */
type Wish = Partial<Pick<MembershipChange, 'add' | 'remove' | 'replace' | 'rotate' | 'parameters'>> & {
  readonly mode?: 'crash' | 'byzantine'
}

type Maker = (random: Random, office: Office) => Wish

const MAKERS: Readonly<Record<string, Maker>> = {
  grow: (random, { members }) => ({ add: random.between(1, Math.max(1, Math.min(3, MOST_MEMBERS - members.length))) }),
  shrink: (random, office) => ({ remove: random.sample(office.members, random.between(0, spareMembers(office))) }),
  replace: (random, { members }) => ({
    replace: random.sample(members, random.between(1, Math.min(3, members.length))),
  }),
  rotate: (random, { members }) => ({ rotate: random.sample(members, random.between(1, members.length)) }),
  parameters: (random, office) => ({ parameters: otherParameters(random, office) }),
  mode: (_, { quorum, members }) =>
    quorum.byzantine > 0 ? { mode: 'crash' } : { mode: 'byzantine', add: Math.max(0, 4 - members.length) },
  several: (random, office) => {
    const [leaves, stays] = random.shuffled(office.members)
    return {
      add: 1,
      ...(leaves === undefined || spareMembers(office) < 0 ? {} : { remove: [leaves] }),
      ...(stays === undefined ? {} : { rotate: [stays] }),
      ...(random.chance(0.5) ? { parameters: otherParameters(random, office) } : {}),
    }
  },
}

/** One to four changes, each of which the members may decide on. */
export function drawChanges(random: Random, { group, parameters }: Pick<Scenario, 'group' | 'parameters'>) {
  const { replicas, byzantine, crash } = group
  let office: Office = {
    ...{ members: Array.from({ length: replicas }, (_, i) => i), nextId: replicas },
    ...{ quorum: { byzantine, crash }, parameters },
  }
  const changes: MembershipChange[] = []
  for (let left = random.between(1, MOST_CHANGES); left > 0; left--) {
    const wish = MAKERS[random.pick(Object.keys(MAKERS))]?.(random, office) ?? {}
    const { change, next } = enact(random, office, wish)
    if (Object.keys(change).length <= 3 && change.add + change.remove.length === 0) continue
    changes.push(change)
    office = next
  }
  return changes
}

function enact(
  random: Random,
  { members, nextId, quorum, parameters }: Office,
  wish: Wish,
): { readonly change: MembershipChange; readonly next: Office } {
  const { add = 0, remove = [], replace = [], rotate = [] } = wish
  const arrivals = Array.from({ length: add + replace.length }, (_, i) => nextId + i)
  const placed = members.map((each) =>
    replace.includes(each) ? (arrivals[add + replace.indexOf(each)] ?? each) : each,
  )
  const left = [...placed, ...arrivals.slice(0, add)].filter((each) => !remove.includes(each))
  const mode = wish.mode ?? (quorum.byzantine > 0 ? 'byzantine' : 'crash')
  const wanted = quorumFor(random, left.length, mode)
  const fit = fitting({ ...parameters, ...wish.parameters }, mode)
  const changed = Object.entries(fit).filter(([name, value]) => Reflect.get(parameters, name) !== value)
  const differs = wanted.byzantine !== quorum.byzantine || wanted.crash !== quorum.crash
  const change: MembershipChange = {
    afterMs: random.below(6 * parameters.viewTimeoutMs),
    ...{ add, remove },
    ...(replace.length > 0 && { replace }),
    ...(rotate.length > 0 && { rotate }),
    ...(differs && { quorum: wanted }),
    ...(changed.length > 0 && { parameters: Object.fromEntries(changed) }),
  }
  const next = { members: left, nextId: nextId + arrivals.length, quorum: wanted, parameters: fit }
  return { change, next }
}

/** How many may go without the mode having to change. */
function spareMembers({ members, quorum }: Office): number {
  return Math.max(0, members.length - (quorum.byzantine > 0 ? 4 : 3))
}

function quorumFor(random: Random, members: number, mode: 'crash' | 'byzantine') {
  const byzantine = mode === 'crash' ? 0 : random.between(1, Math.max(1, largestByzantine(members)))
  return { byzantine, crash: largestCrash(members, byzantine) }
}

function otherParameters(random: Random, { parameters, quorum }: Office): Partial<ProtocolParameters> {
  const window = random.pick([1, 2, 4, 8])
  const viewTimeoutMs = random.pick([parameters.viewTimeoutMs, Math.max(50, Math.floor(parameters.viewTimeoutMs / 2))])
  return {
    window,
    checkpointInterval: window * random.pick([1, 1, 2, 4]),
    ...{ viewTimeoutMs, viewTimeoutCapMs: viewTimeoutMs * random.pick([4, 8]) },
    maxBatchRequests: random.pick([1, 4, 64]),
    maxRequestBytes: random.pick([16_384, 32_768]),
    signedVotes: quorum.byzantine > 0 || random.chance(0.8),
  }
}

/** With what the mode allows, and a rotation that goes with the checkpoints. */
function fitting(parameters: ProtocolParameters, mode: 'crash' | 'byzantine'): ProtocolParameters {
  const { rotation, checkpointInterval } = parameters
  const fits = rotation.policy === 'lowest-alive' ? mode === 'crash' : rotation.policy === 'sticky'
  const every = rotation.policy === 'every' && rotation.slots % checkpointInterval === 0
  const other =
    rotation.policy === 'every'
      ? ({ policy: 'every', slots: checkpointInterval } as const)
      : ({ policy: 'sticky' } as const)
  return {
    ...parameters,
    rotation: fits || every ? rotation : other,
    signedVotes: mode === 'byzantine' || parameters.signedVotes,
  }
}

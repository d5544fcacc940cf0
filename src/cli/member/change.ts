// Changes of the membership: one ordered command each, made for the membership in office, and then the wait for the epoch that it begins.

import { MAX_REPLICAS, type MemberId, quorumFault } from '../../../crypto/index.ts'
import type { Charter } from '../../../keys/charter/index.ts'
import { MAX_CLIENTS } from '../../../keys/index.ts'
import type { CallOptions, Client, Done } from '../../client/index.ts'
import type { EpochContext } from '../../consensus/index.ts'
import type { ChangeCommand, Edit, SystemAnswer } from '../../machine/index.ts'
import { ADMIN_OPTIONS, decide } from '../admin/govern.ts'
import { callOptions } from '../cluster.ts'
import { type Context, type Input, type OptionSpec, type Outcome, UsageError } from '../command.ts'
import { parametersOf } from '../parameters.ts'
import { acceptedOf } from './terms.ts'

/** What every change may bring along: members and mode change in one step. */
export const CHANGE_OPTIONS: readonly OptionSpec[] = Object.freeze([
  { flags: '--byzantine <b>', describe: 'how many may lie from then on; 0 is crash mode (default: as before)' },
  { flags: '--crash <c>', describe: 'how many more may stop from then on (default: as before)' },
  { flags: '--agree <m>', describe: 'how many admins must agree on changes from then on' },
  { flags: '--no-wait', describe: 'do not wait until the change is in office' },
  ...ADMIN_OPTIONS,
])

/** Asks for the edits that `editsOf` makes for the members in office, and for parameters, `NAME=VALUE` each. */
export async function change(
  input: Input,
  context: Context,
  editsOf: (office: EpochContext) => Promise<readonly Edit[]> | readonly Edit[],
  settings: readonly string[] = [],
): Promise<Outcome> {
  let began: EpochContext | undefined
  const call = async (client: Client, options: CallOptions): Promise<Done<SystemAnswer>> => {
    const { last: office } = await client.follow(options)
    const command = commandOf(input, office, await editsOf(office), settings)
    const done = await client.system(command, options)
    if (done.value.kind === 'accepted' && input.flag('wait')) {
      const { charter, lastSlot } = done.value
      context.progress(`accepted: epoch ${charter.epoch} begins after slot ${lastSlot}`)
      began = await begun(client, charter, callOptions(input, context))
    }
    return done
  }
  return await decide(input, context, call, (answer) => {
    if (answer.kind !== 'accepted') return { status: 'done', value: { outcome: answer.kind }, text: 'done' }
    return acceptedOf(answer, began !== undefined)
  })
}

/** The epoch of this charter, once the cluster has handed over to it; undefined where that takes longer than the caller waits. */
async function begun(client: Client, charter: Charter, options: CallOptions): Promise<EpochContext | undefined> {
  const { ClientError } = await import('../../client/index.ts')
  try {
    const chain = await client.follow({ ...options, until: charter.epoch })
    return chain.epochs[charter.epoch]
  } catch (error) {
    // It is accepted, and nothing undoes that.
    if (error instanceof ClientError && error.code === 'no-answer') return undefined
    throw error
  }
}

function commandOf(
  input: Input,
  { charter, membership }: EpochContext,
  edits: readonly Edit[],
  settings: readonly string[],
): ChangeCommand {
  const [byzantine, crash] = [input.integer('byzantine', 0, MAX_REPLICAS), input.integer('crash', 0, MAX_REPLICAS)]
  const quorum =
    byzantine === undefined && crash === undefined
      ? undefined
      : { byzantine: byzantine ?? charter.quorum.byzantine, crash: crash ?? charter.quorum.crash }
  const threshold = input.integer('agree', 1, MAX_CLIENTS)
  const parameters = settings.length === 0 ? undefined : parametersOf(settings, charter.parameters, '')
  if (edits.length === 0 && quorum === undefined && parameters === undefined && threshold === undefined) {
    throw new UsageError('nothing is to be changed: name a parameter, --byzantine, --crash or --agree')
  }
  const joining = edits.filter(({ op }) => op === 'add').length
  const leaving = edits.filter(({ op }) => op === 'remove').length
  const replicas = charter.members.length + joining - leaving
  const unfit = quorumFault({ replicas, ...(quorum ?? charter.quorum) })
  if (unfit !== undefined) throw new UsageError(`after this change ${unfit}; change --byzantine or --crash with it`)
  return { kind: 'change', base: membership.digest, edits, quorum, parameters, threshold }
}

/** The member in office with this id. @throws {UsageError} where there is none. */
export function memberNamed(text: string, { charter }: EpochContext): MemberId {
  const member = charter.members.find(({ id }) => String(id) === text)
  if (member !== undefined) return member.id
  const ids = charter.members.map(({ id }) => id).join(', ')
  throw new UsageError(`there is no member ${JSON.stringify(text)} in epoch ${charter.epoch}: its members are ${ids}`)
}

/** The members in office with these ids. @throws {UsageError} where there is none, or one is named twice. */
export function membersNamed(texts: readonly string[], office: EpochContext): MemberId[] {
  const ids = texts.map((text) => memberNamed(text, office))
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  if (twice !== undefined) throw new UsageError(`member ${twice} is named twice`)
  return ids
}

// `quorate status`: how every replica says that it stands.

import { hex, type MemberId, type ReplicaIndex, replicaIndex } from '../../../crypto/index.ts'
import type { CallOptions, Client } from '../../client/index.ts'
import type { EpochContext } from '../../consensus/index.ts'
import type { ReplicaStatus } from '../../wire/index.ts'
import { CLUSTER_OPTIONS, callOptions, openCluster, withClient } from '../cluster.ts'
import type { Command } from '../command.ts'
import { table } from '../table.ts'

const DEFAULT_TIMEOUT_S = 3

interface Seen {
  readonly replica: ReplicaIndex
  readonly id: MemberId
  readonly status: ReplicaStatus | undefined
  /** Why there is none. */
  readonly fault: string
}

export const status: Command = {
  name: 'status',
  describe: 'Ask every replica how it stands; exit code 1 where fewer than a quorum answer',
  arguments: [],
  options: CLUSTER_OPTIONS.map((option) =>
    option.flags.startsWith('--timeout')
      ? { flags: option.flags, describe: `to wait for answers (default: ${DEFAULT_TIMEOUT_S})` }
      : option,
  ),
  examples: [
    ['quorate status', 'a table, one line a replica'],
    ["quorate status --json | jq '.replicas[].executed'", 'for programs'],
  ],
  async run(input, context) {
    const access = await openCluster(input, context)
    const options = callOptions(input, context, DEFAULT_TIMEOUT_S)
    const { office, seen } = await withClient(access, context, async (client) => {
      const { last } = await client.follow(options).catch((error) => {
        // Where too few answer, the members are those that are known.
        if (isClientError(error)) return client.chain
        throw error
      })
      return { office: last, seen: await Promise.all(last.charter.members.map(seenBy(client, options))) }
    })
    const answers = seen.filter(({ status: answer }) => answer !== undefined).length
    const { quorum } = office.membership.quorums
    const { label } = access.genesis
    return {
      status: answers >= quorum ? 'done' : 'refused',
      value: { cluster: label, epoch: office.charter.epoch, answers, quorum, replicas: seen.map(factsOf) },
      text: textOf(seen, label, office, answers),
    }
  },
}

function seenBy(client: Client, options: CallOptions) {
  return async ({ id }: { id: MemberId }, index: number): Promise<Seen> => {
    const replica = replicaIndex(index)
    try {
      return { replica, id, status: await client.status(replica, options), fault: '' }
    } catch (error) {
      if (!isClientError(error)) throw error
      return { replica, id, status: undefined, fault: error.message }
    }
  }
}

function isClientError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ClientError'
}

function factsOf({ replica, id, status: answer, fault }: Seen): object {
  if (answer === undefined) return { replica, member: id, reachable: false, fault }
  return { reachable: true, member: id, ...answer, stateRoot: hex(answer.stateRoot) }
}

function textOf(seen: readonly Seen[], label: string, { membership, charter }: EpochContext, answers: number): string {
  const { replicas, quorum } = membership.quorums
  // Positions are what replicas call one another by; ids stay with the members.
  const moved = seen.some(({ replica, id }) => Number(replica) !== Number(id))
  const head = [
    '',
    ...(moved ? ['member'] : []),
    'leader',
    'view',
    'chosen',
    'executed',
    'checkpoint',
    'connected',
    'lies caught',
    '',
  ]
  const rows = seen.map(({ replica, id, status: answer }) => [
    String(replica),
    ...(moved ? [String(id)] : []),
    ...(answer === undefined ? ['unreachable'] : cellsOf(answer)),
  ])
  const faults = seen.flatMap(({ fault }) => (fault === '' ? [] : [fault]))
  const alarms = seen.flatMap(({ replica, status: answer }) =>
    (answer?.alarms ?? []).map((text) => `replica ${replica}: ${text}`),
  )
  const epoch = charter.epoch === 0 ? '' : `; epoch ${charter.epoch}`
  const summary = `${label}: ${answers} of ${replicas} replicas answer; ${quorum} decide${epoch}`
  return [summary, '', table([head, ...rows]), ...[...faults, ...alarms].map((line) => `\n${line}`)].join('\n')
}

function cellsOf(answer: ReplicaStatus): string[] {
  const lies = answer.lies.map(({ accused, kind, count }) => `${accused}: ${kind}${count > 1 ? ` x${count}` : ''}`)
  return [
    answer.active ? String(answer.leader) : 'none',
    String(answer.view),
    String(answer.chosen),
    String(answer.executed),
    String(answer.stable),
    answer.connected.join(' '),
    lies.join(', '),
    [answer.liar === '' ? '' : `lies on purpose: ${answer.liar}`, answer.transferring ? 'fetching a snapshot' : '']
      .filter((text) => text !== '')
      .join(', '),
  ]
}

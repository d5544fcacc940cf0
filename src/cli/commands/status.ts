// `quorate status`: how every replica says that it stands.

import { hex, type ReplicaIndex, replicaIndex } from '../../../crypto/index.ts'
import type { Genesis } from '../../../keys/index.ts'
import type { ReplicaStatus } from '../../wire/index.ts'
import { CLUSTER_OPTIONS, callOptions, openCluster, withClient } from '../cluster.ts'
import type { Command } from '../command.ts'
import { table } from '../table.ts'

const DEFAULT_TIMEOUT_S = 3

interface Seen {
  readonly replica: ReplicaIndex
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
    const seen = await withClient(access, context, (client) =>
      Promise.all(
        access.genesis.members.map(async (_, index): Promise<Seen> => {
          const replica = replicaIndex(index)
          try {
            return { replica, status: await client.status(replica, options), fault: '' }
          } catch (error) {
            if (!(error instanceof Error) || error.name !== 'ClientError') throw error
            return { replica, status: undefined, fault: error.message }
          }
        }),
      ),
    )
    const answers = seen.filter(({ status: answer }) => answer !== undefined).length
    const { quorum } = access.genesis.membership.quorums
    return {
      status: answers >= quorum ? 'done' : 'refused',
      value: { cluster: access.genesis.label, answers, quorum, replicas: seen.map(factsOf) },
      text: textOf(seen, access.genesis, answers),
    }
  },
}

function factsOf({ replica, status: answer, fault }: Seen): object {
  if (answer === undefined) return { replica, reachable: false, fault }
  return { reachable: true, ...answer, stateRoot: hex(answer.stateRoot) }
}

function textOf(seen: readonly Seen[], { label, membership }: Genesis, answers: number): string {
  const { replicas, quorum } = membership.quorums
  const head = ['', 'leader', 'view', 'chosen', 'executed', 'checkpoint', 'connected', 'lies caught', '']
  const rows = seen.map(({ replica, status: answer }) => [
    String(replica),
    ...(answer === undefined ? ['unreachable'] : cellsOf(answer)),
  ])
  const faults = seen.flatMap(({ fault }) => (fault === '' ? [] : [fault]))
  const alarms = seen.flatMap(({ replica, status: answer }) =>
    (answer?.alarms ?? []).map((text) => `replica ${replica}: ${text}`),
  )
  const summary = `${label}: ${answers} of ${replicas} replicas answer; ${quorum} decide`
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

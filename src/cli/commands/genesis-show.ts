// `quorate genesis show`: what a genesis says, and what follows from it.

import { equalBytes, hex } from '../../../crypto/index.ts'
import { type Genesis, loadGenesis, NUMBER_PARAMETERS, type Parameters, vkeysOf } from '../../../keys/index.ts'
import type { Command } from '../command.ts'
import { table } from '../table.ts'

export const genesisShow: Command = {
  name: 'genesis show',
  describe: 'Show the members, thresholds, cluster id and checkpoint keys of a genesis file',
  arguments: [{ name: 'FILE', describe: 'the genesis file' }],
  options: [],
  examples: [
    ['quorate genesis show quorate-cluster/genesis.json', 'for people'],
    [
      "quorate genesis show quorate-cluster/genesis.json --json | jq -r '.vkeys[]'",
      'the keys for a transparency-log tool',
    ],
  ],
  async run(input) {
    const genesis = await loadGenesis(input.argument('FILE'))
    return { status: 'done', value: forPrograms(genesis), text: forPeople(genesis) }
  },
}

/** What b and c mean, in words. */
export function toleranceText({ membership: { quorums } }: Genesis): string {
  const { replicas, byzantine, crash, crashMode } = quorums
  const lie = crashMode ? 'none may lie (crash mode)' : `up to ${byzantine} may lie`
  const stop = crash === 0 ? 'none' : `up to ${crash}`
  return `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}: ${lie}, ${stop}${crashMode ? '' : ' more'} may stop`
}

function forPrograms(genesis: Genesis): object {
  const { replicas, byzantine, crash, quorum, trust } = genesis.membership.quorums
  return {
    name: genesis.contents.name,
    label: genesis.label,
    clusterId: hex(genesis.clusterId),
    origin: genesis.origin,
    rule: genesis.contents.rule,
    n: replicas,
    b: byzantine,
    c: crash,
    q: quorum,
    t: trust,
    membershipDigest: hex(genesis.membership.digest),
    admins: genesis.admins,
    members: genesis.members.map(({ consensusKey, peerId, addresses, operator }, index) => ({
      index,
      consensusKey: hex(consensusKey),
      peerId,
      addresses,
      operator: clientName(genesis, operator) ?? null,
    })),
    clients: genesis.clients.map(({ name, role, key }) => ({ name, role, key: hex(key) })),
    parameters: genesis.parameters,
    vkeys: vkeysOf(genesis),
  }
}

function forPeople(genesis: Genesis): string {
  const { replicas, byzantine, crash, quorum, trust } = genesis.membership.quorums
  const operated = genesis.members.some(({ operator }) => operator !== undefined)
  const sections = [
    table([
      ['cluster', genesis.label],
      ['cluster id', hex(genesis.clusterId)],
      ['origin', genesis.origin],
      ['rule', genesis.contents.rule],
      ['group', toleranceText(genesis)],
      ['thresholds', `n = ${replicas}, b = ${byzantine}, c = ${crash}: q = ${quorum} votes decide, t = ${trust} vouch`],
      [
        'changes',
        genesis.admins.threshold === 1 ? 'one admin decides' : `${genesis.admins.threshold} admins must agree`,
      ],
    ]),
    'Members',
    table(
      [
        ['', 'peer id', 'consensus key', 'addresses', ...(operated ? ['operator'] : [])],
        ...genesis.members.map(({ consensusKey, peerId, addresses, operator }, index) => [
          String(index),
          peerId,
          hex(consensusKey),
          addresses.join(' '),
          ...(operated ? [clientName(genesis, operator) ?? '-'] : []),
        ]),
      ],
      '  ',
    ),
    'Clients',
    table([['name', 'role', 'key'], ...genesis.clients.map(({ name, role, key }) => [name, role, hex(key)])], '  '),
    'Parameters',
    table(parameterRows(genesis.parameters), '  '),
    `Checkpoint keys (vkeys; ${quorum} of them sign a stable checkpoint)`,
    table(
      vkeysOf(genesis).map((vkey) => [vkey]),
      '  ',
    ),
  ]
  return sections.map((section, i) => (i % 2 === 1 ? `\n${section}` : section)).join('\n')
}

function clientName({ clients }: Genesis, key: Uint8Array | undefined): string | undefined {
  return clients.find((client) => key !== undefined && equalBytes(client.key, key))?.name
}

function parameterRows(parameters: Parameters): string[][] {
  const { rotation, signedVotes } = parameters
  const numbers = Object.entries(NUMBER_PARAMETERS).map(([name, { unit, meaning }]) => [
    name,
    `${Object.entries(parameters).find(([key]) => key === name)?.[1]} ${unit}`,
    meaning,
  ])
  const policy = rotation.policy === 'every' ? `every ${rotation.slots} slots` : rotation.policy
  return [
    ...numbers,
    ['rotation', policy, 'when the leader changes although it works'],
    ['signedVotes', String(signedVotes), 'whether votes prove something to third parties'],
  ]
}

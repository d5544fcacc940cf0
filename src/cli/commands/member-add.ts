// `quorate member add` and `quorate member replace`: replicas that have joined become members.

import { equalBytes } from '../../../crypto/index.ts'
import type { EpochContext } from '../../consensus/index.ts'
import type { NewMember } from '../../machine/index.ts'
import { type Command, type Input, UsageError } from '../command.ts'
import { CHANGE_OPTIONS, change, memberNamed } from '../member/change.ts'
import { readJoin } from '../member/join-file.ts'

const FILE = 'of a replica that has joined: join.json in its folder'

export const memberAdd: Command = {
  name: 'member add',
  describe: 'Make members of replicas that have joined, all in one step',
  arguments: [{ name: 'FILE', describe: FILE, variadic: true }],
  options: CHANGE_OPTIONS,
  examples: [
    [
      'quorate member add ./replica-4/join.json ./replica-5/join.json ./replica-6/join.json --byzantine 2',
      'from 4 to 7',
    ],
  ],
  run: (input, context) =>
    change(input, context, async (office) => {
      const members = []
      for (const file of input.rest('FILE')) members.push(await joiningIn(file, office))
      return members.map((member) => ({ op: 'add', member }) as const)
    }),
}

export const memberReplace: Command = {
  name: 'member replace',
  describe: 'Put a replica that has joined in the place of a member, in one step',
  arguments: [
    { name: 'ID', describe: 'of the member that goes, as quorate epochs shows it' },
    { name: 'FILE', describe: FILE },
  ],
  options: CHANGE_OPTIONS,
  examples: [
    ['quorate member replace 2 ./replica-new/join.json', 'the machine of member 2 is lost'],
    ['quorate member replace 2 ./replica-new/join.json --client operator-2', 'by who operates it, without the admins'],
  ],
  run: (input, context) =>
    change(input, context, async (office) => [
      { op: 'replace', id: memberNamed(input.argument('ID'), office), member: await joiningIn(fileOf(input), office) },
    ]),
}

function fileOf(input: Input): string {
  return input.argument('FILE')
}

async function joiningIn(file: string, { membership, charter }: EpochContext): Promise<NewMember> {
  const { clusterId, base, member } = await readJoin(file)
  if (!equalBytes(clusterId, membership.clusterId)) throw new UsageError(`${file} is for another cluster`)
  if (equalBytes(base, membership.digest)) return member
  throw new UsageError(
    `${file} was made for other members than those of epoch ${charter.epoch}; run quorate member join again`,
  )
}

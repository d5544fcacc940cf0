// `quorate member remove`: members leave.

import type { Command } from '../command.ts'
import { CHANGE_OPTIONS, change, membersNamed } from '../member/change.ts'

export const memberRemove: Command = {
  name: 'member remove',
  describe: 'Let members leave, all in one step; each stops by itself',
  arguments: [{ name: 'ID', describe: 'of a member, as quorate epochs shows it', variadic: true }],
  options: CHANGE_OPTIONS,
  examples: [
    ['quorate member remove 6', 'one of seven'],
    ['quorate member remove 4 5 6 --byzantine 1', 'from 7 to 4'],
  ],
  run: (input, context) =>
    change(input, context, (office) =>
      membersNamed(input.rest('ID'), office).map((id) => ({ op: 'remove', id }) as const),
    ),
}

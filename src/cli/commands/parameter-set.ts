// `quorate parameter set`: other protocol parameters, tolerance or admin rule, from the next epoch on.

import type { Command } from '../command.ts'
import { CHANGE_OPTIONS, change } from '../member/change.ts'

export const parameterSet: Command = {
  name: 'parameter set',
  describe: 'Change protocol parameters, how many may lie or stop, or how many admins must agree',
  arguments: [
    {
      name: 'SETTING',
      describe: 'NAME=VALUE, as of quorate keygen --set; none or more',
      optional: true,
      variadic: true,
    },
  ],
  options: CHANGE_OPTIONS,
  examples: [
    ['quorate parameter set window=64 rotation=every:256', 'two parameters in one step'],
    ['quorate parameter set signedVotes=true --byzantine 1', 'from crash mode to bearing one liar'],
    ['quorate parameter set --agree 2', 'two admins must agree from then on'],
  ],
  run: (input, context) => change(input, context, () => [], input.rest('SETTING')),
}

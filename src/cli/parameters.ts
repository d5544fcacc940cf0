// Protocol parameters on the command line: `--set NAME=VALUE`.

import {
  DEFAULT_PARAMETERS,
  NUMBER_PARAMETERS,
  type Parameters,
  ROTATION_MOST_SLOTS,
  type Rotation,
} from '../../keys/index.ts'
import { UsageError, wholeNumber } from './command.ts'

const NAMES = [...Object.keys(NUMBER_PARAMETERS), 'rotation', 'signedVotes'].join(', ')

/**
 * The parameters of before, the defaults unless told, with `settings` applied in order; `option` is what the user wrote
 * before each, with a blank. @throws {UsageError} for what is no parameter or value.
 */
export function parametersOf(
  settings: readonly string[],
  before: Parameters = DEFAULT_PARAMETERS,
  option = '--set ',
): Parameters {
  return Object.assign({ ...before }, ...settings.map((setting) => oneSetting(setting, option)))
}

function oneSetting(setting: string, option: string): Partial<Parameters> {
  const [, name = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(setting) ?? []
  const number = Object.entries(NUMBER_PARAMETERS).find(([key]) => key === name)?.[1]
  if (number !== undefined) return { [name]: wholeNumber(`${option}${name}`, value, number.least, number.most) }
  if (name === 'rotation') return { rotation: rotationOf(value, option) }
  if (name !== 'signedVotes') {
    throw new UsageError(`${option}${JSON.stringify(setting)}: write NAME=VALUE, where NAME is one of ${NAMES}`)
  }
  if (value !== 'true' && value !== 'false') {
    throw new UsageError(`${option}signedVotes must be true or false, not ${JSON.stringify(value)}`)
  }
  return { signedVotes: value === 'true' }
}

function rotationOf(value: string, option: string): Rotation {
  if (value === 'sticky' || value === 'lowest-alive') return { policy: value }
  const slots = /^every:(.*)$/.exec(value)?.[1]
  if (slots === undefined) {
    throw new UsageError(`${option}rotation must be sticky, every:SLOTS or lowest-alive, not ${JSON.stringify(value)}`)
  }
  return { policy: 'every', slots: wholeNumber(`${option}rotation=every:SLOTS`, slots, 1, ROTATION_MOST_SLOTS) }
}

// `--liar I=BEHAVIOUR`, as `sim` and `up` take it.

import { BehaviourError, parseBehaviour } from '../byzantine/index.ts'
import { UsageError } from './command.ts'

export interface LiarOption {
  readonly replica: number
  /** As written: `equivocate`, `slow:0.9`. */
  readonly behaviour: string
}

/** @throws {UsageError} unless `text` is `I=BEHAVIOUR` of one of `replicas` and a known behaviour. */
export function liarOf(text: string, replicas: number): LiarOption {
  const [, index = '', behaviour = ''] = /^(\d{1,3})=(.+)$/.exec(text) ?? []
  if (behaviour === '') throw new UsageError(`--liar ${JSON.stringify(text)}: write I=BEHAVIOUR, such as 0=equivocate`)
  if (Number(index) >= replicas) throw new UsageError(`--liar ${text}: no replica ${index}, n is ${replicas}`)
  try {
    parseBehaviour(behaviour)
  } catch (error) {
    throw error instanceof BehaviourError ? new UsageError(`--liar ${text}: ${error.message}`) : error
  }
  return { replica: Number(index), behaviour }
}

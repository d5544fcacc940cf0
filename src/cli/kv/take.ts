// What the commands that take a lock or win an election read alike.

import type { TakeOptions } from '../../client/index.ts'
import { lockKey } from '../../machine/index.ts'
import { type Context, type Input, type OptionSpec, UsageError } from '../command.ts'

const DEFAULT_TTL_S = 10
const MOST_TTL_S = 86_400

export const TAKE_OPTIONS: readonly OptionSpec[] = Object.freeze([
  {
    flags: '--ttl <seconds>',
    describe: `how long it may be counted on without the cluster (default: ${DEFAULT_TTL_S})`,
  },
  { flags: '--value <text>', describe: 'what others see who holds it (default: the beginning of the client key)' },
])

/** @throws {UsageError} where it can be no name. */
export function lockName(input: Input): string {
  const name = input.argument('NAME')
  try {
    lockKey('lock', name)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new UsageError(`NAME must be a text of at least one and at most 512 bytes, not ${JSON.stringify(name)}`)
  }
  return name
}

export function takeOptions(input: Input, { signal }: Context): TakeOptions {
  const value = input.text('value')
  const ttlMs = 1000 * (input.integer('ttl', 1, MOST_TTL_S) ?? DEFAULT_TTL_S)
  return { ttlMs, signal, ...(value === undefined ? {} : { value }) }
}

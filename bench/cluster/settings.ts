// What one measurement of a cluster runs with, and how it is read from the options. An option with a comma list makes one setting
// of each of its values.

import { largestByzantine } from '../../crypto/index.ts'
import { DEFAULT_PARAMETERS, type Parameters } from '../../keys/index.ts'
import { UsageError } from '../../src/cli/command.ts'
import { liarOf } from '../../src/cli/liars.ts'
import { DURABILITIES } from '../../src/cli/serve/config.ts'

export const OPERATIONS = Object.freeze(['put', 'get'] as const)
export const READS = Object.freeze(['ordered', 'quorum', 'stale', 'lease'] as const)
export const VICTIMS = Object.freeze(['leader', 'follower'] as const)
/** Options that may be comma lists. */
const SWEPT = Object.freeze([
  'replicas',
  'durability',
  'clients',
  'outstanding',
  'rate',
  'size',
  'operation',
  'read',
] as const)
const CLOSED_LOOP = 0
/** Room for the key and the frame beside a value in a request. */
const REQUEST_OVERHEAD_BYTES = 1024

export interface Setting {
  readonly replicas: number
  /** Nobody lies: b = 0. */
  readonly crash: boolean
  readonly durability: (typeof DURABILITIES)[number]
  /** SDK instances, each with a key of its own. */
  readonly clients: number
  /** Requests that each of them keeps under way, in a closed loop. */
  readonly outstanding: number
  /** Requests a second of all clients, in an open loop; undefined for a closed one. */
  readonly rate: number | undefined
  /** Bytes of a value. */
  readonly size: number
  readonly operation: (typeof OPERATIONS)[number]
  readonly read: (typeof READS)[number]
  /** Different keys of all clients together. */
  readonly keys: number
  /** Who lies, `I=BEHAVIOUR`. */
  readonly liars: readonly string[]
  readonly parameters: Partial<Parameters>
  /** Seconds. */
  readonly warmUp: number
  readonly seconds: number
  /** Who is killed: the leader in the middle of the measured time, or the last follower before the load. */
  readonly kill: (typeof VICTIMS)[number] | undefined
}

/** Options as they were written; absent ones have their defaults. */
export interface SettingOptions {
  readonly replicas?: string
  readonly crash?: true
  readonly durability?: string
  readonly clients?: string
  readonly outstanding?: string
  readonly rate?: string
  readonly size?: string
  readonly operation?: string
  readonly read?: string
  readonly keys?: string
  readonly liar?: readonly string[]
  readonly parameter?: readonly string[]
  readonly warmUp?: string
  readonly seconds?: string
  readonly kill?: string
}

/** The option that has several values, and one setting for each of them. */
export interface Sweep {
  readonly over: keyof Setting | undefined
  readonly settings: readonly Setting[]
}

/** @throws {UsageError} with one sentence for whatever is wrong. */
export function sweepOf(options: SettingOptions): Sweep {
  const crash = options.crash === true
  const lists = {
    replicas: numbers('--replicas', options.replicas ?? (crash ? '3' : '4'), 1, 31),
    durability: words('--durability', options.durability ?? 'fsync', DURABILITIES),
    clients: numbers('--clients', options.clients ?? '4', 1, 256),
    outstanding: numbers('--outstanding', options.outstanding ?? '16', 1, 65_536),
    rate: options.rate === undefined ? [CLOSED_LOOP] : numbers('--rate', options.rate, 1, 1_000_000),
    size: numbers('--size', options.size ?? '100', 0, largestValue(options)),
    operation: words('--operation', options.operation ?? 'put', OPERATIONS),
    read: words('--read', options.read ?? 'ordered', READS),
  }
  const several = SWEPT.filter((name) => lists[name].length > 1)
  if (several.length > 1) {
    const names = several.map((name) => `--${name}`).join(' and ')
    throw new UsageError(`${names} have several values each; only one option may`)
  }
  if (options.rate !== undefined && options.outstanding !== undefined)
    throw new UsageError('--rate is for the open loop and --outstanding for the closed one; name one of them')
  const [over] = several
  const count = over === undefined ? 1 : lists[over].length
  const settings = Array.from({ length: count }, (_, i) => {
    const replicas = at(lists.replicas, i)
    const rate = at(lists.rate, i)
    return checked({
      ...{ replicas, crash, durability: at(lists.durability, i), clients: at(lists.clients, i) },
      ...{
        outstanding: at(lists.outstanding, i),
        rate: rate === CLOSED_LOOP ? undefined : rate,
        size: at(lists.size, i),
      },
      ...{ operation: at(lists.operation, i), read: at(lists.read, i) },
      keys: number('--keys', options.keys ?? '1000', 1, 1_000_000),
      liars: liarsOf(options.liar ?? [], replicas, crash),
      parameters: parametersOf(options.parameter ?? []),
      warmUp: number('--warm-up', options.warmUp ?? '3', 0, 3600),
      seconds: number('--seconds', options.seconds ?? '5', 1, 86_400),
      kill: killOf(options.kill),
    })
  })
  return { over, settings }
}

/** What a report says of a setting. */
export function settingText(setting: Setting): Readonly<Record<string, string | number>> {
  const { replicas, crash, durability, clients, outstanding, rate, size, operation, read } = setting
  const { keys, liars, parameters, warmUp, seconds, kill } = setting
  return {
    ...{ replicas, mode: crash ? 'crash' : 'byzantine', durability, clients },
    ...(rate === undefined ? { 'outstanding each': outstanding } : { 'requests a second': rate }),
    ...(operation === 'put' ? { operation } : { operation: `get (${read})` }),
    ...{ 'value bytes': size, keys, 'warm-up s': warmUp, 'measured s': seconds },
    ...(liars.length > 0 && { liars: liars.join(' ') }),
    ...(kill !== undefined && { killed: kill }),
    ...(Object.keys(parameters).length > 0 && { parameters: JSON.stringify(parameters) }),
  }
}

/** The only value, or the one of its turn. */
function at<Value>(values: readonly Value[], i: number): Value {
  const value = values.length > 1 ? values[i] : values[0]
  if (value === undefined) throw new RangeError('an option without values')
  return value
}

function checked(setting: Setting): Setting {
  const { replicas, crash, operation, read, kill } = setting
  if (read === 'lease' && !crash) throw new UsageError('--read lease needs --crash: elsewhere a leader may lie')
  if (read !== 'ordered' && operation !== 'get') throw new UsageError(`--read ${read} needs --operation get`)
  if (kill !== undefined && replicas < (crash ? 3 : 4))
    throw new UsageError(`--kill ${kill}: ${replicas} replicas bear no crash; name more with --replicas`)
  if (kill === 'follower' && setting.liars.length > 0)
    throw new UsageError('--kill follower beside --liar: that is one fault more than is borne; name one of them')
  return setting
}

function largestValue({ parameter = [] }: SettingOptions): number {
  return { ...DEFAULT_PARAMETERS, ...parametersOf(parameter) }.maxRequestBytes - REQUEST_OVERHEAD_BYTES
}

function liarsOf(texts: readonly string[], replicas: number, crash: boolean): string[] {
  const liars = texts.map((text) => liarOf(text, replicas))
  const most = crash ? 0 : Math.max(0, largestByzantine(replicas, 0))
  if (new Set(liars.map(({ replica }) => replica)).size < liars.length)
    throw new UsageError('--liar names one replica twice')
  if (liars.length > most) throw new UsageError(`--liar: ${replicas} replicas bear ${most} liars, not ${liars.length}`)
  return liars.map(({ replica, behaviour }) => `${replica}=${behaviour}`)
}

/** `NAME=VALUE` of the genesis' parameters; bounds are checked where the genesis is made. */
function parametersOf(texts: readonly string[]): Partial<Parameters> {
  const known = Object.keys(DEFAULT_PARAMETERS).filter((name) => name !== 'rotation')
  const entries = texts.map((text) => {
    const [, name = '', value = ''] = /^([A-Za-z]+)=([0-9]+|true|false)$/.exec(text) ?? []
    if (!known.includes(name) || (name === 'signedVotes') === /^[0-9]/.test(value))
      throw new UsageError(
        `--parameter ${JSON.stringify(text)}: write NAME=NUMBER (or signedVotes=false), of ${known.join(', ')}`,
      )
    return [name, name === 'signedVotes' ? value === 'true' : Number(value)]
  })
  return Object.fromEntries(entries)
}

function killOf(text: string | undefined): Setting['kill'] {
  if (text === undefined) return undefined
  const victim = VICTIMS.find((each) => each === text)
  if (victim === undefined) throw new UsageError(`--kill must be leader or follower, not ${JSON.stringify(text)}`)
  return victim
}

function numbers(option: string, text: string, least: number, most: number): number[] {
  return text.split(',').map((each) => number(option, each, least, most))
}

function number(option: string, text: string, least: number, most: number): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`)
}

function words<Word extends string>(option: string, text: string, known: readonly Word[]): Word[] {
  return text.split(',').map((each) => {
    const word = known.find((one) => one === each)
    if (word === undefined) throw new UsageError(`${option} must be ${known.join(', ')}, not ${JSON.stringify(each)}`)
    return word
  })
}

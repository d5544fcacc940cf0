// `quorate watch`: prints what happens to keys, as it happens, until Ctrl-C.

import { type ReplicaIndex, replicaIndex } from '../../../crypto/index.ts'
import type { Watch, WatchEvent, WatchOptions, WatchTarget } from '../../client/index.ts'
import { CLUSTER_OPTIONS, openCluster, withReader } from '../cluster.ts'
import { type Command, type Context, type Input, type Outcome, UsageError } from '../command.ts'
import { bytesOf, lineOf, shown } from '../kv/bytes.ts'
import { keyOf } from '../kv/input.ts'

const MOST_AGE_S = 86_400 * 365

export const watch: Command = {
  name: 'watch',
  describe: 'Print what happens to a key, or to all keys with a prefix, until Ctrl-C',
  arguments: [{ name: 'KEY', describe: 'the key', optional: true }],
  options: [
    { flags: '--prefix <p>', describe: 'instead of KEY: all keys that begin with this' },
    { flags: '--after <slot>', describe: 'what happened after this slot (default: from now on)' },
    { flags: '--replica <i>', describe: 'listen to this replica alone, with proofs (default: to t that agree)' },
    { flags: '--whole-log', describe: 'with --replica: follow all of its log, so that nothing can be left out' },
    { flags: '--max-age <seconds>', describe: 'with --whole-log: end where nothing younger is told' },
    { flags: '--base64', describe: 'keys and values are base64, on the command line and in the output' },
    ...CLUSTER_OPTIONS.filter(({ flags }) => !flags.startsWith('--timeout')),
  ],
  examples: [
    ['quorate watch greeting', 'every put and deletion of one key'],
    ['quorate watch --prefix account/ --after 0', 'all that happened to the accounts, and what happens next'],
    ['quorate watch --prefix account/ --replica 2 --whole-log', 'from one replica, which can be late and nothing else'],
    ['quorate watch --prefix account/ --json', 'one JSON object a line; its slot is the --after to go on from'],
  ],
  async run(input, context) {
    const target = targetOf(input)
    const after = input.integer('after', 0, Number.MAX_SAFE_INTEGER)
    const access = await openCluster(input, context)
    return withReader(access, context, async (client) => {
      const replica = replicaOf(input, client.chain.last.charter.members.length)
      const whole = wholeOf(input, replica)
      const { signal } = context
      const made = client.watch(target, {
        signal,
        ...(after !== undefined && { after }),
        ...(replica !== undefined && { replica }),
        ...whole,
      })
      return follow(made, context, input.flag('base64'))
    })
  },
}

async function follow(watching: Watch, { stage, signal }: Context, inBase64: boolean): Promise<Outcome> {
  const tell = (at: number) =>
    stage.json ? stage.print(JSON.stringify({ position: at })) : stage.warn(`watching what comes after slot ${at}`)
  try {
    tell(await watching.started)
    for await (const { events } of watching) {
      for (const event of events) {
        stage.print(stage.json ? JSON.stringify(factsOf(event, inBase64)) : textOf(event, inBase64))
      }
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error
  }
  const { position } = watching
  if (position !== undefined && stage.json) stage.print(JSON.stringify({ position }))
  else if (position !== undefined) stage.warn(`go on from here with --after ${position}`)
  return { status: 'done', value: {}, text: '', printed: true }
}

function targetOf(input: Input): WatchTarget {
  const [key, prefix, inBase64] = [input.optionalArgument('KEY'), input.text('prefix'), input.flag('base64')]
  if ((key === undefined) === (prefix === undefined)) throw new UsageError('name either a KEY or a --prefix')
  if (prefix !== undefined) return { prefix: bytesOf('--prefix', prefix, inBase64) }
  return { key: keyOf('KEY', key ?? '', inBase64) }
}

function replicaOf(input: Input, replicas: number): ReplicaIndex | undefined {
  const index = input.integer('replica', 0, replicas - 1)
  return index === undefined ? undefined : replicaIndex(index)
}

function wholeOf(input: Input, replica: ReplicaIndex | undefined): Pick<WatchOptions, 'wholeLog' | 'maxAgeMs'> {
  const [wholeLog, seconds] = [input.flag('whole-log'), input.integer('max-age', 0, MOST_AGE_S)]
  if (wholeLog && replica === undefined)
    throw new UsageError('--whole-log needs --replica: whose log is to be followed')
  if (seconds !== undefined && !wholeLog) throw new UsageError('--max-age needs --whole-log')
  return { wholeLog, ...(seconds !== undefined && { maxAgeMs: 1000 * seconds }) }
}

function textOf(event: WatchEvent, inBase64: boolean): string {
  const key = lineOf(event.key, inBase64)
  if (event.kind === 'delete') return `${event.slot}  del  ${key}`
  return `${event.slot}  put  ${key}  ${lineOf(event.value, inBase64)}`
}

function factsOf(event: WatchEvent, inBase64: boolean): object {
  const { kind, slot, timestampMs } = event
  const key = shown('key', event.key, inBase64)
  if (kind === 'delete') return { event: kind, slot, timestampMs, ...key }
  const { createRevision, modRevision, version } = event
  const value = shown('value', event.value, inBase64)
  return { event: kind, slot, timestampMs, ...key, ...value, createRevision, modRevision, version }
}

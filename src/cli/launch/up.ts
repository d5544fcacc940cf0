// Launches every replica of a keyset, shows how they do, and stops them all. One that ends stays ended, and is shown so.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { GENESIS_FILE, type Genesis, loadGenesis } from '../../../keys/index.ts'
import { type Context, type Input, type Outcome, type Stage, UsageError } from '../command.ts'
import { toleranceText } from '../commands/genesis-show.ts'
import { clusterFolder } from '../folder.ts'
import { type LiarOption, liarOf } from '../liars.ts'
import { durabilityOf } from '../serve/settings.ts'
import { LaunchError, launchReplica, type ReplicaProcess } from './child.ts'
import { replicasIn } from './replicas-in.ts'
import { type ClusterFacts, type Seen, seenValue, summaryLine, tableLines } from './view.ts'

const SHOW_EVERY_MS = 1000
/** Plain lines are for logs: less often, and only news. */
const SUMMARY_EVERY = 10
/** More than a replica takes for its own deadline; then it is killed, which it is meant to survive. */
const STOP_WITHIN_MS = 12_000
/** Lines from the replicas' standard error that stay under the table. */
const KEPT_NOTICES = 4

/** Runs until the signal, or until no replica is left. @throws {LaunchError} where one cannot start; then all are stopped. */
export async function runCluster(input: Input, context: Context): Promise<Outcome> {
  const cluster = clusterFolder(input.optionalArgument('DIR'), context)
  if (!existsSync(join(cluster, GENESIS_FILE))) {
    throw new UsageError(`there is no keyset in ${cluster}; make one with: quorate keygen ${cluster} --replicas 4`)
  }
  const genesis = await loadGenesis(join(cluster, GENESIS_FILE))
  const liars = input.texts('liar').map((text) => liarOf(text, genesis.members.length))
  warnOfTooMany(liars, genesis, context.stage)
  const notices: string[] = []
  const onError = (index: number) => (line: string) => {
    if (line.startsWith('{') || context.stage.json) return
    notices.push(`[${index}] ${line}`)
    if (context.stage.redraw === undefined) context.stage.warn(`[${index}] ${line}`)
  }
  const replicas = (await replicasIn(cluster, genesis)).map((index) =>
    launchReplica({ cluster, index, options: optionsOf(index, liars, input), onError: onError(index) }),
  )
  context.signal.addEventListener('abort', () => {
    for (const replica of replicas) void replica.stop()
  })
  try {
    await Promise.all(replicas.map((replica) => replica.listening()))
    await show(replicas, liars, genesis, notices, context)
  } catch (error) {
    if (!context.signal.aborted || !(error instanceof LaunchError)) throw error
  } finally {
    await stopAll(replicas)
  }
  return outcomeOf(replicas, context)
}

/** `replica`'s options from those of `up`. */
function optionsOf(index: number, liars: readonly LiarOption[], input: Input): string[] {
  const data = input.text('data')
  const durability = durabilityOf(input.text('durability'))
  const passphrase = input.text('passphrase-file')
  const liar = liars.findLast(({ replica }) => replica === index)
  return [
    ...(data === undefined ? [] : ['--data', join(resolve(data), `replica-${index}`)]),
    ...(durability === undefined ? [] : ['--durability', durability]),
    ...(passphrase === undefined ? [] : ['--passphrase-file', passphrase]),
    ...(liar === undefined ? [] : ['--liar', liar.behaviour]),
  ]
}

function warnOfTooMany(liars: readonly LiarOption[], { membership }: Genesis, stage: Stage): void {
  const { byzantine } = membership.quorums
  const count = new Set(liars.map(({ replica }) => replica)).size
  if (count <= byzantine) return
  stage.warn(
    stage.paintError('red', `${count} of them lie, but this cluster bears b = ${byzantine}: nothing is promised`),
  )
}

async function show(
  replicas: readonly ReplicaProcess[],
  liars: readonly LiarOption[],
  genesis: Genesis,
  notices: readonly string[],
  { stage, signal }: Context,
): Promise<void> {
  const facts: ClusterFacts = { label: genesis.label, tolerance: toleranceText(genesis) }
  const eye = new Eye(replicas, liars)
  let before = ''
  for (let turn = 0; !signal.aborted && replicas.some(({ ending }) => ending === undefined); turn++) {
    const seen = eye.look()
    if (stage.json) stage.print(JSON.stringify({ timeMs: Date.now(), ...seenValue(seen) }))
    else if (stage.redraw !== undefined) {
      const below = notices.slice(-KEPT_NOTICES).map((line) => stage.paint('dim', line))
      stage.redraw([
        ...tableLines(facts, seen, stage.paint),
        '',
        ...below,
        stage.paint('dim', 'Ctrl-C stops all of them'),
      ])
    } else {
      const news = eye.news()
      for (const line of news) stage.print(line)
      const summary = summaryLine(seen)
      if (news.length > 0 || (turn % SUMMARY_EVERY === 0 && summary !== before)) stage.print(summary)
      before = summary
    }
    await delay(SHOW_EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

/** Watches the replicas from one look to the next. */
class Eye {
  private readonly replicas: readonly ReplicaProcess[]
  private readonly liars: ReadonlyMap<number, string>
  private readonly before = new Map<number, { requests: number; atMs: number; perSecond: number }>()
  private readonly told = new Set<string>()

  constructor(replicas: readonly ReplicaProcess[], liars: readonly LiarOption[]) {
    this.replicas = replicas
    this.liars = new Map(liars.map(({ replica, behaviour }) => [replica, behaviour]))
  }

  look(): Seen[] {
    return this.replicas.map((replica) => ({
      index: replica.index,
      liar: this.liars.get(replica.index) ?? '',
      report: replica.latest?.report,
      ended: replica.ending?.text,
      perSecond: replica.ending === undefined ? this.rateOf(replica) : 0,
    }))
  }

  /** What happened that was not told yet, one line each. */
  news(): string[] {
    const lines = this.replicas.flatMap(({ index, latest, ending }) => [
      ...(latest === undefined
        ? []
        : [`replica ${index} runs${this.liars.has(index) ? ` and lies: ${this.liars.get(index)}` : ''}`]),
      ...(ending === undefined ? [] : [`replica ${index} has stopped (${ending.text})`]),
      ...(latest?.report.lies ?? []).map(
        ({ accused, kind }) => `replica ${index} caught replica ${accused} lying: ${kind}`,
      ),
    ])
    const fresh = lines.filter((line) => !this.told.has(line))
    for (const line of fresh) this.told.add(line)
    return fresh
  }

  private rateOf({ index, latest }: ReplicaProcess): number {
    if (latest === undefined) return 0
    const { report, atMs } = latest
    const last = this.before.get(index)
    // Two looks at one report would show zero.
    if (last !== undefined && atMs - last.atMs < SHOW_EVERY_MS / 2) return last.perSecond
    const perSecond =
      last === undefined ? 0 : Math.max(0, (1000 * (report.requests - last.requests)) / (atMs - last.atMs))
    this.before.set(index, { requests: report.requests, atMs, perSecond: Math.round(perSecond) })
    return Math.round(perSecond)
  }
}

async function stopAll(replicas: readonly ReplicaProcess[]): Promise<void> {
  const late = setTimeout(() => {
    for (const replica of replicas) replica.signal('SIGKILL')
  }, STOP_WITHIN_MS)
  await Promise.all(replicas.map((replica) => replica.stop()))
  clearTimeout(late)
}

/** @throws {LaunchError} where the replicas ended by themselves, all of them. */
function outcomeOf(replicas: readonly ReplicaProcess[], { stage, signal }: Context): Outcome {
  const failed = replicas.flatMap(({ index, ending }) =>
    ending?.code === 0 ? [] : [`replica ${index}: ${ending?.text}`],
  )
  if (!signal.aborted) throw new LaunchError(`no replica is left (${failed.join('; ')})`)
  if (stage.json && failed.length > 0) stage.warn(JSON.stringify({ ended: failed }))
  if (!stage.json) stage.print(failed.length === 0 ? 'All replicas have stopped.' : `Stopped; ${failed.join('; ')}.`)
  return { status: failed.length === 0 ? 'done' : 'refused', value: {}, text: '', printed: true }
}

// One run of a setting: a new cluster of real processes in a temporary folder, a loader beside it, a warm-up, the measured time, and
// everything gone again whatever happened.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { defaultClients } from '../../keys/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { Loader } from './loader.ts'
import type { Measured } from './messages.ts'
import { type Metrics, readMetrics, type Work, workOf } from './metrics.ts'
import type { Setting } from './settings.ts'

export interface RunOptions {
  readonly signal: AbortSignal
  readonly onPhase?: (phase: string) => void
}

export interface RunResult {
  readonly load: Measured
  /** Of every replica that ran to the end. */
  readonly replicas: readonly Work[]
  /** Values read back after the load, each as it was acknowledged. */
  readonly checked: number
}

/** A cluster under load, to be measured as often as one likes. */
export interface LoadedCluster {
  measure(seconds: number): Promise<{ readonly load: Measured; readonly replicas: readonly Work[] }>
}

/** @throws {LoaderError} where the load failed or read what was not written; {@link LaunchError}; the signal's reason. */
export async function run(setting: Setting, options: RunOptions): Promise<RunResult> {
  return withCluster(setting, options, ({ measure }) => measure(setting.seconds))
}

/** Gives everything back however `use` ends. The loader's values are read back once it is done. */
export async function withCluster<Value>(
  setting: Setting,
  { signal, onPhase }: RunOptions,
  use: (cluster: LoadedCluster) => Promise<Value>,
): Promise<Value & { readonly checked: number }> {
  signal.throwIfAborted()
  const root = await mkdtemp(join(tmpdir(), 'quorate-bench-'))
  let cluster: LocalCluster | undefined
  let loader: Loader | undefined
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  // Nobody may be listening any more when it comes.
  aborted.catch(() => {})
  const work = async () => {
    onPhase?.('start')
    cluster = await makeCluster(setting, join(root, 'keyset'))
    await cluster.startAll()
    await cluster.until('all are connected', (reports) => {
      return (
        reports.length === setting.replicas && reports.every((each) => each.connected.length === reports.length - 1)
      )
    })
    onPhase?.('warm up')
    const clients = defaultClients(setting.clients).map(({ name }) => name)
    loader = new Loader({ cluster: cluster.folder, clients, setting })
    await loader.ready()
    onPhase?.('measure')
    const value = await use(measuring(cluster, loader, setting))
    onPhase?.('read back')
    return { ...value, checked: await loader.finish() }
  }
  try {
    return await Promise.race([work(), aborted])
  } finally {
    loader?.kill()
    await cluster?.dispose()
    await rm(root, { recursive: true, force: true })
  }
}

function makeCluster(setting: Setting, folder: string): Promise<LocalCluster> {
  const { replicas, crash, clients, parameters, durability } = setting
  const liars = new Map(setting.liars.map((text) => [Number(text.split('=')[0]), text.slice(text.indexOf('=') + 1)]))
  return LocalCluster.make({
    ...{ folder, name: 'bench', replicas, clients, parameters },
    ...(crash && { byzantine: 0 }),
    config(index) {
      const liar = liars.get(index)
      return { metricsPort: 0, durability, ...(liar !== undefined && { liar }) }
    },
  })
}

function measuring(cluster: LocalCluster, loader: Loader, { killLeader }: Setting): LoadedCluster {
  return {
    async measure(seconds) {
      const before = await metricsOfAll(cluster)
      const [load] = await Promise.all([loader.measure(seconds), killLeader && killIn(cluster, seconds * 500)])
      const after = await metricsOfAll(cluster)
      const replicas = [...after].flatMap(([replica, metrics]) => {
        const first = before.get(replica)
        return first === undefined ? [] : [workOf(replica, first, metrics)]
      })
      return { load, replicas }
    },
  }
}

async function killIn(cluster: LocalCluster, ms: number): Promise<void> {
  await pause(ms)
  const leader = cluster.leader()
  if (leader !== undefined) await cluster.kill(leader)
}

async function metricsOfAll(cluster: LocalCluster): Promise<ReadonlyMap<number, Metrics>> {
  const entries = cluster.indexes.flatMap((index) => {
    const port = cluster.metricsPort(index)
    return port === undefined || !cluster.runs(index)
      ? []
      : [readMetrics(port).then((metrics) => [index, metrics] as const)]
  })
  return new Map(await Promise.all(entries))
}

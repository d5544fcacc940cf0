// One run of a setting: a new cluster of real processes in a temporary folder, a loader beside it, a warm-up, the measured time, and
// everything gone again whatever happened.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { defaultClients } from '../../keys/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import type { ReplicaReport } from '../../src/cli/launch/messages.ts'
import { BenchError } from '../errors.ts'
import { Loader } from './loader.ts'
import type { Measured } from './messages.ts'
import { type Metrics, readMetrics, type Work, workOf } from './metrics.ts'
import { inScratch } from './scratch.ts'
import type { Setting } from './settings.ts'

/** For each replica: those that start on a busy machine take their time, and more of them more. */
const CONNECTED_WITHIN_MS_EACH = 15_000

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

/** @throws {BenchError} where the load failed or read what was not written; {@link LaunchError}; the signal's reason. */
export async function run(setting: Setting, options: RunOptions): Promise<RunResult> {
  return withCluster(setting, options, ({ measure }) => measure(setting.seconds))
}

/** Gives everything back however `use` ends. The loader's values are read back once it is done. */
export async function withCluster<Value>(
  setting: Setting,
  { signal, onPhase }: RunOptions,
  use: (cluster: LoadedCluster) => Promise<Value>,
): Promise<Value & { readonly checked: number }> {
  let cluster: LocalCluster | undefined
  let loader: Loader | undefined
  const end = async () => {
    loader?.kill()
    await cluster?.dispose()
  }
  const work = async (root: string) => {
    onPhase?.('start')
    cluster = await makeCluster(setting, join(root, 'keyset'))
    signal.throwIfAborted()
    await cluster.startAll()
    await untilConnected(cluster, setting.replicas, signal)
    const lost = setting.kill === 'follower' ? setting.replicas - 1 : undefined
    if (lost !== undefined) await cluster.kill(lost)
    onPhase?.('warm up')
    const clients = defaultClients(setting.clients).map(({ name }) => name)
    loader = new Loader({ cluster: cluster.folder, clients, setting })
    await loader.ready()
    onPhase?.('measure')
    const value = await use(measuring(cluster, loader, { killLeader: setting.kill === 'leader', lost, signal }))
    onPhase?.('read back')
    return { ...value, checked: await loader.finish() }
  }
  return inScratch(signal, { work, end })
}

/** Once all `replicas` have said that they hear all others. */
export function untilConnected(cluster: LocalCluster, replicas: number, signal: AbortSignal): Promise<void> {
  const allJoined = (reports: readonly ReplicaReport[]) =>
    reports.length === replicas && reports.every(({ connected }) => connected.length === replicas - 1)
  return cluster.until('all are connected', allJoined, { timeoutMs: CONNECTED_WITHIN_MS_EACH * replicas, signal })
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

interface Circumstances {
  readonly killLeader: boolean
  /** Who was killed before. */
  readonly lost: number | undefined
  readonly signal: AbortSignal
}

function measuring(cluster: LocalCluster, loader: Loader, { killLeader, lost, signal }: Circumstances): LoadedCluster {
  let killed = lost
  const kill = async (afterMs: number) => {
    await pause(afterMs, undefined, { signal })
    killed = cluster.leader()
    if (killed !== undefined) await cluster.kill(killed)
  }
  return {
    async measure(seconds) {
      const before = await metricsOfAll(cluster)
      const [load] = await Promise.all([loader.measure(seconds), killLeader && kill((seconds * 1000) / 2)])
      const after = await metricsOfAll(cluster)
      for (const index of cluster.indexes) {
        const ending = cluster.ending(index)
        if (ending !== undefined && index !== killed)
          throw new BenchError(`replica ${index} ended under the load: ${ending.text}`)
      }
      const replicas = [...after].flatMap(([replica, metrics]) => {
        const first = before.get(replica)
        return first === undefined ? [] : [workOf(replica, first, metrics)]
      })
      return { load, replicas }
    },
  }
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

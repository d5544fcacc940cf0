// How long a replica with a large state is away: one that starts without a state and fetches it from the others, and one that is
// killed and started again.

import { join } from 'node:path'
import { clientFolder, defaultClients, loadClientKey } from '../../keys/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { type Client, connect } from '../../src/client/index.ts'
import { BenchError } from '../errors.ts'
import { type Figure, figure } from '../measure.ts'
import { readMetrics } from './metrics.ts'
import { untilConnected } from './run.ts'
import { inScratch } from './scratch.ts'

export interface RestartSetting {
  readonly replicas: number
  readonly keys: number
  /** Bytes of a value. */
  readonly size: number
  /** How often a follower is killed and started again. */
  readonly runs: number
}

/** Puts of one transaction. */
const PUTS = 64
const PUT_BYTES = 32 * 1024
/** Transactions under way. */
const OUTSTANDING = 16
const READY_WITHIN_MS = 600_000
const MIB = 1024 * 1024

export interface RestartOptions {
  readonly signal: AbortSignal
  /** What is being done, and which share of it is done, from 0 to 1. */
  readonly onProgress: (what: string, share: number) => void
}

/** @throws {BenchError} where a replica comes back with another state; {@link LaunchError}; the signal's reason. */
export async function restart(setting: RestartSetting, { signal, onProgress }: RestartOptions): Promise<Figure[]> {
  let cluster: LocalCluster | undefined
  const work = async (root: string) => {
    const { replicas } = setting
    cluster = await LocalCluster.make({
      ...{ folder: join(root, 'keyset'), name: 'bench', replicas },
      config: () => ({ metricsPort: 0 }),
    })
    await cluster.startAll()
    await untilConnected(cluster, replicas, signal)
    const absent = replicas - 1
    await cluster.kill(absent)
    const loading = await timed(() => load(cluster, setting, { signal, onProgress }))
    onProgress('a replica without a state catches up', 0)
    const caughtUp = await comesBack(cluster, absent, signal)
    const follower = cluster.indexes.find((index) => index !== absent && index !== cluster?.leader())
    const [restarts, short]: [number[], number[]] = [[], []]
    for (let run = 0; run < setting.runs; run++) {
      onProgress('followers restart', run / setting.runs)
      restarts.push(await restarted(cluster, follower ?? absent, signal))
      short.push(await restarted(cluster, absent, signal))
    }
    const metrics = await readMetrics(cluster.metricsPort(follower ?? absent) ?? 0)
    return [
      figure('keys loaded', '/s', [(1000 * setting.keys) / loading]),
      figure('catch-up of one that has no state', 'ms', [caughtUp]),
      figure('restart of one that executed all', 'ms', restarts),
      figure('restart of the one that caught up', 'ms', short),
      figure('memory after a restart', 'MiB', [(metrics.get('resident_bytes') ?? Number.NaN) / MIB]),
      figure('disk', 'MiB', [(metrics.get('store_bytes') ?? Number.NaN) / MIB]),
    ]
  }
  const end = async () => cluster?.dispose()
  return inScratch(signal, { work, end })
}

async function load(
  cluster: LocalCluster | undefined,
  { keys, size }: RestartSetting,
  { signal, onProgress }: RestartOptions,
): Promise<void> {
  const client = await connected(cluster, signal)
  const puts = Math.max(1, Math.min(PUTS, Math.floor(PUT_BYTES / (size + 1))))
  const value = Buffer.alloc(size, 'x')
  let next = 0
  const call = async () => {
    while (next < keys) {
      signal.throwIfAborted()
      const from = next
      next = Math.min(keys, from + puts)
      const success = Array.from({ length: next - from }, (_, i) => ({
        ...{ kind: 'put' as const, key: keyOf(from + i), value, previous: false },
      }))
      await client.txn({ compares: [], success, failure: [] }, { signal })
      onProgress('load', from / keys)
    }
  }
  try {
    await Promise.all(Array.from({ length: OUTSTANDING }, call))
  } finally {
    await client.close()
  }
}

async function connected(cluster: LocalCluster | undefined, signal: AbortSignal): Promise<Client> {
  const [first] = defaultClients(1)
  if (cluster === undefined || first === undefined) throw new Error('a load without clients')
  const { genesis } = cluster
  const key = await loadClientKey(clientFolder(cluster.folder, first.name), genesis, { name: first.name })
  return connect({ genesis, key: key.signer, seed: key.seed, signal })
}

/** Keys do not come in their order. */
function keyOf(number: number): Buffer {
  return Buffer.from(`restart/${((number * 7919) % 1_000_003).toString().padStart(8, '0')}/${number}`)
}

async function restarted(cluster: LocalCluster, index: number, signal: AbortSignal): Promise<number> {
  await cluster.kill(index)
  return comesBack(cluster, index, signal)
}

/** Milliseconds from the start of its process until it has executed what the others had, and is connected; looked at four times a second. */
function comesBack(cluster: LocalCluster, index: number, signal: AbortSignal): Promise<number> {
  const executed = Math.max(...cluster.reports().map((report) => report.executed))
  return timed(async () => {
    await cluster.start(index)
    const isBack = () => {
      if (!cluster.runs(index)) return true
      const report = cluster.report(index)
      return report !== undefined && report.executed >= executed && report.connected.length > 0 && !report.transferring
    }
    await cluster.until(`replica ${index} is back`, isBack, { timeoutMs: READY_WITHIN_MS, signal })
    const ending = cluster.ending(index)
    if (ending !== undefined) throw new BenchError(`replica ${index} ended when it was to come back: ${ending.text}`)
    const alarms = cluster.report(index)?.alarms ?? []
    if (alarms.length > 0) throw new BenchError(`replica ${index} came back with ${alarms.join(', ')}`)
  })
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

// One cluster under a load that never pauses, with the least kept for audits: what it has on disk must stay under a bound that follows
// from its settings, however much is written. `npm run torture -- --steady --minutes 8` runs it for as long as one likes.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { replicaFolder } from '../../keys/index.ts'
import { DATA_FOLDER } from '../../src/cli/serve/settings.ts'
import { chance } from '../../src/cli/tour/load.ts'
import type { Client } from '../../src/client/index.ts'
import { SNAPSHOT_JOURNAL_BYTES } from '../../src/replica/limits.ts'
import { KEPT_SNAPSHOTS, SEGMENT_BYTES } from '../../src/storage/limits.ts'
import { Harness } from './harness.ts'

const KIB = 1024
const MIB = 1024 * KIB

export const STEADY = Object.freeze({
  retention: { bytes: 8 * MIB },
  parameters: { window: 16, checkpointInterval: 32, maxBatchBytes: 256 * KIB, viewTimeoutMs: 2_000 },
})
/** Clients' writes that make the volume: each writer has one key and puts the next value when the last one was acknowledged. */
const WRITERS = 8
const VALUE_BYTES = 48 * KIB
/** Votes, certificates and results of one slot of four replicas, beside its batch. */
const SLOT_RECORDS_BYTES = 32 * KIB
/** A sector's mark, a record's head, and the rest of a write's last sector, with values of this size: less than this share. */
const FRAMING = 1 / 8
/** The machine's state: the writers' values, the small keys, sessions. */
const STATE_BYTES = 2 * WRITERS * VALUE_BYTES + MIB

/**
 * Bytes on disk of one replica at most. The log holds what retention asks for and the segment that it ends in; from there the journal
 * up to the next snapshot, which is due at the first checkpoint after its limit and covers the slots of that, not those of the log
 * window beyond; a segment's worth more while the snapshot is written; and of the segments at both ends the parts that no cut reaches.
 * Beside the log there are the snapshots, with one more while it is written.
 */
export function steadyBound(): number {
  const { window, checkpointInterval, maxBatchBytes } = STEADY.parameters
  const slots = 2 * checkpointInterval + window
  const journal = SNAPSHOT_JOURNAL_BYTES + slots * (maxBatchBytes + SLOT_RECORDS_BYTES) + SEGMENT_BYTES
  const log = STEADY.retention.bytes + SEGMENT_BYTES + journal * (1 + FRAMING) + 2 * SEGMENT_BYTES
  return log + (KEPT_SNAPSHOTS + 1) * STATE_BYTES
}

export interface SteadyOptions {
  readonly minutes: number
  readonly seed: number
  readonly onSample?: (samples: readonly Sample[], acknowledgedBytes: number) => void
}

export interface Sample {
  readonly replica: number
  readonly diskBytes: number
  readonly rssBytes: number
  /** The first slot that is still on disk: it moves with every truncation. */
  readonly firstSlot: number
}

export interface SteadyReplica {
  readonly maxDiskBytes: number
  readonly truncations: number
  readonly rssFirstBytes: number
  readonly rssMaxBytes: number
  readonly rssLastBytes: number
}

export interface SteadyReport {
  readonly boundBytes: number
  readonly acknowledgedBytes: number
  readonly slots: number
  readonly requests: number
  readonly replicas: readonly SteadyReplica[]
}

const SAMPLE_MS = 2_000
/** Some minutes of small requests are as many as the search for a linear order likes. */
const SMALL = { workers: 2, restMs: 50 }

/** @throws {Error} as soon as a replica has more on disk than {@link steadyBound}, and where the verdict is bad. */
export async function runSteady({ minutes, seed, onSample }: SteadyOptions): Promise<SteadyReport> {
  const boundBytes = steadyBound()
  const harness = await Harness.start({ replicas: 4, ...STEADY })
  const series = new Map<number, Sample[]>(harness.cluster.indexes.map((index) => [index, []]))
  try {
    // One for both: two clients with one key would number their requests alike.
    const client = await harness.connect()
    const load = await harness.load({ ...SMALL, client, seed })
    const volume = new Volume(client, seed)
    volume.start()
    const end = performance.now() + minutes * 60_000
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
      if (volume.failure !== undefined) throw volume.failure
      if (load.failure !== undefined) throw load.failure
      const samples = await Promise.all(harness.cluster.indexes.map((index) => sampleOf(harness, index)))
      for (const sample of samples) {
        series.get(sample.replica)?.push(sample)
        const { replica, diskBytes } = sample
        assert.ok(diskBytes <= boundBytes, `replica ${replica} has ${diskBytes} bytes on disk, more than ${boundBytes}`)
      }
      onSample?.(samples, volume.bytes)
    }
    await volume.stop()
    await harness.verdict()
    const slots = Math.max(...harness.honest().map(({ executed }) => executed))
    const requests = harness.operations().length + volume.values
    const replicas = [...series.values()].map(summaryOf)
    return { boundBytes, acknowledgedBytes: volume.bytes, slots, requests, replicas }
  } finally {
    await harness.dispose()
  }
}

/** Writers of large values. What they were told is counted and not kept: minutes of it would fill this process. */
class Volume {
  bytes = 0
  values = 0
  failure: unknown
  private readonly client: Client
  private readonly seed: number
  private running: readonly Promise<void>[] = []
  private stopping = false

  constructor(client: Client, seed: number) {
    this.client = client
    this.seed = seed
  }

  start(): void {
    this.running = Array.from({ length: WRITERS }, (_, writer) =>
      this.write(writer).catch((error: unknown) => {
        this.failure ??= error
      }),
    )
  }

  async stop(): Promise<void> {
    this.stopping = true
    await Promise.all(this.running)
    if (this.failure !== undefined) throw this.failure
  }

  private async write(writer: number): Promise<void> {
    const random = chance(this.seed * 1009 + writer)
    while (!this.stopping && this.failure === undefined) {
      const value = new Uint8Array(VALUE_BYTES).fill(Math.floor(random() * 256))
      await this.client.put(`volume ${writer}`, value, { timeoutMs: 60_000 })
      this.bytes += value.length
      this.values++
    }
  }
}

async function sampleOf({ cluster }: Harness, replica: number): Promise<Sample> {
  const [diskBytes, rssBytes] = await Promise.all([
    folderBytes(join(replicaFolder(cluster.folder, replica), DATA_FOLDER)),
    residentBytes(cluster.pid(replica)),
  ])
  return { replica, diskBytes, rssBytes, firstSlot: cluster.report(replica)?.firstSlot ?? 0 }
}

async function folderBytes(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => {
    // A truncation may delete a file between the two looks.
    const found = await stat(join(folder, name)).catch(() => undefined)
    return found?.size ?? 0
  })
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

async function residentBytes(pid: number | undefined): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) * KIB
}

function summaryOf(samples: readonly Sample[]): SteadyReplica {
  const rss = samples.map(({ rssBytes }) => rssBytes)
  const moves = samples.filter(({ firstSlot }, i) => i > 0 && firstSlot > (samples[i - 1]?.firstSlot ?? 0))
  return {
    maxDiskBytes: Math.max(...samples.map(({ diskBytes }) => diskBytes)),
    truncations: moves.length,
    rssFirstBytes: rss[0] ?? 0,
    rssMaxBytes: Math.max(...rss),
    rssLastBytes: rss.at(-1) ?? 0,
  }
}

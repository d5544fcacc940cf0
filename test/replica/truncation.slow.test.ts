// Four replicas with stores on disk, under a load that writes many times what they may keep. Segments and snapshots are much smaller
// than in earnest, so that the log is truncated dozens of times; `npm run torture -- --steady` does it with real processes and sizes.

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openDiskStore } from '../../src/storage/disk.ts'
import { nodeFiles } from '../../src/storage/files.ts'
import { KEPT_SNAPSHOTS } from '../../src/storage/limits.ts'
import { MemoryCluster } from './memory-cluster.ts'

const KIB = 1024
const RETAINED_BYTES = 512 * KIB
const SEGMENT_BYTES = 64 * KIB
const SNAPSHOT_JOURNAL_BYTES = 512 * KIB
const PARAMETERS = {
  ...{ window: 4, checkpointInterval: 8, maxBatchBytes: 24 * KIB, maxRequestBytes: 8 * KIB },
  // Nobody fails here. On a busy machine a short time-out would change views, whose NewViews are kept for audits beside all this.
  viewTimeoutMs: 10_000,
}
const KEYS = 4
const VALUE_BYTES = 4 * KIB
/** Votes, certificates and results of one slot beside its batch. */
const SLOT_RECORDS_BYTES = 8 * KIB
const STATE_BYTES = 2 * KEYS * VALUE_BYTES + 32 * KIB

/**
 * Bytes on disk of one replica at most: what retention asks for and the segment that it ends in; the journal up to the next snapshot,
 * which is due at the first checkpoint after its limit and covers none of the slots in the log window beyond; the segments at both
 * ends, longer by the last write into them; the snapshots that are kept and the one that is written; an eighth of it for framing.
 */
const SLOT_BYTES = PARAMETERS.maxBatchBytes + SLOT_RECORDS_BYTES
const SEGMENT_WITH_WRITE = SEGMENT_BYTES + PARAMETERS.window * SLOT_BYTES
const JOURNAL_BYTES = SNAPSHOT_JOURNAL_BYTES + (2 * PARAMETERS.checkpointInterval + PARAMETERS.window) * SLOT_BYTES
const BOUND = (9 / 8) * (RETAINED_BYTES + 3 * SEGMENT_WITH_WRITE + JOURNAL_BYTES) + (KEPT_SNAPSHOTS + 1) * STATE_BYTES

let folder = ''
let cluster: MemoryCluster | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-truncation-'))
})

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
  await rm(folder, { recursive: true })
})

async function onDisk(place: string): Promise<{ readonly bytes: number; readonly snapshots: number }> {
  const names = await readdir(place)
  // A truncation may delete a file between the two looks.
  const sizes = await Promise.all(names.map((name) => stat(join(place, name)).catch(() => undefined)))
  const bytes = sizes.reduce((sum, each) => sum + (each?.size ?? 0), 0)
  return { bytes, snapshots: names.filter((name) => name.startsWith('snapshot-')).length }
}

it('the disks of a cluster hold no more than its settings say, however much is written', async () => {
  const c = new MemoryCluster({
    parameters: PARAMETERS,
    limits: { snapshotBytes: SNAPSHOT_JOURNAL_BYTES },
    openStore: (replica, options) => {
      const retention = { bytes: RETAINED_BYTES }
      const disk = { path: join(folder, String(replica)), durability: 'os', segmentBytes: SEGMENT_BYTES } as const
      return openDiskStore({ ...options, ...disk, retention }, nodeFiles)
    },
  })
  cluster = c
  await c.start()
  const client = await c.client()
  const replicas = c.replicas.map((_, index) => ({ index, first: new Set<number>(), largest: 0 }))
  for (let written = 0, i = 0; written < 3 * BOUND; i++) {
    const value = String.fromCharCode(97 + (i % 26)).repeat(VALUE_BYTES)
    await client.submit(Array.from({ length: KEYS }, (_, key) => client.put(`k${key}`, value)))
    written += KEYS * VALUE_BYTES
    for (const replica of replicas) {
      const { bytes, snapshots } = await onDisk(join(folder, String(replica.index)))
      expect(bytes, `replica ${replica.index} after ${written} bytes`).toBeLessThanOrEqual(BOUND)
      expect(snapshots).toBeLessThanOrEqual(KEPT_SNAPSHOTS + 1)
      replica.largest = Math.max(replica.largest, bytes)
      replica.first.add(c.status(replica.index).firstSlot)
    }
  }
  for (const { first, largest } of replicas) {
    // With every truncation another slot is the first one.
    expect(first.size).toBeGreaterThan(5)
    expect(largest).toBeGreaterThan(RETAINED_BYTES)
  }
  expect(c.fatal).toEqual([])
})

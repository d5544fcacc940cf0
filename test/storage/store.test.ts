import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Files, systemFiles } from '../../src/storage/files.ts'
import { emptyContents, memoryStore } from '../../src/storage/index.ts'
import { SyncPace } from '../../src/storage/sync-pace.ts'
import { describeStore } from './compliance.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { open, SMALL_SEGMENT_BYTES } from './support.ts'

const folder = await mkdtemp(join(tmpdir(), 'quorate-store-'))
let places = 0

afterAll(async () => {
  await rm(folder, { recursive: true })
})

/** Of a machine with so many cores, and a disk that is never slow. */
function files(cores: number): Files {
  const pace = new SyncPace(cores)
  pace.took = () => {}
  return systemFiles(pace)
}

const KINDS = [
  ['fsync by a thread', 'fsync', files(64), false],
  ['fsync at once', 'fsync', files(1), true],
  ['os', 'os', files(64), false],
] as const

for (const [name, durability, system, atOnce] of KINDS) {
  describeStore(`on disk (${name})`, () => {
    const path = join(folder, String(places++))
    return {
      open: (options) => open(system, { ...options, path, durability }),
      segmentBytes: SMALL_SEGMENT_BYTES,
      atOnce,
    }
  })
}

describeStore('on a disk that may fail', () => {
  const disk = new FaultyDisk()
  return { open: (options) => open(disk, options), segmentBytes: SMALL_SEGMENT_BYTES }
})

describeStore('in memory', () => {
  const contents = emptyContents()
  return { open: async (options) => memoryStore({ ...options, contents }), segmentBytes: 1024 }
})

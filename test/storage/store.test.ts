import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { nodeFiles } from '../../src/storage/files.ts'
import { emptyContents, memoryStore } from '../../src/storage/index.ts'
import { describeStore } from './compliance.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { open, SMALL_SEGMENT_BYTES } from './support.ts'

const folder = await mkdtemp(join(tmpdir(), 'quorate-store-'))
let places = 0

afterAll(async () => {
  await rm(folder, { recursive: true })
})

for (const durability of ['fsync', 'os'] as const) {
  describeStore(`on disk (${durability})`, () => {
    const path = join(folder, String(places++))
    return {
      open: (options) => open(nodeFiles, { ...options, path, durability }),
      segmentBytes: SMALL_SEGMENT_BYTES,
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

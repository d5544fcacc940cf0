// Stores for tests.

import { type DiskSettings, openDiskStore } from '../../src/storage/disk.ts'
import type { Files } from '../../src/storage/files.ts'
import type { Store } from '../../src/storage/index.ts'
import { IDENTITY } from './records.ts'

export const FOLDER = '/store'

/** Small enough that a test fills many. */
export const SMALL_SEGMENT_BYTES = 4096

/** A store in small segments; a failure that the test does not expect is thrown out of all frames. */
export function open(files: Files, options: Partial<DiskSettings> = {}): Promise<Store> {
  const onFailure = (error: Error) => {
    throw error
  }
  const defaults = { path: FOLDER, identity: IDENTITY, durability: 'fsync', create: true, onFailure } as const
  return openDiskStore({ ...defaults, segmentBytes: SMALL_SEGMENT_BYTES, ...options }, files)
}

/** Lets everything go on that can without waiting for anything outside. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((turnEnded) => setImmediate(turnEnded))
}

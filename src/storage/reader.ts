// Reads records back out of the segments, also of those that are kept for audits only, while the log goes on.

import { join } from 'node:path'
import type { Files, ReadableFile } from './files.ts'
import { segmentSeed } from './frame.ts'
import { SECTOR_BYTES, SECTOR_PAYLOAD_BYTES } from './limits.ts'
import { scan } from './scan.ts'
import { unpack } from './sectors.ts'
import type { Segment } from './segments.ts'
import type { StoreRecord } from './store.ts'

export interface ReaderOptions {
  readonly files: Files
  readonly folder: string
  readonly salt: Uint8Array
}

/**
 * Records about slots from `from` to `to` in those of `segments` that are there when their turn comes, in the order of appending.
 * At most one block of a segment is in memory at a time. What is damaged is left out: it was reported when the store was opened.
 */
export async function* readSlots(
  options: ReaderOptions,
  segments: readonly Segment[],
  from: number,
  to: number,
): AsyncGenerator<StoreRecord> {
  for (const segment of [...segments]) {
    if (!overlaps(segment, from, to) || !segments.includes(segment)) continue
    const file = options.files.openForReading(join(options.folder, segment.file))
    try {
      yield* readSegment(file, segment, segmentSeed(options.salt, segment.number), from, to)
    } finally {
      file.close()
    }
  }
}

async function* readSegment(
  file: ReadableFile,
  segment: Segment,
  seed: number,
  from: number,
  to: number,
): AsyncGenerator<StoreRecord> {
  for (const block of [...segment.blocks]) {
    if (!overlaps(block, from, to)) continue
    const { fromSector, toSector } = block
    const bytes = await file.read(fromSector * SECTOR_BYTES, (toSector - fromSector) * SECTOR_BYTES)
    for (const found of scan(unpack(bytes), fromSector * SECTOR_PAYLOAD_BYTES, seed)) {
      if (found.kind === 'gap' || found.body === undefined) continue
      const { kind, slot } = found.head
      if (slot > 0 && slot >= from && slot <= to) yield { kind, slot, bytes: found.body }
    }
  }
}

function overlaps({ minSlot, maxSlot }: { minSlot: number; maxSlot: number }, from: number, to: number): boolean {
  return maxSlot > 0 && minSlot <= to && maxSlot >= from
}

import { afterEach, describe, expect, it, vi } from 'vitest'
import { EMPTY_FRONTIER, slot, ZERO_DIGEST } from '../../crypto/index.ts'
import { AuthenticatedMap, type Text } from '../../src/machine/index.ts'
import { SHELL_LIMITS, SNAPSHOT_SHARE } from '../../src/replica/limits.ts'
import { SnapshotWriter } from '../../src/replica/snapshot-writer.ts'
import { emptyContents, memoryStore } from '../../src/storage/index.ts'

const rests = vi.hoisted<number[]>(() => [])

vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    rests.push(ms)
  },
}))

afterEach(() => {
  vi.restoreAllMocks()
  rests.length = 0
})

/** A state of three chunks at some slot, and its checkpoint. */
function stateAt(at: number) {
  const map = new AuthenticatedMap()
  for (let i = 0; i < 1500; i++) map.set(`key ${i}` as Text, 'x'.repeat(400) as Text)
  const state = { ...map.snapshot(), slot: at }
  return {
    kept: { slot: slot(at), frontier: EMPTY_FRONTIER, timestampMs: 0, state },
    checkpoint: { slot: slot(at), logRoot: ZERO_DIGEST, stateRoot: state.root, next: undefined, signatures: [] },
  }
}

/** A writer whose last snapshot had so many bytes, with a journal of so many since. */
function writerWith(bytes: number, journal: number) {
  const released: number[] = []
  const failures: unknown[] = []
  let journalBytes = 0
  const contents = emptyContents()
  const writer = new SnapshotWriter({
    store: memoryStore({ contents }),
    limits: { ...SHELL_LIMITS, snapshotBytes: 1000 },
    stored: { slot: 8, bytes },
    journalBytes: () => journalBytes,
    released: ({ slot: at }) => released.push(at),
    onFailure: (error) => failures.push(error),
  })
  journalBytes = journal
  return { writer, released, failures, contents }
}

describe('a snapshot', () => {
  it('leaves three quarters of the time to what is ordered meanwhile', async () => {
    let nowMs = 0
    // Each look at the clock is 10 ms later: so long takes a chunk.
    vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10))
    const { writer, released, failures, contents } = writerWith(0, 1000)
    const { checkpoint, kept } = stateAt(16)
    writer.offer(checkpoint, kept)
    while (released.length === 0 && failures.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(failures).toEqual([])
    expect([...(contents.snapshots[0]?.chunks() ?? [])]).toHaveLength(3)
    expect(rests).toEqual([30, 30, 30])
    expect(SNAPSHOT_SHARE).toBe(1 / 4)
  })

  it('is due when the journal has grown as long as a third of the one before, and to its least length', () => {
    const due = (bytes: number, journal: number) => {
      const { writer } = writerWith(bytes, journal)
      const { checkpoint, kept } = stateAt(16)
      writer.offer(checkpoint, kept)
      return writer.pinned.length > 0
    }
    expect(due(0, 999)).toBe(false)
    expect(due(0, 1000)).toBe(true)
    expect(due(6000, 1999)).toBe(false)
    expect(due(6000, 2000)).toBe(true)
  })
})

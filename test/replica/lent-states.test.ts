import { describe, expect, it } from 'vitest'
import { EMPTY_FRONTIER, sha256, slot, utf8, ZERO_DIGEST } from '../../crypto/index.ts'
import type { StableCheckpoint } from '../../src/consensus/index.ts'
import { AuthenticatedMap } from '../../src/machine/index.ts'
import { LentStates } from '../../src/replica/lent-states.ts'
import type { KeptSnapshot } from '../../src/replica/machine-host.ts'

function stand(...slots: readonly number[]) {
  const map = new AuthenticatedMap()
  const kept = new Map<number, KeptSnapshot>()
  const states = new LentStates({ snapshotAt: (at) => kept.get(at) })
  const checkpointOf = (at: number, stateRoot = map.commit()): StableCheckpoint => ({
    ...{ slot: slot(at), logRoot: ZERO_DIGEST, stateRoot, next: undefined, signatures: [] },
  })
  for (const at of slots) {
    kept.set(at, { slot: slot(at), frontier: EMPTY_FRONTIER, timestampMs: 0, state: { ...map.snapshot(), slot: at } })
    states.note(checkpointOf(at))
  }
  return { kept, states, checkpointOf }
}

describe('states that clients fetch', () => {
  it('are the newest up to a slot', () => {
    const { states } = stand(8, 16, 24)
    expect(states.lend(1_000, 0)?.checkpoint.slot).toBe(24)
    expect(states.lend(23, 0)?.kept.slot).toBe(16)
    expect(states.lend(7, 0)).toBeUndefined()
  })

  it('are none that came out otherwise than what a quorum signed', () => {
    const { states, checkpointOf } = stand(8, 16)
    states.note(checkpointOf(16, sha256(utf8('another state'))))
    expect(states.lend(16, 0)?.checkpoint.slot).toBe(8)
  })

  it('stay as long as somebody goes on, one at a time', () => {
    const { states, kept } = stand(8, 16)
    states.lend(8, 0)
    expect(states.pinned).toBe(8)
    states.lend(16, 5)
    expect(states.pinned).toBe(8)
    states.lend(8, 10)
    states.expire(10)
    expect(states.pinned).toBe(8)
    states.expire(11)
    expect(states.pinned).toBeUndefined()
    states.lend(16, 12)
    expect(states.pinned).toBe(16)
    // Gone with a state that was fetched: it is in nobody's way.
    kept.delete(16)
    states.lend(8, 13)
    expect(states.pinned).toBe(8)
  })
})

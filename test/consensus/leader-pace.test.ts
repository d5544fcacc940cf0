// How long a leader let a request wait (T3), from a replica's state alone.

import { describe, expect, it } from 'vitest'
import { markVerified } from '../../crypto/index.ts'
import { batchEntry, type CoreState, EAGER_SLOTS } from '../../src/consensus/index.ts'
import { noteProposal } from '../../src/consensus/leader-pace.ts'
import { miniCluster, request } from '../support/mini-cluster.ts'

const HERE_SINCE = 1000
const NOW = 1400

/** A follower at NOW that has chosen slot 10, and slot 9 10 ms earlier. */
function follower(): { state: CoreState; note: (slot: number) => readonly number[] } {
  const cluster = miniCluster()
  const state = cluster.replicas[1]?.state
  if (state === undefined) throw new Error('no state')
  state.nowMs = NOW
  state.chosen = cluster.slot(10)
  for (let at = 9; at <= 10; at++) state.chosenAt[cluster.slot(at) % EAGER_SLOTS] = 1300 - 10 * (10 - at)
  const { clusterId, epoch } = cluster.context.membership
  const signed = markVerified(request(clusterId, 'a', 1))
  const never = { forwardedAt: undefined, resentAt: undefined, proposedAt: undefined, via: undefined }
  const note = (slot: number) => {
    const entry = batchEntry(cluster.slot(slot), epoch, 1_000_000, [signed])
    noteProposal(state, entry, [{ request: signed, since: HERE_SINCE, ...never }])
    return state.latencies
  }
  return { state, note }
}

describe('a request waits for its leader', () => {
  it.each([11, 12])('from when slot %i had room: the second before it was chosen then', (slot) => {
    expect(follower().note(slot)).toEqual([NOW - (1300 - 10 * (12 - slot))])
  })

  it('not at all where its slot was begun ahead of the room', () => {
    expect(follower().note(13)).toEqual([0])
  })

  it('from its arrival, where it came after there was room', () => {
    const { state, note } = follower()
    state.chosenAt.fill(HERE_SINCE - 500)
    expect(note(11)).toEqual([NOW - HERE_SINCE])
  })

  it('from its arrival, where a proposal with room passed it over half a time-out later', () => {
    const { state, note } = follower()
    state.roomyAt = HERE_SINCE + 250
    expect(note(11)).toEqual([NOW - 1290])
    state.latencies.length = 0
    state.roomyAt = HERE_SINCE + 251
    expect(note(11)).toEqual([NOW - HERE_SINCE])
  })
})

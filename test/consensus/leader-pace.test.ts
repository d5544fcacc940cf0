// How long a leader let a request wait (T3), from a replica's state alone.

import { describe, expect, it } from 'vitest'
import { markVerified } from '../../crypto/index.ts'
import { batchEntry, type CoreState, EAGER_SLOTS } from '../../src/consensus/index.ts'
import { closeLatencies, isHesitant, noteProposal } from '../../src/consensus/leader-pace.ts'
import { miniCluster, request } from '../support/mini-cluster.ts'

const HERE_SINCE = 1000
const NOW = 1400

/** A follower at NOW that has chosen slot 10, and slot 9 10 ms earlier. */
function follower(): { state: CoreState; note: (slot: number, text?: string) => readonly number[] } {
  const cluster = miniCluster()
  const state = cluster.replicas[1]?.state
  if (state === undefined) throw new Error('no state')
  state.nowMs = NOW
  state.chosen = cluster.slot(10)
  for (let at = 9; at <= 10; at++) state.chosenAt[cluster.slot(at) % EAGER_SLOTS] = 1300 - 10 * (10 - at)
  const { clusterId, epoch } = cluster.context.membership
  const never = { forwardedAt: undefined, resentAt: undefined, proposedAt: undefined, via: undefined }
  const note = (slot: number, text = 'a') => {
    const signed = markVerified(request(clusterId, text, 1))
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

describe('a leader hesitates', () => {
  /** Its proposals were late by 31 ms, and of the decisions a quarter and one took 10 ms and the others 30. */
  const judged = (late = 31) => {
    const { state } = follower()
    for (let i = 0; i < 16; i++) {
      state.hesitations.push(late)
      state.decisions.push(i < 5 ? 10 : 30)
    }
    return state
  }

  it('where it takes more than three times as long as the fastest quarter of the decisions', () => {
    expect(isHesitant(judged(31))).toBe(true)
    expect(isHesitant(judged(30))).toBe(false)
    expect(isHesitant(judged(21), 2 / 3)).toBe(true)
    expect(isHesitant(judged(20), 2 / 3)).toBe(false)
  })

  it('never within a twentieth of the time-out', () => {
    const state = judged(25)
    state.decisions.fill(0)
    expect(isHesitant(state)).toBe(false)
    state.hesitations.fill(25.1)
    expect(isHesitant(state)).toBe(true)
  })

  it('twice as long, after a leader was given up for it', () => {
    const state = judged(60)
    closeLatencies(state, 'hesitant-leader')
    expect(state.hesitations).toEqual([])
    for (let i = 0; i < 16; i++) state.hesitations.push(60)
    expect(isHesitant(state)).toBe(false)
    state.hesitations.fill(61)
    expect(isHesitant(state)).toBe(true)
  })

  it.each(['hesitations', 'decisions'] as const)('not before 16 %s were seen', (which) => {
    const state = judged()
    state[which].length = 15
    expect(isHesitant(state)).toBe(false)
  })

  it('never in crash mode, where nobody lies', () => {
    const state = miniCluster({ replicas: 3, byzantine: 0, crash: 1 }).replicas[1]?.state
    state?.hesitations.push(...new Array(16).fill(1000))
    state?.decisions.push(...new Array(16).fill(0))
    expect(state && isHesitant(state)).toBe(false)
  })

  it('once a proposal, by the request that waited longest, and not where its batch is large', () => {
    const { state, note } = follower()
    note(11)
    note(12)
    expect(state.hesitations).toEqual([NOW - 1290, NOW - 1300])
    state.hesitations.length = 0
    note(11, 'x'.repeat(state.config.parameters.maxBatchBytes / 16 + 1))
    expect(state.hesitations).toEqual([])
    for (let at = 0; at < 20; at++) note(13)
    expect(state.hesitations).toHaveLength(16)
  })
})

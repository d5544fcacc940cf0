// Slow and hesitant leaders (T3, T7): how long requests wait for their proposal, and how long they need have waited.
//
// Only the leader's own hesitation counts. While as many slots are in flight as an honest leader begins of its own accord
// (EAGER_SLOTS), requests wait for the machines and not for the leader, so a wait begins when there is room for the slot: a cluster
// with more work than it can do keeps its leader. A liar could hide behind that by filling the room with hardly anything, as an honest
// leader does only where nothing else waits. So whoever was passed over for long by a proposal that had room for it counts from its arrival.

import type { Slot } from '../../crypto/index.ts'
import { commandBytes, type Entry } from './entry.ts'
import type { ViewReason } from './io.ts'
import { EAGER_SLOTS, FILLED_SHARE, PACE_SAMPLES } from './limits.ts'
import { type CoreState, leads, type Pending } from './state.ts'

/** Of one proposal the longest so many are looked at: a single late one is no slow leader, however many requests it holds. */
const SAMPLES_PER_PROPOSAL = 4
/** A leader this many times slower than the best median seen is slow. */
const SLOW_FACTOR = 4
/** One that takes so many times as long to propose as a fast decision takes hesitates. */
const HESITANT_FACTOR = 3
/** Below such a share of the base time-out nobody does. */
const HESITANT_SHARE = 1 / 20
/** Which decision is a fast one: a leader that shows its proposals to some later than to others slows the rest. */
const FAST_QUANTILE = 1 / 4
/** Of a batch of more than such a share of its bytes, the way takes what counts. */
const SMALL_SHARE = 1 / 16

/** Notes a proposal of the current view and the requests that it was the first to hold. */
export function noteProposal(state: CoreState, entry: Entry, requests: readonly Pending[]): void {
  const waits = requests.map((request) => waitOf(state, request, entry.header.slot)).sort((a, b) => b - a)
  const [longest] = waits
  state.latencies.push(...waits.slice(0, SAMPLES_PER_PROPOSAL))
  if (longest !== undefined && commandBytes(entry) <= state.config.parameters.maxBatchBytes * SMALL_SHARE) {
    state.hesitations.push(longest)
    if (state.hesitations.length > PACE_SAMPLES) state.hesitations.shift()
  }
  if (!isFilled(state, entry)) state.roomyAt = state.nowMs
  // A slow leader's first ones must not be outweighed forever by a good past.
  if (state.latencies.length > PACE_SAMPLES) state.latencies.splice(0, state.latencies.length - PACE_SAMPLES)
}

/** Milliseconds that the leader let this request wait. */
function waitOf(state: CoreState, { since, forwardedAt }: Pending, at: Slot): number {
  const arrived = forwardedAt ?? since
  const passedOver = arrived + state.config.parameters.viewTimeoutMs / 2 < state.roomyAt
  return state.nowMs - (passedOver ? arrived : Math.max(arrived, roomFor(state, at)))
}

/** Since when there is room for this slot in flight. */
function roomFor(state: CoreState, at: Slot): number {
  // Otherwise it was begun ahead of it.
  return at <= state.chosen + EAGER_SLOTS ? (state.chosenAt[at % EAGER_SLOTS] ?? state.nowMs) : state.nowMs
}

/** True where the leader may have had no room for more. */
function isFilled(state: CoreState, entry: Entry): boolean {
  const { maxBatchRequests, maxBatchBytes } = state.config.parameters
  return entry.requests.length >= maxBatchRequests * FILLED_SHARE || commandBytes(entry) >= maxBatchBytes * FILLED_SHARE
}

/** T3. Every demotion doubles what is tolerated, so that a slow network does not keep leaders changing. */
export function isSlow(state: CoreState): boolean {
  const { latencies, bestLatency, demotions } = state
  const { viewTimeoutMs } = state.config.parameters
  if (leads(state) || latencies.length < PACE_SAMPLES) return false
  const measured = median(latencies)
  const expected = Math.max((bestLatency ?? viewTimeoutMs) * SLOW_FACTOR, viewTimeoutMs / 8)
  return measured > Math.min(expected, viewTimeoutMs / 2) * 2 ** demotions
}

/**
 * T7. As a rule it lets requests wait several times as long as a fast decision takes. A machine with too much to do is late with both, so
 * that an honest leader is not taken for one. `share` of the measure is enough for who is asked whether it sees the same. Never in crash
 * mode: nobody holds anything back there on purpose, and whoever is not content with the leader gives it no lease.
 */
export function isHesitant(state: CoreState, share = 1): boolean {
  const { hesitations, decisions, demotions, config } = state
  if (leads(state) || config.membership.quorums.crashMode) return false
  if (Math.min(hesitations.length, decisions.length) < PACE_SAMPLES) return false
  const least = config.parameters.viewTimeoutMs * HESITANT_SHARE
  const expected = Math.max(quantile(decisions, FAST_QUANTILE) * HESITANT_FACTOR, least)
  return median(hesitations) > expected * share * 2 ** demotions
}

/** Keeps what this view's leader was seen to do as a measure for the next. */
export function closeLatencies(state: CoreState, reason: ViewReason): void {
  if (state.latencies.length >= PACE_SAMPLES) {
    state.bestLatency = Math.min(state.bestLatency ?? Number.POSITIVE_INFINITY, median(state.latencies))
  }
  if (reason === 'slow-leader' || reason === 'hesitant-leader') state.demotions += 1
  state.latencies.length = 0
  state.hesitations.length = 0
}

function median(values: readonly number[]): number {
  return quantile(values, 1 / 2)
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * share)] ?? 0
}

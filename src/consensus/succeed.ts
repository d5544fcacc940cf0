// From one epoch to the next, in one process. A core is of one epoch: what it said, promised and holds names its membership and counts
// nowhere else, so the next one is made anew. It takes along what is of no epoch: requests that wait, clocks, and whom it hears.

import { bytesKey, replicaIndex } from '../../crypto/index.ts'
import type { CoreConfig } from './config.ts'
import type { DurableRecord, Effect, MachinePosition } from './io.ts'
import { close } from './outbox.ts'
import { recallAll } from './recover.ts'
import { keepRequest, propose } from './requests.ts'
import { type CoreState, emptyState, peerOf } from './state.ts'

/**
 * The core of the epoch that a hand-over began, and its first effects. Requires that the hand-over is durable: `old` is then over, and
 * is asked nothing more but to serve those who are behind. Without `old`, in a process that just began or that has skipped epochs, the
 * same as `init`. `records` and `machine` as there; what is of epochs before is passed over.
 */
export function succeed(
  old: CoreState | undefined,
  config: CoreConfig,
  records: readonly DurableRecord[],
  machine: MachinePosition,
): { readonly state: CoreState; readonly effects: readonly Effect[] } {
  const state = emptyState(config, machine)
  if (old !== undefined) inherit(state, old)
  recallAll(state, records)
  // Without `old` the time is not known yet, and a leader would propose for a time long past.
  if (old !== undefined) propose(state)
  return { state, effects: close(state, () => {}) }
}

function inherit(state: CoreState, old: CoreState): void {
  state.nowMs = old.nowMs
  state.wallMs = old.wallMs
  state.viewSince = old.nowMs
  state.progressAt = old.nowMs
  state.resentAt = old.nowMs
  // Records are numbered through: an answer to an old one must not pass for one to a new one.
  state.lastRecord = old.lastRecord
  state.durable = old.durable
  // What was promised in an earlier life was promised in an earlier epoch too, unless it still binds.
  state.lease.freeFrom = old.lease.freeFrom
  const { membership, parameters, mutations } = state.config
  if (mutations.has('carry-votes-over')) {
    state.view = old.view
    for (const [replica, viewChange] of old.viewChanges) state.viewChanges.set(replica, viewChange)
  }
  const positions = new Map(membership.members.map(({ consensusKey }, i) => [bytesKey(consensusKey), replicaIndex(i)]))
  /** Where the members of the old epoch stand now; undefined for those that are gone. */
  const places = old.config.membership.members.map(({ consensusKey }) => positions.get(bytesKey(consensusKey)))
  for (const [i, { heardAt }] of old.peers.entries()) {
    const place = places[i]
    if (place !== undefined) peerOf(state, place).heardAt = heardAt
  }
  for (const { request, via } of old.pending.values()) {
    // One that is too large now would be taken for a lie.
    if (request.request.command.length > parameters.maxRequestBytes) continue
    keepRequest(state, request, via === undefined ? undefined : places[via])
  }
}

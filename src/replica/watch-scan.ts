// One watch, and what it is to be told next: the slots of the change log in which something changed in its range.

import type { ClientLink } from '../../net/index.ts'
import { changeBytes } from '../machine/index.ts'
import { type WatchEndCode, type WatchedRequest, type WatchedSlot, watchCost } from '../wire/index.ts'
import type { ChangedSlot, ChangeLog } from './change-log.ts'
import { WATCH_BATCH_COST } from './limits.ts'
import type { KeyRange } from './range-index.ts'

/** A slow watch costs this and nothing else: what it has not been told is not kept for it. */
export interface Watch extends KeyRange {
  readonly id: number
  readonly link: ClientLink
  readonly single: boolean
  /** What may still be told; the slot that uses it up may overdraw it. */
  credit: number
  /** Told up to this slot. */
  told: number
  /** Looked at up to this slot: between `told` and here nothing matches. */
  seen: number
  /** Nothing matches after `seen` either, as far as the log goes. */
  live: boolean
  /** Whether it was told anything yet. */
  answered: boolean
  /** Why it ends, once that is known; it is over when that was told. */
  ending: WatchEndCode | undefined
}

export interface Scan {
  readonly slots: readonly WatchedSlot[]
  readonly cost: number
  readonly stopped: 'at-the-end' | 'no-credit' | 'for-now'
}

/** Looks on from `watch.seen`, and moves it. */
export function scan(watch: Watch, log: ChangeLog, over: () => boolean): Scan {
  const slots: WatchedSlot[] = []
  let cost = 0
  for (const changed of log.after(watch.seen)) {
    const found = matching(watch, changed)
    if (found !== undefined) {
      if (watch.credit - cost <= 0) return { slots, cost, stopped: 'no-credit' }
      slots.push(found)
      cost += watchCost(found)
    }
    watch.seen = changed.slot
    if (cost >= WATCH_BATCH_COST || over()) return { slots, cost, stopped: 'for-now' }
  }
  watch.seen = Math.max(watch.seen, log.last)
  return { slots, cost, stopped: 'at-the-end' }
}

function matching(watch: Watch, changed: ChangedSlot): WatchedSlot | undefined {
  const { slot, header, certificate, timestampMs } = changed
  const found = changed.within(watch)
  if (found.length === 0) return undefined
  const { requests: all } = changed
  const indexes = [...new Set(found.flatMap(({ index }) => index ?? []))].sort((a, b) => a - b)
  const pathOf = watch.single && indexes.length > 0 ? changed.proofs(all) : undefined
  const requests = indexes.flatMap((index): WatchedRequest[] => {
    const signed = all[index]
    if (signed === undefined) return []
    const { client, sequence, command } = signed.request
    const identity =
      pathOf === undefined
        ? ({ kind: 'id', id: signed.id } as const)
        : ({ kind: 'proof', command, path: pathOf(index) } as const)
    return [{ index, client, sequence, identity }]
  })
  return { slot, header, certificate, timestampMs, requests, changes: found.map(changeBytes) }
}

// From what replicas say about a slot to the events that a user gets.

import { type Certificate, compareBytes, publicKey, utf8 } from '../../../crypto/index.ts'
import { requestId } from '../../consensus/index.ts'
import { type EntryRange, entryRange, kvChange, prefixRange } from '../../machine/index.ts'
import type { WatchedRequest, WatchedSlot, WatchRange } from '../../wire/index.ts'
import type { EventFacts, WatchEvent, WatchedEvents, WatchTarget } from './types.ts'

/** The machine's keys that a user means. */
export function rangeOf(target: WatchTarget): EntryRange {
  if ('prefix' in target) {
    const { start, end } = prefixRange(bytesOf(target.prefix))
    return entryRange(start, end)
  }
  if ('start' in target) {
    return entryRange(bytesOf(target.start), target.end === undefined ? undefined : bytesOf(target.end))
  }
  const key = bytesOf(target.key)
  return entryRange(key, Uint8Array.of(...key, 0))
}

/** Whether a machine key lies in the range. */
export function isWithin(key: Uint8Array, { start, end }: WatchRange): boolean {
  return compareBytes(start, key) <= 0 && (end === undefined || compareBytes(key, end) < 0)
}

/** The events, or undefined where these are no entries of the key-value store. */
export function eventsOf(watched: WatchedSlot, certificate: Certificate | undefined): WatchedEvents | undefined {
  const { slot, header, timestampMs, requests, changes } = watched
  const byIndex = new Map(requests.map((request) => [request.index, factsOf(request)]))
  const events: WatchEvent[] = []
  for (const { index, key, value } of changes) {
    const change = kvChange(key, value)
    if (change === undefined) return undefined
    const request = index === undefined ? undefined : byIndex.get(index)
    if (change.kind === 'delete') events.push({ kind: 'delete', key: change.key, slot, timestampMs, request })
    else events.push({ kind: 'put', ...change.entry, slot, timestampMs, request })
  }
  return { slot, timestampMs, events, header, certificate }
}

function factsOf({ client, sequence, identity }: WatchedRequest): EventFacts['request'] {
  const id =
    identity.kind === 'id' ? identity.id : requestId({ client: publicKey(client), sequence, command: identity.command })
  return { client, sequence, id }
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? utf8(value) : value
}

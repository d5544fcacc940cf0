// Watches on the wire.

import { digest, encodeCertificate, epoch, publicKey, slot } from '../../crypto/index.ts'
import type * as wire from '../../net/wire/index.ts'
import { type EntryHeader, noopEntry } from '../consensus/index.ts'
import { hashesOf, joined } from './hashes.ts'
import { whole } from './malformed.ts'
import { fromWireCertificate } from './votes.ts'
import type { WatchEndCode, WatchedChange, WatchedRequest, WatchedSlot, WatchRequest, WatchUpdate } from './watches.ts'

/** The numbers of `WatchEndCode` in watch.proto. A retired number stays listed there and is never used again. */
const END_CODES: Readonly<Record<WatchEndCode, number>> = Object.freeze({
  'fell-behind': 1,
  busy: 2,
  'not-allowed': 3,
  'too-many': 4,
})
const endCodes = Object.keys(END_CODES) as readonly WatchEndCode[]

export function toWireWatch({ id, start, end, after, credit, single }: WatchRequest): wire.Watch {
  return { id, start, until: end === undefined ? undefined : { key: end }, after, credit, single }
}

export function fromWireWatch({ id, start, until, after, credit, single }: wire.Watch): WatchRequest {
  return { id, start: start.slice(), end: until?.key.slice(), after: slot(after), credit, single }
}

export function toWireUpdate(update: WatchUpdate): wire.WatchUpdate {
  const { id } = update
  if (update.kind === 'ended') {
    const { code, firstSlot } = update
    return { id, news: { kind: 'ended', value: { code: END_CODES[code], firstSlot } } }
  }
  const { after, upTo, slots } = update
  return { id, news: { kind: 'batch', value: { after, upTo, slots: slots.map(toWireSlot) } } }
}

/** @throws {Malformed} */
export function fromWireUpdate({ id, news }: wire.WatchUpdate): WatchUpdate {
  switch (news.kind) {
    case 'batch': {
      const { after, upTo, slots } = news.value
      return { kind: 'batch', id, after: slot(after), upTo: slot(upTo), slots: slots.map(fromWireSlot) }
    }
    case 'ended': {
      const code = endCodes.find((each) => END_CODES[each] === news.value.code)
      return { kind: 'ended', id, code: whole(code, 'WatchEnd.code'), firstSlot: slot(news.value.firstSlot) }
    }
  }
}

function toWireSlot({ slot: at, header, certificate, timestampMs, requests, changes }: WatchedSlot): wire.WatchedSlot {
  const { kind, epoch: of, root, count } = header
  return {
    slot: at,
    epoch: of,
    header: kind === 'noop' ? undefined : { timestampMs: header.timestampMs, root, count },
    timestampMs,
    certificate: encodeCertificate(certificate),
    requests: requests.map(toWireRequest),
    changes: changes.map(toWireChange),
  }
}

function fromWireSlot(watched: wire.WatchedSlot): WatchedSlot {
  const { timestampMs, certificate, requests, changes } = watched
  return {
    slot: slot(watched.slot),
    header: headerOf(watched),
    certificate: fromWireCertificate(certificate),
    timestampMs,
    requests: requests.map(fromWireRequest),
    changes: changes.map(fromWireChange),
  }
}

function headerOf({ slot: at, epoch: of, header }: wire.WatchedSlot): EntryHeader {
  if (header === undefined) return noopEntry(slot(at), epoch(of)).header
  const { timestampMs, root, count } = header
  return { kind: 'batch', slot: slot(at), epoch: epoch(of), timestampMs, count, root: digest(root) }
}

function toWireRequest({ index, client, sequence, identity }: WatchedRequest): wire.WatchedRequest {
  if (identity.kind === 'id') {
    return { index, client, sequence, identity: { kind: 'id', value: { id: identity.id } } }
  }
  const { command, path } = identity
  return { index, client, sequence, identity: { kind: 'proof', value: { command, path: joined(path) } } }
}

function fromWireRequest({ index, client, sequence, identity }: wire.WatchedRequest): WatchedRequest {
  const known = { index, client: publicKey(client), sequence }
  if (identity.kind === 'id') return { ...known, identity: { kind: 'id', id: digest(identity.value.id) } }
  const { command, path } = identity.value
  return {
    ...known,
    identity: { kind: 'proof', command: command.slice(), path: hashesOf(path, 'RequestProof.path') },
  }
}

function toWireChange({ index, key, value }: WatchedChange): wire.WatchedChange {
  return {
    cause: index === undefined ? undefined : { index },
    key,
    content: value === undefined ? undefined : { stored: value },
  }
}

function fromWireChange({ cause, key, content }: wire.WatchedChange): WatchedChange {
  return { index: cause?.index, key: key.slice(), value: content?.stored.slice() }
}

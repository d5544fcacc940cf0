// Frames from replicas to clients.

import { copyOf, digest, epoch, fromUtf8, type Result, replicaIndex, slot, utf8, view } from '../../crypto/index.ts'
import type { Admit } from '../../keys/charter/index.ts'
import * as wire from '../../net/wire/index.ts'
import { fromWireCheckpoint, fromWireSlot, toWireCheckpoint, toWireSlot } from './archive-codec.ts'
import { fromWireEvidence, toWireEvidence } from './evidence.ts'
import type { Answer, RefusalCode, ReplicaFrame, ReplicaStatus, SlotReply } from './frames.ts'
import { fromWireHandOver, toWireHandOver } from './hand-overs.ts'
import { read, whole } from './malformed.ts'
import {
  fromWireProofs,
  fromWireReadResults,
  fromWireState,
  toWireProofs,
  toWireReadResults,
  toWireState,
} from './read-codec.ts'
import { fromWireNewView, fromWireVote, toWireNewView, toWireVote } from './votes.ts'
import { fromWireUpdate, toWireUpdate } from './watch-codec.ts'

/** The numbers of `RefusalCode` in client.proto. A retired number stays listed there and is never used again. */
const REFUSAL_CODES: Readonly<Record<RefusalCode, number>> = Object.freeze({
  busy: 1,
  'unknown-client': 2,
  'too-large': 3,
  'bad-signature': 4,
  malformed: 5,
  'not-allowed': 6,
})
const refusalCodes = Object.keys(REFUSAL_CODES) as readonly RefusalCode[]

/**
 * Texts for people are cut at {@link wire.MAX_TEXT_BYTES}, and of alarms the newest {@link wire.MAX_ALARMS} are sent,
 * so that no wordy reason keeps a status from being answered.
 * @throws {RangeError} for a frame beyond the other bounds of net/wire/limits.ts.
 */
export function encodeReplicaFrame(frame: ReplicaFrame): Uint8Array {
  switch (frame.kind) {
    case 'replies':
      return wire.encodeReplicaFrame({ kind: 'replies', value: { replies: frame.replies.map(toWireReply) } })
    case 'refusal': {
      const { request, code } = frame
      return wire.encodeReplicaFrame({ kind: 'refusal', value: { request, code: REFUSAL_CODES[code] } })
    }
    case 'answer': {
      const { id, last } = frame
      return wire.encodeReplicaFrame({ kind: 'answer', value: { id, last, answer: toWireAnswer(frame.answer) } })
    }
    case 'watched':
      return wire.encodeReplicaFrame({ kind: 'watched', value: { updates: frame.updates.map(toWireUpdate) } })
  }
}

/** The frame, not verified but for the keys in charters, which `admit` takes; it holds no view of `bytes`. */
export function decodeReplicaFrame(bytes: Uint8Array, admit?: Admit): Result<ReplicaFrame, wire.WireFault> {
  return read(wire.decodeReplicaFrame(bytes), ({ kind, value }): ReplicaFrame => {
    switch (kind) {
      case 'replies':
        return { kind, replies: value.replies.map(fromWireReply) }
      case 'refusal': {
        const code = refusalCodes.find((each) => REFUSAL_CODES[each] === value.code)
        return { kind, request: digest(value.request), code: whole(code, 'Refusal.code') }
      }
      case 'answer':
        return { kind, id: value.id, last: value.last, answer: fromWireAnswer(value.answer, admit) }
      case 'watched':
        return { kind, updates: value.updates.map(fromWireUpdate) }
    }
  })
}

function toWireReply({ view: at, receipt, count, items, hashes }: SlotReply): wire.SlotReply {
  return { view: at, receipt: toWireVote(receipt), count, items, hashes }
}

function fromWireReply({ view: at, receipt, count, items, hashes }: wire.SlotReply): SlotReply {
  return {
    view: view(at),
    receipt: fromWireVote(receipt),
    count,
    items: items.map(({ index, record }) => ({ index, record: copyOf(record) })),
    hashes: copyOf(hashes),
  }
}

function toWireAnswer(answer: Answer): wire.Answer {
  switch (answer.kind) {
    case 'status':
      return { kind: 'status', value: toWireStatus(answer.status) }
    case 'slots':
      return { kind: 'slots', value: { slots: answer.slots.map(toWireSlot) } }
    case 'checkpoints':
      return { kind: 'checkpoints', value: { checkpoints: answer.checkpoints.map(toWireCheckpoint) } }
    case 'new-views':
      return { kind: 'newViews', value: { newViews: answer.newViews.map(toWireNewView) } }
    case 'evidence':
      return { kind: 'evidence', value: { evidence: answer.evidence.map(toWireEvidence) } }
    case 'refused':
      return { kind: 'refused', value: { reason: cut(answer.reason) } }
    case 'read':
      return { kind: 'read', value: toWireReadResults(answer) }
    case 'prove':
      return { kind: 'prove', value: toWireProofs(answer) }
    case 'state':
      return { kind: 'state', value: toWireState(answer) }
    case 'chain':
      return { kind: 'chain', value: { links: answer.links.map(toWireHandOver) } }
  }
}

function fromWireAnswer({ kind, value }: wire.Answer, admit: Admit | undefined): Answer {
  switch (kind) {
    case 'status':
      return { kind, status: fromWireStatus(value) }
    case 'slots':
      return { kind, slots: value.slots.map(fromWireSlot) }
    case 'checkpoints':
      return { kind, checkpoints: value.checkpoints.map(fromWireCheckpoint) }
    case 'newViews':
      return { kind: 'new-views', newViews: value.newViews.map(fromWireNewView) }
    case 'evidence':
      return { kind, evidence: value.evidence.map(fromWireEvidence) }
    case 'refused':
      return { kind, reason: value.reason }
    case 'read':
      return fromWireReadResults(value)
    case 'prove':
      return fromWireProofs(value)
    case 'state':
      return fromWireState(value)
    case 'chain':
      return { kind, links: value.links.map((link) => fromWireHandOver(link, admit)) }
  }
}

function toWireStatus(status: ReplicaStatus): wire.ReplicaStatus {
  return {
    ...status,
    uptimeMs: Math.floor(status.uptimeMs),
    lies: status.lies.map((lie) => ({ ...lie, kind: cut(lie.kind) })),
    liar: cut(status.liar),
    alarms: status.alarms.slice(-wire.MAX_ALARMS).map(cut),
    version: cut(status.version),
  }
}

function fromWireStatus(status: wire.ReplicaStatus): ReplicaStatus {
  return {
    ...status,
    replica: replicaIndex(status.replica),
    epoch: epoch(status.epoch),
    view: view(status.view),
    leader: replicaIndex(status.leader),
    chosen: slot(status.chosen),
    executed: slot(status.executed),
    stable: slot(status.stable),
    stateRoot: digest(status.stateRoot),
    firstSlot: slot(status.firstSlot),
    connected: status.connected.map(replicaIndex),
    lies: status.lies.map((lie) => ({ ...lie, accused: replicaIndex(lie.accused) })),
  }
}

/** The begin of `text` that fits, ending with a whole character. */
function cut(text: string): string {
  const bytes = utf8(text)
  if (bytes.length <= wire.MAX_TEXT_BYTES) return text
  let end = wire.MAX_TEXT_BYTES
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return fromUtf8(bytes.subarray(0, end)) ?? ''
}

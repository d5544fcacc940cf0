// The protocol's messages between replicas.

import {
  copyOf,
  digest,
  type Epoch,
  epoch as epochOf,
  type Result,
  replicaIndex,
  slot,
  view,
} from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { HeldStatements, Message, StableCheckpoint } from '../consensus/index.ts'
import { fromWireChosen, fromWireEntry, toWireChosen, toWireEntry } from './entries.ts'
import { fromWireEvidence, toWireEvidence } from './evidence.ts'
import { read } from './malformed.ts'
import { fromWireRequests, toWireRequests } from './requests.ts'
import {
  fromWireCheckpointVote,
  fromWireNewView,
  fromWireStable,
  fromWireViewChange,
  fromWireVote,
  toWireCheckpointVote,
  toWireNewView,
  toWireStable,
  toWireViewChange,
  toWireVote,
} from './votes.ts'

/** What shells say to one another about epochs (M8); no core hears of it. */
export type ChainMessage =
  /** Asks for the hand-overs from the one on that ended this epoch. */
  | { readonly kind: 'fetch-chain'; readonly from: Epoch }
  | {
      readonly kind: 'chain'
      /** Ascending, {@link wire.MAX_LINKS} at most. */
      readonly links: readonly ShownLink[]
      /** The newest one of the epoch that the sender is in: a quorum of its members has gone on. Undefined before the first. */
      readonly stable: StableCheckpoint | undefined
    }

/**
 * A hand-over as it is shown: with a charter that is still bytes, since admitting its keys costs more than checking first whether a
 * quorum signed for it.
 */
export interface ShownLink {
  readonly checkpoint: StableCheckpoint
  /** As keys/charter encodes it. */
  readonly charter: Uint8Array
}

/** What the shell of a replica that starts again asks, and is answered, before it votes (P28); no core hears of it. */
export type StartMessage = { readonly kind: 'what-of-me' } | ({ readonly kind: 'held-of-you' } & HeldStatements)

export type PeerMessage = Message | ChainMessage | StartMessage

/** What one replica sends another: a message, and the epoch that its sender is in. */
export interface PeerFrame {
  readonly epoch: Epoch
  readonly message: PeerMessage
}

/** @throws {RangeError} for a message beyond the bounds of net/wire/limits.ts. */
export function encodeMessage(message: PeerMessage, epoch: Epoch): Uint8Array {
  return wire.encodeMessage({ ...toWire(message), epoch })
}

/** What a cluster's own parameters allow less than the wire. */
export interface DecodeBounds {
  readonly maxBatchRequests: number
}

/**
 * What is in a frame, not verified. It holds no view of `frame`, so that a kept vote does not keep a whole frame.
 * With `bounds` (the cluster's parameters), what nobody honest sends there is refused before its requests are hashed.
 */
export function decodeMessage(frame: Uint8Array, bounds?: DecodeBounds): Result<PeerFrame, wire.WireFault> {
  return read(wire.decodeMessage(frame), (decoded) => ({
    epoch: epochOf(decoded.epoch),
    message: fromWire(decoded, bounds?.maxBatchRequests),
  }))
}

type WithoutEpoch<Each> = Each extends wire.Message ? Omit<Each, 'epoch'> : never

function toWire(message: PeerMessage): WithoutEpoch<wire.Message> {
  switch (message.kind) {
    case 'requests':
      return { kind: 'requests', value: toWireRequests(message.requests) }
    case 'propose':
      return { kind: 'propose', value: { vote: toWireVote(message.vote), entry: toWireEntry(message.entry) } }
    case 'vote':
      return { kind: 'vote', value: toWireVote(message.vote) }
    case 'view-change':
      return { kind: 'viewChange', value: toWireViewChange(message.viewChange) }
    case 'new-view':
      return { kind: 'newView', value: toWireNewView(message.newView) }
    case 'checkpoint':
      return { kind: 'checkpoint', value: toWireCheckpointVote(message.vote) }
    case 'stable':
      return { kind: 'stable', value: toWireStable(message.checkpoint) }
    case 'entries':
      return { kind: 'entries', value: { entries: message.entries.map(toWireChosen) } }
    case 'bodies':
      return { kind: 'bodies', value: { entries: message.entries.map(toWireEntry) } }
    case 'evidence':
      return { kind: 'evidence', value: toWireEvidence(message.evidence) }
    case 'heartbeat':
      return { kind: 'heartbeat', value: message }
    case 'fetch-entries':
      return { kind: 'fetchEntries', value: message }
    case 'fetch-bodies':
      return { kind: 'fetchBodies', value: message }
    case 'probe':
      return { kind: 'probe', value: message }
    case 'probe-answer':
      return { kind: 'probeAnswer', value: message }
    case 'lease-ask':
      return { kind: 'leaseAsk', value: message }
    case 'lease-grant':
      return { kind: 'leaseGrant', value: message }
    case 'fetch-chain':
      return { kind: 'fetchChain', value: message }
    case 'chain':
      return { kind: 'chain', value: toWireChain(message) }
    case 'what-of-me':
      return { kind: 'whatOfMe', value: {} }
    case 'held-of-you':
      return { kind: 'heldOfYou', value: toWireHeld(message) }
  }
}

function fromWire({ kind, value }: wire.Message, most: number | undefined): PeerMessage {
  switch (kind) {
    case 'requests':
      return { kind: 'requests', requests: fromWireRequests(value, most) }
    case 'propose':
      return { kind: 'propose', vote: fromWireVote(value.vote), entry: fromWireEntry(value.entry, most) }
    case 'vote':
      return { kind: 'vote', vote: fromWireVote(value) }
    case 'viewChange':
      return { kind: 'view-change', viewChange: fromWireViewChange(value) }
    case 'newView':
      return { kind: 'new-view', newView: fromWireNewView(value) }
    case 'checkpoint':
      return { kind: 'checkpoint', vote: fromWireCheckpointVote(value) }
    case 'stable':
      return { kind: 'stable', checkpoint: fromWireStable(value) }
    case 'entries':
      return { kind: 'entries', entries: value.entries.map((each) => fromWireChosen(each, most)) }
    case 'bodies':
      return { kind: 'bodies', entries: value.entries.map((each) => fromWireEntry(each, most)) }
    case 'evidence':
      return { kind: 'evidence', evidence: fromWireEvidence(value) }
    case 'heartbeat':
      return {
        kind: 'heartbeat',
        view: view(value.view),
        active: value.active,
        chosen: slot(value.chosen),
        executed: slot(value.executed),
        stable: slot(value.stable),
        heard: value.heard.map(replicaIndex),
      }
    case 'fetchEntries':
      return { kind: 'fetch-entries', from: slot(value.from), to: slot(value.to) }
    case 'fetchBodies': {
      const digests = value.digests.map((each) => ({ slot: slot(each.slot), digest: digest(each.digest) }))
      return { kind: 'fetch-bodies', digests }
    }
    case 'probe':
      return { kind: 'probe', view: view(value.view) }
    case 'probeAnswer':
      return { kind: 'probe-answer', view: view(value.view) }
    case 'leaseAsk':
      return { kind: 'lease-ask', view: view(value.view), monotonicMs: value.monotonicMs, wallMs: value.wallMs }
    case 'leaseGrant':
      return { kind: 'lease-grant', view: view(value.view), monotonicMs: value.monotonicMs, wallMs: value.wallMs }
    case 'fetchChain':
      return { kind: 'fetch-chain', from: epochOf(value.from) }
    case 'chain':
      return {
        kind: 'chain',
        links: value.links.map(fromWireLink),
        stable: value.stable && fromWireStable(value.stable),
      }
    case 'whatOfMe':
      return { kind: 'what-of-me' }
    case 'heldOfYou':
      return { kind: 'held-of-you', ...fromWireHeld(value) }
  }
}

function toWireChain({ links, stable }: ChainMessage & { readonly kind: 'chain' }): wire.ShownChain {
  return { links: links.map(toWireLink), stable: stable && toWireStable(stable) }
}

function toWireHeld({ promise, vote, note }: HeldStatements): wire.HeldStatements {
  return {
    promise: promise && toWireVote(promise),
    vote: vote && toWireVote(vote),
    note: note && toWireCheckpointVote(note),
  }
}

function fromWireHeld({ promise, vote, note }: wire.HeldStatements): HeldStatements {
  return {
    promise: promise && fromWireVote(promise),
    vote: vote && fromWireVote(vote),
    note: note && fromWireCheckpointVote(note),
  }
}

function toWireLink({ checkpoint, charter }: ShownLink): wire.HandOver {
  return { checkpoint: toWireStable(checkpoint), charter }
}

function fromWireLink({ checkpoint, charter }: wire.HandOver): ShownLink {
  return { checkpoint: fromWireStable(checkpoint), charter: copyOf(charter) }
}

// Frames from clients to replicas.

import { epoch, type Result, slot } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { ClientFrame, Question } from './frames.ts'
import { read } from './malformed.ts'
import { fromWireRequests, toWireRequests } from './requests.ts'
import { fromWireWatch, toWireWatch } from './watch-codec.ts'

/**
 * @throws {RangeError} for a frame beyond the bounds of net/wire/limits.ts, {@link wire.MAX_CLIENT_REQUESTS} among
 * them.
 */
export function encodeClientFrame(frame: ClientFrame): Uint8Array {
  switch (frame.kind) {
    case 'requests':
      if (frame.requests.length > wire.MAX_CLIENT_REQUESTS) {
        throw new RangeError(`requests: expected at most ${wire.MAX_CLIENT_REQUESTS}, got ${frame.requests.length}`)
      }
      return wire.encodeClientFrame({ kind: 'requests', value: toWireRequests(frame.requests) })
    case 'ask':
      return wire.encodeClientFrame({ kind: 'ask', value: { id: frame.id, question: toWire(frame.question) } })
    case 'watch':
      return wire.encodeClientFrame({ kind: 'watch', value: toWireWatch(frame) })
    case 'credit':
      return wire.encodeClientFrame({ kind: 'credit', value: { credits: frame.credits } })
    case 'unwatch':
      return wire.encodeClientFrame({ kind: 'unwatch', value: { id: frame.id } })
  }
}

/** The frame, not verified; it holds no view of `bytes`. */
export function decodeClientFrame(bytes: Uint8Array): Result<ClientFrame, wire.WireFault> {
  return read(wire.decodeClientFrame(bytes), ({ kind, value }): ClientFrame => {
    switch (kind) {
      case 'requests':
        return { kind: 'requests', requests: fromWireRequests(value, wire.MAX_CLIENT_REQUESTS) }
      case 'ask':
        return { kind: 'ask', id: value.id, question: fromWire(value.question) }
      case 'watch':
        return { kind, ...fromWireWatch(value) }
      case 'credit':
        return { kind, credits: value.credits }
      case 'unwatch':
        return { kind, id: value.id }
    }
  })
}

function toWire(question: Question): wire.Question {
  switch (question.kind) {
    case 'status':
      return { kind: 'status', value: {} }
    case 'slots':
      return { kind: 'slots', value: question }
    case 'checkpoints':
      return { kind: 'checkpoints', value: question }
    case 'new-views':
      return { kind: 'newViews', value: {} }
    case 'evidence':
      return { kind: 'evidence', value: {} }
    case 'read':
      return { kind: 'read', value: question }
    case 'prove':
      return { kind: 'prove', value: question }
    case 'state':
      return { kind: 'state', value: question }
    case 'chain':
      return { kind: 'chain', value: question }
  }
}

function fromWire({ kind, value }: wire.Question): Question {
  switch (kind) {
    case 'status':
      return { kind: 'status' }
    case 'slots':
    case 'checkpoints':
      return { kind, from: slot(value.from), to: slot(value.to) }
    case 'newViews':
      return { kind: 'new-views' }
    case 'evidence':
      return { kind: 'evidence' }
    case 'read':
      return { kind, commands: value.commands.map((command) => command.slice()), lease: value.lease }
    case 'prove':
      return { kind, keys: value.keys.map((key) => key.slice()) }
    case 'state':
      return { kind, atMost: slot(value.atMost), path: value.path.slice() }
    case 'chain':
      return { kind, from: epoch(value.from) }
  }
}

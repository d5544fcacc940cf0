// Snapshot transfer between replicas.

import { encodeFrontier, type Result, slot } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { TransferFrame } from './frames.ts'
import { read } from './malformed.ts'
import { fromWireFrontier } from './votes.ts'

/** @throws {RangeError} for a frame beyond the bounds of net/wire/limits.ts. */
export function encodeTransferFrame(frame: TransferFrame): Uint8Array {
  switch (frame.kind) {
    case 'ask':
      return wire.encodeTransferFrame({ kind: 'ask', value: frame })
    case 'chunk':
      return wire.encodeTransferFrame({ kind: 'chunk', value: { ...frame, frontier: encodeFrontier(frame.frontier) } })
    case 'none':
      return wire.encodeTransferFrame({ kind: 'none', value: frame })
  }
}

/** The frame's chunk and paths are copies. Nothing in it is verified. */
export function decodeTransferFrame(bytes: Uint8Array): Result<TransferFrame, wire.WireFault> {
  return read(wire.decodeTransferFrame(bytes), ({ kind, value }): TransferFrame => {
    switch (kind) {
      case 'ask':
        return { kind, slot: slot(value.slot), path: value.path.slice() }
      case 'chunk':
        return {
          kind,
          slot: slot(value.slot),
          path: value.path.slice(),
          frontier: fromWireFrontier(value.frontier),
          timestampMs: value.timestampMs,
          chunk: value.chunk.slice(),
        }
      case 'none':
        return { kind, slot: slot(value.slot) }
    }
  })
}

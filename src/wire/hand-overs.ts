// Hand-overs from one epoch to the next.

import type { Result } from '../../crypto/index.ts'
import { type Admit, decodeCharter, encodeCharter } from '../../keys/charter/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { HandOver } from '../consensus/index.ts'
import { read, whole } from './malformed.ts'
import { fromWireStable, toWireStable } from './votes.ts'

export function toWireHandOver({ checkpoint, charter }: HandOver): wire.HandOver {
  return { checkpoint: toWireStable(checkpoint), charter: encodeCharter(charter) }
}

export function fromWireHandOver({ checkpoint, charter }: wire.HandOver, admit?: Admit): HandOver {
  return {
    checkpoint: fromWireStable(checkpoint),
    charter: whole(decodeCharter(charter, admit), 'HandOver.charter'),
  }
}

/** @throws {RangeError} for a charter that has no byte form. */
export function encodeHandOver(handOver: HandOver): Uint8Array {
  return wire.encodeHandOver(toWireHandOver(handOver))
}

/** The hand-over in \`bytes\`, not verified but for the keys in its charter, which \`admit\` takes. */
export function decodeHandOver(bytes: Uint8Array, admit?: Admit): Result<HandOver, wire.WireFault> {
  return read(wire.decodeHandOver(bytes), (decoded) => fromWireHandOver(decoded, admit))
}

// What a frame between replicas is about, read without decoding it: most of those of other epochs are never decoded. The fields before and
// after the message itself say it, so this costs the same whatever the length.

import { type Epoch, epoch } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'

export interface FrameHead {
  /** The epoch that its sender is in. */
  readonly epoch: Epoch
  /** True for what is heard in whatever epoch: proofs of lies, what is said about epochs, and what is asked at a start. */
  readonly anyEpoch: boolean
  /** True for what a replica asks before it votes, and for the answer. */
  readonly atStart: boolean
}

/** Numbers of `Message` in consensus.proto. */
const FIELDS = Object.freeze({ evidence: 10, fetchChain: 18, chain: 19, whatOfMe: 20, heldOfYou: 21, epoch: 2047 })
/** Of what has a length before it. */
const WIRE_TYPE_BYTES = 2
const MAX_VARINT_BYTES = 8

/** The head of a frame; undefined where it is malformed. Where it is not, the rest may still be. */
export function frameHead(frame: Uint8Array): FrameHead | undefined {
  if (frame[0] !== wire.WIRE_VERSION) return undefined
  const tag = varintAt(frame, 1)
  const length = tag && varintAt(frame, tag.end)
  if (tag === undefined || length === undefined || tag.value % 8 !== WIRE_TYPE_BYTES) return undefined
  const field = Math.floor(tag.value / 8)
  const end = length.end + length.value
  const atStart = field === FIELDS.whatOfMe || field === FIELDS.heldOfYou
  const anyEpoch = atStart || field === FIELDS.evidence || field === FIELDS.fetchChain || field === FIELDS.chain
  if (end === frame.length) return { epoch: epoch(0), anyEpoch, atStart }
  const last = varintAt(frame, end)
  const number = last && varintAt(frame, last.end)
  if (last?.value !== 8 * FIELDS.epoch || number?.end !== frame.length) return undefined
  return { epoch: epoch(number.value), anyEpoch, atStart }
}

function varintAt(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (value > Number.MAX_SAFE_INTEGER) return undefined
    if (byte < 0x80) return { value, end: at + i + 1 }
  }
  return undefined
}

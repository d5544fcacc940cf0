// What a command of the system that was done answers, as the bytes of the result: a kind byte, then
//
//   1 done       nothing: it holds from the next request on
//   2 accepted   last slot of the epoch u64, the charter after it
//   3 proposed   proposal 32, approvals that count u16, approvals that it takes u16

import { type Digest, digest, type Slot, slot } from '../../../crypto/index.ts'
import { type Charter, decodeCharter, encodeCharter, MAX_CHARTER_BYTES } from '../../../keys/charter/index.ts'
import { ByteReader, ByteWriter } from '../bytes-codec.ts'

export type SystemAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'accepted'; readonly lastSlot: Slot; readonly charter: Charter }
  | { readonly kind: 'proposed'; readonly proposal: Digest; readonly approvals: number; readonly needed: number }

const KIND_BYTES: Readonly<Record<SystemAnswer['kind'], number>> = Object.freeze({ done: 1, accepted: 2, proposed: 3 })

export function encodeSystemAnswer(answer: SystemAnswer): Uint8Array {
  const writer = new ByteWriter().u8(KIND_BYTES[answer.kind])
  if (answer.kind === 'accepted') writer.u64(answer.lastSlot).sized(encodeCharter(answer.charter))
  if (answer.kind === 'proposed') writer.raw(answer.proposal).u16(answer.approvals).u16(answer.needed)
  return writer.finish()
}

/** The answer in a result of outcome `done`, or undefined where {@link encodeSystemAnswer} never writes such. */
export function decodeSystemAnswer(bytes: Uint8Array): SystemAnswer | undefined {
  const reader = new ByteReader(bytes)
  const answer = read(reader)
  return reader.done ? answer : undefined
}

function read(reader: ByteReader): SystemAnswer | undefined {
  switch (reader.u8()) {
    case KIND_BYTES.done:
      return { kind: 'done' }
    case KIND_BYTES.accepted: {
      const lastSlot = slot(reader.u64())
      const charter = decodeCharter(reader.sized(MAX_CHARTER_BYTES))
      return charter && { kind: 'accepted', lastSlot, charter }
    }
    case KIND_BYTES.proposed: {
      const id = reader.take(32)
      const [approvals, needed] = [reader.u16(), reader.u16()]
      return id.length === 32 ? { kind: 'proposed', proposal: digest(id), approvals, needed } : undefined
    }
    default:
      return undefined
  }
}

// Every format of src/wire with its arbitrary, encoder and decoder, for tests that must hold for all of them.

import fc from 'fast-check'
import { type AdmittedKey, copyOf, epoch, type Result } from '../../crypto/index.ts'
import {
  decodeArchivedCheckpoint,
  decodeArchivedSlot,
  decodeClientFrame,
  decodeEvidence,
  decodeHandOver,
  decodeMessage,
  decodeNewView,
  decodeOutcome,
  decodeRecord,
  decodeReplicaFrame,
  decodeSignedRequest,
  decodeStableCheckpoint,
  decodeTransferFrame,
  encodeArchivedCheckpoint,
  encodeArchivedSlot,
  encodeClientFrame,
  encodeEvidence,
  encodeHandOver,
  encodeMessage,
  encodeNewView,
  encodeOutcome,
  encodeRecord,
  encodeReplicaFrame,
  encodeSignedRequest,
  encodeStableCheckpoint,
  encodeTransferFrame,
  type PeerFrame,
  type WireFault,
} from '../../src/wire/index.ts'
import {
  anyArchivedCheckpoint,
  anyArchivedSlot,
  anyEpoch,
  anyEvidence,
  anyHandOver,
  anyNewView,
  anyOutcome,
  anySignedRequest,
  anyStable,
  chainMessages,
  clientFrames,
  messages,
  records,
  replicaFrames,
  startMessages,
  transferFrames,
} from './arbitraries.ts'

export interface Format {
  /** `format: kind`. */
  readonly name: string
  /** A value, its bytes, and what the decoder makes of them. */
  readonly sample: fc.Arbitrary<{ readonly value: unknown; readonly bytes: Uint8Array }>
  readonly decode: (bytes: Uint8Array) => Result<unknown, WireFault>
  /** Decodes and encodes again; undefined where the bytes are refused. */
  readonly again: (bytes: Uint8Array) => Uint8Array | undefined
}

function format<Value>(
  name: string,
  values: fc.Arbitrary<Value>,
  encode: (value: Value) => Uint8Array,
  decode: (bytes: Uint8Array) => Result<Value, WireFault>,
): Format {
  return {
    name,
    sample: values.map((value) => ({ value, bytes: encode(value) })),
    decode,
    again: (bytes) => {
      const decoded = decode(bytes)
      return decoded.ok ? encode(decoded.value) : undefined
    },
  }
}

function formats<Value>(
  name: string,
  kinds: Readonly<Record<string, fc.Arbitrary<Value>>>,
  encode: (value: Value) => Uint8Array,
  decode: (bytes: Uint8Array) => Result<Value, WireFault>,
): Format[] {
  return Object.entries(kinds).map(([kind, values]) => format(`${name}: ${kind}`, values, encode, decode))
}

/** Of the first epoch, where a frame that is cut short is none. */
const firstFrames = Object.fromEntries(
  Object.entries({ ...messages, ...chainMessages, ...startMessages }).map(([kind, message]) => [
    kind,
    fc.record({ epoch: fc.constant(epoch(0)), message: fc.oneof(message) }),
  ]),
)
const laterFrames = fc.record({
  epoch: anyEpoch,
  message: fc.oneof(...Object.values(messages), ...Object.values(chainMessages), ...Object.values(startMessages)),
})
const encodeFrame = ({ epoch: of, message }: PeerFrame) => encodeMessage(message, of)

/** Admission takes milliseconds, and is nothing that a format decides. */
const admitAny = (key: Uint8Array) => copyOf(key) as AdmittedKey

export const FORMATS: readonly Format[] = [
  ...formats('message', firstFrames, encodeFrame, decodeMessage),
  format('message of a later epoch', laterFrames, encodeFrame, decodeMessage),
  ...formats('record', records, encodeRecord, (bytes) => decodeRecord(bytes, admitAny)),
  ...formats('client frame', clientFrames, encodeClientFrame, decodeClientFrame),
  ...formats('replica frame', replicaFrames, encodeReplicaFrame, decodeReplicaFrame),
  ...formats('transfer frame', transferFrames, encodeTransferFrame, decodeTransferFrame),
  format('outcome', anyOutcome, encodeOutcome, decodeOutcome),
  format('archived slot', anyArchivedSlot, encodeArchivedSlot, decodeArchivedSlot),
  format('archived checkpoint', anyArchivedCheckpoint, encodeArchivedCheckpoint, decodeArchivedCheckpoint),
  format('evidence', anyEvidence, encodeEvidence, decodeEvidence),
  format('new view', anyNewView, encodeNewView, decodeNewView),
  format('stable checkpoint', anyStable, encodeStableCheckpoint, decodeStableCheckpoint),
  format('hand-over', anyHandOver, encodeHandOver, (bytes) => decodeHandOver(bytes, admitAny)),
  format('signed request', anySignedRequest, encodeSignedRequest, decodeSignedRequest),
]

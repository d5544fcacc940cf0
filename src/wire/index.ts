// The only door of src/wire: consensus messages, client frames, records and archives as bytes. Pure, so auditors use it
// too.

export {
  MAX_CLIENT_REQUESTS,
  MAX_FRAME_BYTES,
  MAX_LINKS,
  MAX_READS,
  MAX_STATE_KEYS,
  type WireFault,
  type WireFaultCode,
} from '../../net/wire/index.ts'
export type * from './archive.ts'
export {
  decodeArchivedCheckpoint,
  decodeArchivedSlot,
  encodeArchivedCheckpoint,
  encodeArchivedSlot,
} from './archive-codec.ts'
export { decodeClientFrame, encodeClientFrame } from './client-frames.ts'
export { formatCluster, parseCluster, type RememberedCluster } from './cluster-file.ts'
export { decodeEvidence, encodeEvidence } from './evidence.ts'
export { type FrameHead, frameHead } from './frame-head.ts'
export type * from './frames.ts'
export { decodeHandOver, encodeHandOver } from './hand-overs.ts'
export {
  type ChainMessage,
  type DecodeBounds,
  decodeMessage,
  encodeMessage,
  type PeerFrame,
  type PeerMessage,
  type ShownLink,
  type StartMessage,
} from './messages.ts'
export {
  ARCHIVE_KINDS,
  decodeOutcome,
  decodeRecord,
  encodeOutcome,
  encodeRecord,
  type Outcome,
  RECORD_KINDS,
} from './records.ts'
export { decodeReplicaFrame, encodeReplicaFrame } from './replica-frames.ts'
export { decodeSignedRequest, encodeSignedRequest } from './requests.ts'
export { decodeTransferFrame, encodeTransferFrame } from './transfer-codec.ts'
export { decodeNewView, decodeStableCheckpoint, encodeNewView, encodeStableCheckpoint } from './votes.ts'
export * from './watches.ts'

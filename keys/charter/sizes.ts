// Whether a cluster's largest message fits into a frame, to be told before a charter is in office rather than when the cluster is
// stuck in a view change.

import { DIGEST_BYTES, type QuorumSystem, SIGNATURE_BYTES, VOTE_STATEMENT_BYTES } from '../../crypto/index.ts'
import type { Parameters } from '../genesis/index.ts'

/** What the frames between members take, less what stands around a NewView in one. Restated: net/wire stands above this folder. */
export const MAX_NEW_VIEW_BYTES = 64 * 1024 * 1024 - 1024

/** Bytes of a number, a tag or a length on the wire, at most; of numbers below 2^53. */
const VARINT_BYTES = 8
/** A vote in a list: three tags and lengths beside its parts, and its own. */
const VOTE_BYTES = VOTE_STATEMENT_BYTES + SIGNATURE_BYTES + 8 * 2

/**
 * Bytes that a NewView of such a cluster never exceeds: q ViewChanges with a certificate for every slot of the log
 * window.
 */
export function largestNewViewBytes(
  { checkpointInterval, window }: Pick<Parameters, 'checkpointInterval' | 'window'>,
  quorums: QuorumSystem,
): number {
  const slots = checkpointInterval + window
  const certificate = VOTE_STATEMENT_BYTES + 2 + quorums.prepare * (2 + SIGNATURE_BYTES)
  const stable = VARINT_BYTES + 2 * DIGEST_BYTES + quorums.quorum * (SIGNATURE_BYTES + 8) + 4 * VARINT_BYTES
  const viewChange = stable + slots * (certificate + VARINT_BYTES) + VOTE_BYTES + VARINT_BYTES
  return quorums.quorum * viewChange + (1 + slots) * VOTE_BYTES + 2 * VARINT_BYTES
}

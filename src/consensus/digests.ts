// The digests under a ViewChange's and a NewView's signature. Each covers everything that the signer is answerable for, in one
// canonical form; signatures of others are covered only through what they sign, but for certificates, whose bytes are part of
// what the sender claims to hold.

import {
  concatBytes,
  type Digest,
  encodeCertificate,
  sha256,
  utf8,
  type View,
  writeU32,
  writeU64,
} from '../../crypto/index.ts'
import type { NewView, ViewChange } from './messages.ts'

const VIEW_CHANGE_TAG = utf8('quorate-view-change-v1')
const NEW_VIEW_TAG = utf8('quorate-new-view-v1')

/**
 * SHA-256 over: tag, view u64, stable slot u64, log root, state root, number of certificates u32, then for each its length u32 and
 * its bytes.
 */
export function viewChangeDigest(body: Pick<ViewChange, 'view' | 'stable' | 'prepared'>): Digest {
  const certificates = body.prepared.map(encodeCertificate)
  const parts = certificates.flatMap((bytes) => [u32(bytes.length), bytes])
  const { slot, logRoot, stateRoot } = body.stable
  return sha256(
    concatBytes(VIEW_CHANGE_TAG, u64(body.view), u64(slot), logRoot, stateRoot, u32(certificates.length), ...parts),
  )
}

/** SHA-256 over: tag, view u64, number of ViewChanges u32, then for each its signer u32 and the digest that it signed. */
export function newViewDigest(view: View, viewChanges: NewView['viewChanges']): Digest {
  const parts = viewChanges.flatMap(({ vote }) => [u32(vote.replica), vote.statement.digest])
  return sha256(concatBytes(NEW_VIEW_TAG, u64(view), u32(viewChanges.length), ...parts))
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  writeU32(bytes, 0, value)
  return bytes
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  writeU64(bytes, 0, value)
  return bytes
}

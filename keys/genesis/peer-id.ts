// The libp2p peer id of an Ed25519 key, which holds the key itself: base58btc over the 38 bytes
//
//   00 24         identity multihash of 36 bytes
//   08 01 12 20   protobuf PublicKey: type Ed25519, 32 bytes of data
//   32 bytes      the key
//
// Only this form is taken; other spellings of a peer id (CIDv1, other varints) would be second names for one replica.
// Ref: libp2p specs, peer-ids.

import { base58btc } from 'multiformats/bases/base58'
import { concatBytes, equalBytes, type PublicKey, publicKey } from '../../crypto/index.ts'

const PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const PEER_ID_BYTES = PREFIX.length + 32
/** Characters of every Ed25519 peer id: checked before decoding, which takes quadratic time. */
const PEER_ID_LENGTH = 52

/** The peer id of `key`: 52 characters, "12D3KooW...". */
export function peerIdOf(key: PublicKey): string {
  return base58btc.baseEncode(concatBytes(PREFIX, key))
}

/** The Ed25519 key inside `peerId` (not admitted yet), or undefined where it is not what {@link peerIdOf} writes. */
export function keyOfPeerId(peerId: string): PublicKey | undefined {
  if (peerId.length !== PEER_ID_LENGTH) return undefined
  let bytes: Uint8Array
  try {
    bytes = base58btc.baseDecode(peerId)
  } catch {
    return undefined
  }
  if (bytes.length !== PEER_ID_BYTES || !equalBytes(bytes.subarray(0, PREFIX.length), PREFIX)) return undefined
  const key = publicKey(bytes.subarray(PREFIX.length))
  return peerIdOf(key) === peerId ? key : undefined
}

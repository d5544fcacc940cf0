// Requests: what clients ask for and sign.
//
// A request's identity is the RFC 6962 leaf hash of its bytes (client key 32, sequence number u64, command). The same hash is its
// leaf in the client's signed bundle and in the entry that carries it. Signatures are in no identity (pitfall P35).

import {
  DIGEST_BYTES,
  type Digest,
  leafHashesOf,
  leafHashOf,
  type PublicKey,
  type Signature,
  writeU64,
} from '../../crypto/index.ts'

/** What a client asks for. */
export interface Request {
  readonly client: PublicKey
  /** The client's own number for it, from 1; the session table makes each number count once. */
  readonly sequence: number
  readonly command: Uint8Array
}

/** Shows that a request lies in a bundle that its client signed. */
export interface BundleProof {
  /** Position of the request in the bundle, from 0. */
  readonly index: number
  /** Number of requests in the bundle. */
  readonly count: number
  /** RFC 6962 root of the bundle. */
  readonly root: Digest
  /** RFC 6962 inclusion proof of the request's leaf. */
  readonly path: readonly Digest[]
  /** The client's, on the bundle statement. */
  readonly signature: Signature
}

export interface SignedRequest {
  readonly request: Request
  readonly proof: BundleProof
  /** {@link requestId} of the request, computed by whoever made this value and never taken from the wire. */
  readonly id: Digest
}

/** The leaf hash of client, sequence number and command. */
export function requestId({ client, sequence, command }: Request): Digest {
  writeU64(number, 0, sequence)
  return leafHashOf(client, number, command)
}

/** {@link requestId} of each. */
export function requestIds(requests: readonly Request[]): Digest[] {
  return leafHashesOf(
    requests,
    ({ client, command }) => client.length + number.length + command.length,
    ({ client, sequence, command }, target, at) => {
      target.set(client, at)
      writeU64(target, at + client.length, sequence)
      target.set(command, at + client.length + number.length)
    },
  )
}

const number = new Uint8Array(8)
const keyUnits: number[] = Array.from({ length: DIGEST_BYTES / 2 }, () => 0)

/** A map key for 32 bytes; not for people. Two bytes a character: nothing in the core is called as often. */
export function digestKey(digest: Uint8Array): string {
  for (let i = 0; i < keyUnits.length; i++) keyUnits[i] = ((digest[2 * i] ?? 0) << 8) | (digest[2 * i + 1] ?? 0)
  return Reflect.apply(String.fromCharCode, undefined, keyUnits)
}

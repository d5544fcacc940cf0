// Where nobody lies (b = 0) a genesis may leave the votes of replicas to one another unsigned: the channel says who speaks, and a relay
// tells the truth. Such a vote carries 64 zero bytes in the place of its signature, and nothing else there is accepted. They are no
// signature of any key on anything (rule S4: R would be a point of order 4), so no other verifier ever takes such a vote.

import { SIGNATURE_BYTES, type Signature, signature } from './brands.ts'
import { equalBytes } from './bytes.ts'
import type { SignatureVerifier, Signer } from './ed25519.ts'

/** What stands in the place of a signature. */
export const UNSIGNED: Signature = signature(new Uint8Array(SIGNATURE_BYTES))

/** Takes {@link UNSIGNED} and nothing else. For votes that came over the authenticated channels of a group with b = 0. */
export const unsignedVerifier: SignatureVerifier = Object.freeze({
  verify: (_key, _message, bytes) => equalBytes(bytes, UNSIGNED),
} satisfies SignatureVerifier)

/** Puts {@link UNSIGNED} under everything. */
export function unsignedSigner({ publicKey }: Signer): Signer {
  return { publicKey, sign: () => UNSIGNED }
}

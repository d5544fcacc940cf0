// Signs requests as one bundle: one signature over the RFC 6962 root of their identities, and for each its way to that root.

import { type Digest, type Signer, statementBytes } from '../../crypto/index.ts'
import { newBundle, type Request, type SignedRequest } from '../consensus/index.ts'

/** The requests with their places in a bundle signed by `signer`, in their order. Requires at least one, all of the signer's. */
export function signBundle(requests: readonly Request[], clusterId: Digest, signer: Signer): readonly SignedRequest[] {
  const client = signer.publicKey
  const count = requests.length
  return newBundle(requests, (root) => signer.sign(statementBytes({ kind: 'bundle', clusterId, client, count, root })))
}

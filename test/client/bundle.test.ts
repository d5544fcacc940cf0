// What the client builds level by level is what RFC 6962 says.

import { describe, expect, it } from 'vitest'
import { digest, inclusionProof, merkleTree, utf8, verifyInclusion } from '../../crypto/index.ts'
import { signBundle } from '../../src/client/bundle.ts'
import { requestId } from '../../src/consensus/index.ts'
import { signerNamed } from '../keys/sample.ts'

const signer = signerNamed('client admin')

describe('a bundle', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])('of %i has the root and the proofs of RFC 6962', (count) => {
    const requests = Array.from({ length: count }, (_, i) => {
      return { client: signer.publicKey, sequence: i + 1, command: utf8(`${i}`) }
    })
    const tree = merkleTree(requests.map(requestId))
    const signed = signBundle(requests, digest(new Uint8Array(32)), signer)
    for (const [index, { proof, id }] of signed.entries()) {
      expect(proof).toMatchObject({ index, count, root: tree.root(), path: inclusionProof(tree.read, index, count) })
      expect(verifyInclusion({ leaf: id, index, size: count, root: proof.root }, proof.path)).toBe(true)
    }
  })
})

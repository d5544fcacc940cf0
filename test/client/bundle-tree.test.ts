// What the client builds level by level, and remembers of proofs, is what RFC 6962 says.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digest, inclusionProof, leafHash, merkleTree, utf8, verifyInclusion } from '../../crypto/index.ts'
import { signBundle } from '../../src/client/bundle.ts'
import { ProvenTree } from '../../src/client/proven-tree.ts'
import { requestId } from '../../src/consensus/index.ts'
import { signerNamed } from '../keys/sample.ts'

const signer = signerNamed('client admin')
const leaf = (i: number) => leafHash(utf8(`leaf ${i}`))

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

describe('a proven tree', () => {
  const sized = fc.integer({ min: 1, max: 70 }).chain((size) =>
    fc.record({
      size: fc.constant(size),
      order: fc.array(fc.integer({ min: 0, max: size - 1 }), { minLength: 1, maxLength: 40 }),
      damage: fc.array(fc.record({ step: fc.nat(40), place: fc.nat(7), kind: fc.nat(3) }), { maxLength: 10 }),
    }),
  )

  it('believes what verifyInclusion believes, whatever it was shown before, and has the proof of what it believes', () => {
    fc.assert(
      fc.property(sized, ({ size, order, damage }) => {
        const tree = merkleTree(Array.from({ length: size }, (_, i) => leaf(i)))
        const proven = new ProvenTree(tree.root(), size)
        for (const [step, index] of order.entries()) {
          const path = inclusionProof(tree.read, index, size)
          const hurt = damage.find((each) => each.step === step)
          const claimed = hurt?.kind === 0 ? leaf(index + 1) : leaf(index)
          const at = hurt?.kind === 1 ? (index + 1) % size : index
          if (hurt?.kind === 2) path[hurt.place % Math.max(path.length, 1)] = leaf(999)
          if (hurt?.kind === 3) path.pop()
          const right = claimed.join() === leaf(at).join()
          const verified = verifyInclusion({ leaf: claimed, index: at, size, root: tree.root() }, path)
          const believed = proven.prove(claimed, at, path)
          // A bad path does not matter where what it should show is known already; a false leaf always does.
          if (verified) expect(believed).toBe(true)
          if (!right) expect(believed).toBe(false)
          if (believed) expect(proven.pathOf(at)).toEqual(inclusionProof(tree.read, at, size))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('computes a hash for each leaf of a full slot, not a path for each', () => {
    const size = 256
    const tree = merkleTree(Array.from({ length: size }, (_, i) => leaf(i)))
    const proven = new ProvenTree(tree.root(), size)
    for (let i = 0; i < size; i++) expect(proven.prove(leaf(i), i, inclusionProof(tree.read, i, size))).toBe(true)
    // With the first leaf of each pair its sibling is known too: no path is needed for that.
    expect(new ProvenTree(tree.root(), size).prove(leaf(1), 1, [])).toBe(false)
    expect(proven.prove(leaf(1), 1, [])).toBe(true)
  })

  it.each([-1, 0.5, 4, Number.NaN, 2 ** 53])('refuses the index %d of a tree of four', (index) => {
    const tree = merkleTree([0, 1, 2, 3].map(leaf))
    expect(new ProvenTree(tree.root(), 4).prove(leaf(0), index, inclusionProof(tree.read, 0, 4))).toBe(false)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Digest,
  inclusionProof,
  leafHash,
  merkleTree,
  multiProof,
  openMultiProof,
  utf8,
} from '../../../crypto/index.ts'

const leaf = (i: number) => leafHash(utf8(`leaf ${i}`))
const some = fc.integer({ min: 1, max: 70 }).chain((size) =>
  fc.tuple(
    fc.constant(size),
    fc.subarray(
      Array.from({ length: size }, (_, i) => i),
      { minLength: 1 },
    ),
  ),
)

function made(size: number, which: readonly number[]) {
  const tree = merkleTree(Array.from({ length: size }, (_, i) => leaf(i)))
  const hashes = multiProof(size, which, (index) => inclusionProof(tree.read, index, size))
  const leaves = which.map((index) => ({ index, leaf: leaf(index) }))
  return { tree, hashes, leaves }
}

describe('one proof for several leaves', () => {
  it('gives the root and the PATH of each', () => {
    fc.assert(
      fc.property(some, ([size, which]) => {
        const { tree, hashes, leaves } = made(size, which)
        const paths = leaves.map((): Digest[] => [])
        expect(openMultiProof(size, leaves, hashes, paths)).toEqual(tree.root())
        expect(paths).toEqual(which.map((index) => inclusionProof(tree.read, index, size)))
        expect(openMultiProof(size, leaves, hashes)).toEqual(tree.root())
      }),
    )
  })

  it('has no hash for all leaves, and the path alone for one', () => {
    for (const size of [1, 2, 3, 7, 8, 33]) {
      const all = Array.from({ length: size }, (_, i) => i)
      expect(made(size, all).hashes).toHaveLength(0)
      for (const index of all) {
        const { tree, hashes } = made(size, [index])
        expect(hashes).toHaveLength(32 * inclusionProof(tree.read, index, size).length)
      }
    }
  })

  it('asks nobody for a path where all leaves are there', () => {
    const never = () => {
      throw new Error('asked')
    }
    expect(multiProof(5, [0, 1, 2, 3, 4], never)).toHaveLength(0)
  })

  it('gives another root, or none, when anything was tampered with', () => {
    fc.assert(
      fc.property(some, fc.nat(), fc.nat(), ([size, which], place, bit) => {
        const { tree, hashes, leaves } = made(size, which)
        const root = tree.root()
        const at = place % leaves.length
        const swapped = leaves.map((each, i) => (i === at ? { ...each, leaf: leaf(size + i) } : each))
        expect(openMultiProof(size, swapped, hashes)).not.toEqual(root)
        if (hashes.length > 0) {
          const changed = hashes.slice()
          const byte = bit % changed.length
          changed[byte] = (changed[byte] ?? 0) ^ 1
          expect(openMultiProof(size, leaves, changed)).not.toEqual(root)
          expect(openMultiProof(size, leaves, hashes.subarray(32))).toBeUndefined()
          expect(openMultiProof(size, leaves, hashes.subarray(1))).toBeUndefined()
        }
        expect(openMultiProof(size, leaves, Uint8Array.of(...hashes, ...new Uint8Array(32)))).toBeUndefined()
      }),
    )
  })

  it('is not made of a path of another length than its place asks for', () => {
    expect(() => multiProof(4, [0], () => [leaf(1)])).toThrow(RangeError)
  })
})

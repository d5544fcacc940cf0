import { describe, expect, it } from 'vitest'
import { batchTree, EMPTY_ROOT, hex, merkleRoot, verifyInclusion } from '../../../crypto/index.ts'
import { numberedLeaves, rfcPath, rfcRoot } from './rfc.ts'

describe('the tree over a batch', () => {
  it('has the roots and paths that RFC 6962 defines, at every size up to 40', () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = numberedLeaves(size)
      const tree = batchTree(leaves)
      expect(tree.size).toBe(size)
      expect(hex(tree.root)).toBe(hex(rfcRoot(leaves)))
      expect(hex(merkleRoot(leaves))).toBe(hex(rfcRoot(leaves)))
      leaves.forEach((leaf, index) => {
        const path = tree.path(index)
        expect(path.map(hex)).toEqual(rfcPath(index, leaves).map(hex))
        expect(verifyInclusion({ leaf, index, size, root: tree.root }, path)).toBe(true)
      })
    }
  })

  it('without leaves has the empty root and no paths', () => {
    expect(hex(batchTree([]).root)).toBe(hex(EMPTY_ROOT))
    expect(hex(merkleRoot([]))).toBe(hex(EMPTY_ROOT))
    expect(() => batchTree([]).path(0)).toThrow('below the size 0')
  })

  it('refuses an index that is none', () => {
    const tree = batchTree(numberedLeaves(3))
    for (const index of [-1, 3, 0.5, Number.NaN]) expect(() => tree.path(index)).toThrow(RangeError)
  })
})

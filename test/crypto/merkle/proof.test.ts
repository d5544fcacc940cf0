import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  consistencyProof,
  type Digest,
  EMPTY_ROOT,
  inclusionProof,
  isSubtree,
  leafHash,
  MAX_PROOF_HASHES,
  merkleTree,
  nodeHash,
  rootAt,
  type SubtreeReader,
  utf8,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../../../crypto/index.ts'
import { numberedLeaves, rfcPath, rfcProof, rfcRoot, rfcSubtreeProof } from './rfc.ts'

const MOST = 40
const leaves = numberedLeaves(MOST)
const tree = merkleTree(leaves)
const root = (start: number, end: number) => rfcRoot(leaves.slice(start, end))

function leafAt(index: number): Digest {
  const leaf = leaves[index]
  if (leaf === undefined) throw new RangeError(`no leaf ${index}`)
  return leaf
}

/** Every way of spoiling a proof by one step. */
function spoiled(proof: readonly Uint8Array[]): Uint8Array[][] {
  const flipped = proof.map((_, i) =>
    proof.map((hash, j) => (i === j ? hash.map((b, k) => (k === 9 ? b ^ 16 : b)) : hash)),
  )
  const dropped = proof.map((_, i) => proof.filter((_, j) => i !== j))
  const doubled = proof.map((hash, i) => [...proof.slice(0, i), hash, ...proof.slice(i)])
  const cut = proof.map((_, i) => proof.map((hash, j) => (i === j ? hash.subarray(0, 31) : hash)))
  return [...flipped, ...dropped, ...doubled, ...cut, [...proof, EMPTY_ROOT], [EMPTY_ROOT, ...proof]]
}

describe('inclusion', () => {
  it(`every proof up to ${MOST} leaves is the PATH of the RFC and verifies`, () => {
    for (let size = 1; size <= MOST; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(tree.read, index, size)
        expect(proof).toEqual(rfcPath(index, leaves.slice(0, size)))
        expect(verifyInclusion({ leaf: leafAt(index), index, size, root: root(0, size) }, proof)).toBe(true)
      }
    }
  })

  it('a spoiled proof, another leaf, another index or another root is refused', () => {
    const places = fc.integer({ min: 1, max: MOST }).chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1)))
    fc.assert(
      fc.property(places, fc.nat(MOST - 1), ([size, index], other) => {
        const claim = { leaf: leafAt(index), index, size, root: root(0, size) }
        const proof = inclusionProof(tree.read, index, size)
        for (const bad of spoiled(proof)) expect(verifyInclusion(claim, bad)).toBe(false)
        if (other === index) return
        expect(verifyInclusion({ ...claim, index: other }, proof)).toBe(false)
        expect(verifyInclusion({ ...claim, leaf: leafAt(other) }, proof)).toBe(false)
        expect(verifyInclusion({ ...claim, root: leafAt(other) }, proof)).toBe(false)
      }),
    )
  })

  it('a node is not taken for a leaf', () => {
    const node = leafHash(Uint8Array.of(...leafAt(0), ...leafAt(1)))
    expect(verifyInclusion({ leaf: node, index: 0, size: 2, root: root(0, 4) }, [root(2, 4)])).toBe(false)
  })

  it('empty hashes are refused although they are equal', () => {
    const nothing = new Uint8Array(0)
    expect(verifyInclusion({ leaf: nothing, index: 0, size: 1, root: nothing }, [])).toBe(false)
  })

  it('a proof longer than any is refused without being looked at', () => {
    const proof = Array.from({ length: MAX_PROOF_HASHES + 1 }, () => EMPTY_ROOT)
    const looked = () => {
      throw new Error('looked at')
    }
    Object.defineProperty(proof, 0, { get: looked })
    const claim = { leaf: EMPTY_ROOT, index: 0, size: Number.MAX_SAFE_INTEGER, root: EMPTY_ROOT }
    expect(verifyInclusion(claim, proof)).toBe(false)
  })
})

describe('consistency', () => {
  it(`every proof up to ${MOST} leaves is the PROOF of the RFC and verifies`, () => {
    for (let newSize = 1; newSize <= MOST; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = consistencyProof(tree.read, oldSize, newSize)
        expect(proof).toEqual(rfcProof(oldSize, leaves.slice(0, newSize)))
        const claim = { oldSize, oldRoot: root(0, oldSize), newSize, newRoot: root(0, newSize) }
        expect(verifyConsistency(claim, proof)).toBe(true)
      }
    }
  })

  it('a spoiled proof, swapped sizes or another root is refused', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: MOST }), fc.integer({ min: 1, max: MOST }))
    fc.assert(
      fc.property(sizes, fc.nat(MOST - 1), ([a, b], other) => {
        const [oldSize, newSize] = [Math.min(a, b), Math.max(a, b)]
        const claim = { oldSize, oldRoot: root(0, oldSize), newSize, newRoot: root(0, newSize) }
        const proof = consistencyProof(tree.read, oldSize, newSize)
        for (const bad of spoiled(proof)) expect(verifyConsistency(claim, bad)).toBe(false)
        if (oldSize < newSize) {
          expect(verifyConsistency({ ...claim, oldSize: newSize, newSize: oldSize }, proof)).toBe(false)
          expect(verifyConsistency({ ...claim, oldRoot: claim.newRoot, newRoot: claim.oldRoot }, proof)).toBe(false)
          expect(verifyConsistency({ ...claim, oldSize: newSize }, proof)).toBe(false)
        }
        const foreign = leafHash(utf8(`foreign ${other}`))
        expect(verifyConsistency({ ...claim, oldRoot: foreign }, proof)).toBe(false)
        expect(verifyConsistency({ ...claim, newRoot: foreign }, proof)).toBe(false)
      }),
    )
  })

  it('a log with one rewritten entry is not consistent with the old one', () => {
    const rewritten = merkleTree(leaves.map((leaf, i) => (i === 3 ? leafHash(utf8('rewritten')) : leaf)))
    const claim = { oldSize: 11, oldRoot: tree.root(11), newSize: 29, newRoot: rewritten.root(29) }
    expect(verifyConsistency(claim, consistencyProof(rewritten.read, 11, 29))).toBe(false)
    expect(verifyConsistency(claim, consistencyProof(tree.read, 11, 29))).toBe(false)
  })

  it('an old root that lost its last zero byte is refused', () => {
    let i = 0
    while (leafHash(Uint8Array.of(i >> 8, i))[31] !== 0) i++
    const [first, second] = [leafHash(Uint8Array.of(i >> 8, i)), leafAt(1)]
    const claim = { oldSize: 1, oldRoot: first, newSize: 2, newRoot: nodeHash(first, second) }
    expect(verifyConsistency(claim, [second])).toBe(true)
    expect(verifyConsistency({ ...claim, oldRoot: first.subarray(0, 31) }, [second])).toBe(false)
  })

  it('nothing is proved from the empty tree', () => {
    expect(verifyConsistency({ oldSize: 0, oldRoot: EMPTY_ROOT, newSize: 0, newRoot: EMPTY_ROOT }, [])).toBe(false)
    expect(verifyConsistency({ oldSize: 0, oldRoot: EMPTY_ROOT, newSize: 1, newRoot: root(0, 1) }, [])).toBe(false)
    expect(() => consistencyProof(tree.read, 0, 5)).toThrow(RangeError)
  })
})

describe('subtrees', () => {
  const all = Array.from({ length: 21 }, (_, start) => Array.from({ length: 21 }, (_, end) => ({ start, end }))).flat()

  it('a range is a subtree where some tree has one node over exactly its leaves', () => {
    const subtrees = new Set<string>()
    const collect = (start: number, end: number): void => {
      subtrees.add(`${start}-${end}`)
      if (end - start < 2) return
      let k = 1
      while (2 * k < end - start) k *= 2
      collect(start, start + k)
      collect(start + k, end)
    }
    for (let size = 1; size <= 20; size++) collect(0, size)
    for (const { start, end } of all.filter(({ start, end }) => start !== end && end <= 20)) {
      expect([start, end, isSubtree(start, end)]).toEqual([start, end, subtrees.has(`${start}-${end}`)])
    }
  })

  it('every subtree up to 20 leaves is consistent with every tree around it, no other range is', () => {
    for (const { start, end } of all) {
      for (let size = Math.max(end, 1); size <= 20; size++) {
        const good = isSubtree(start, end)
        const proof = good && start < end ? rfcSubtreeProof(start, end, leaves.slice(0, size)) : []
        const claim = { start, end, subtreeRoot: root(start, end), size, root: root(0, size) }
        expect([start, end, size, verifySubtreeConsistency(claim, proof)]).toEqual([start, end, size, good])
        if (!good || start === end) continue
        for (const bad of spoiled(proof)) expect(verifySubtreeConsistency(claim, bad)).toBe(false)
        expect(verifySubtreeConsistency({ ...claim, subtreeRoot: EMPTY_ROOT }, proof)).toBe(false)
        expect(verifySubtreeConsistency({ ...claim, root: EMPTY_ROOT }, proof)).toBe(false)
        expect(verifySubtreeConsistency({ ...claim, size: end - 1 }, proof)).toBe(false)
      }
    }
  })

  it('every leaf of every subtree up to 20 leaves is included in it and in no other', () => {
    for (const { start, end } of all.filter(({ start, end }) => start < end)) {
      for (let index = start; index < end; index++) {
        const proof = rfcPath(index - start, leaves.slice(start, end))
        const claim = { leaf: leafAt(index), index, start, end, subtreeRoot: root(start, end) }
        expect(verifySubtreeInclusion(claim, proof)).toBe(isSubtree(start, end))
        for (const bad of spoiled(proof)) expect(verifySubtreeInclusion(claim, bad)).toBe(false)
        expect(verifySubtreeInclusion({ ...claim, index: index + end }, proof)).toBe(false)
        if (start > 0) expect(verifySubtreeInclusion({ ...claim, index: index - start }, proof)).toBe(false)
      }
    }
  })
})

describe('numbers', () => {
  // A log of up to 2^53 - 1 equal leaves but one, whose subtree hashes can be computed without storing it.
  const marked = 2 ** 40 + 2 ** 33 + 5
  const uniform = [leafHash(utf8('same'))]
  function uniformAt(level: number): Digest {
    const known = uniform[level]
    if (known !== undefined) return known
    const below = uniformAt(level - 1)
    const hash = nodeHash(below, below)
    uniform[level] = hash
    return hash
  }
  const readHuge: SubtreeReader = (level, index) => {
    if (Math.floor(marked / 2 ** level) !== index) return uniformAt(level)
    if (level === 0) return leafHash(utf8('marked'))
    return nodeHash(readHuge(level - 1, 2 * index), readHuge(level - 1, 2 * index + 1))
  }
  const sizes = [marked + 1, 2 ** 41, 2 ** 41 + 1, 2 ** 52 + 3, Number.MAX_SAFE_INTEGER]

  it('positions above 2^32 are proved and verified without losing bits', () => {
    for (const size of sizes) {
      const claim = { leaf: leafHash(utf8('marked')), index: marked, size, root: rootAt(readHuge, size) }
      const proof = inclusionProof(readHuge, marked, size)
      expect(verifyInclusion(claim, proof)).toBe(true)
      for (const index of [marked - 1, marked - 2 ** 32, marked % 2 ** 32, 5]) {
        expect(verifyInclusion({ ...claim, index }, proof)).toBe(false)
      }
    }
  })

  it('sizes above 2^32 are proved consistent', () => {
    for (const oldSize of [1, 2 ** 33, 2 ** 33 + 1, ...sizes]) {
      for (const newSize of sizes.filter((size) => size >= oldSize)) {
        const claim = { oldSize, oldRoot: rootAt(readHuge, oldSize), newSize, newRoot: rootAt(readHuge, newSize) }
        const proof = consistencyProof(readHuge, oldSize, newSize)
        expect(verifyConsistency(claim, proof)).toBe(true)
        if (proof.length > 0) expect(verifyConsistency(claim, proof.slice(1))).toBe(false)
      }
    }
  })

  it('what is no integer from 0 to 2^53 - 1 throws, in every position', () => {
    const hash = EMPTY_ROOT
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      for (const attempt of [
        () => verifyInclusion({ leaf: hash, index: bad, size: 1, root: hash }, []),
        () => verifyInclusion({ leaf: hash, index: 0, size: bad, root: hash }, []),
        () => verifyConsistency({ oldSize: bad, oldRoot: hash, newSize: 1, newRoot: hash }, []),
        () => verifyConsistency({ oldSize: 0, oldRoot: hash, newSize: bad, newRoot: hash }, []),
        () => verifySubtreeInclusion({ leaf: hash, index: bad, start: 0, end: 1, subtreeRoot: hash }, []),
        () => verifySubtreeInclusion({ leaf: hash, index: 0, start: bad, end: 1, subtreeRoot: hash }, []),
        () => verifySubtreeInclusion({ leaf: hash, index: 0, start: 0, end: bad, subtreeRoot: hash }, []),
        () => verifySubtreeConsistency({ start: bad, end: 1, subtreeRoot: hash, size: 1, root: hash }, []),
        () => verifySubtreeConsistency({ start: 0, end: bad, subtreeRoot: hash, size: 1, root: hash }, []),
        () => verifySubtreeConsistency({ start: 0, end: 1, subtreeRoot: hash, size: bad, root: hash }, []),
        () => inclusionProof(tree.read, bad, 5),
        () => inclusionProof(tree.read, 0, bad),
        () => consistencyProof(tree.read, bad, 5),
        () => consistencyProof(tree.read, 1, bad),
        () => rootAt(tree.read, bad),
      ]) {
        expect(attempt).toThrow(RangeError)
      }
    }
  })

  it('a proof for a leaf or a size outside of the tree is not made', () => {
    expect(() => inclusionProof(tree.read, 5, 5)).toThrow(RangeError)
    expect(() => inclusionProof(tree.read, 0, MOST + 1)).toThrow(RangeError)
    expect(() => consistencyProof(tree.read, 6, 5)).toThrow(RangeError)
    expect(() => consistencyProof(tree.read, 1, MOST + 1)).toThrow(RangeError)
  })
})

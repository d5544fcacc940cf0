import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  appendLeaf,
  decodeFrontier,
  digest,
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  encodeFrontier,
  type Frontier,
  fromHex,
  frontierRoot,
  hex,
  leafHash,
  merkleRoot,
  merkleTree,
  nodeHash,
  sha256,
  utf8,
} from '../../../crypto/index.ts'
import { numberedLeaves, rfcLeaf, rfcNode, rfcRoot } from './rfc.ts'

const leaves = numberedLeaves(200)

function frontierOf(size: number): Frontier {
  return leaves.slice(0, size).reduce(appendLeaf, EMPTY_FRONTIER)
}

describe('hashes', () => {
  it('the root of no leaves is SHA-256 of nothing', () => {
    expect(hex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(merkleRoot([])).toEqual(EMPTY_ROOT)
    expect(merkleTree().root()).toEqual(EMPTY_ROOT)
  })

  it('leaves and nodes are hashed with the prefixes of RFC 6962', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        expect(leafHash(data)).toEqual(rfcLeaf(data))
      }),
    )
    const [left, right] = [sha256(utf8('left')), sha256(utf8('right'))]
    expect(nodeHash(left, right)).toEqual(rfcNode(left, right))
  })

  it('the eight entries of the Certificate Transparency reference tree give its known root', () => {
    const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
    const root = merkleRoot(entries.map((entry) => leafHash(fromHex(entry) ?? new Uint8Array())))
    expect(hex(root)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
  })
})

describe('frontier', () => {
  it('has the root of the RFC at every size', () => {
    let frontier = EMPTY_FRONTIER
    leaves.forEach((leaf, i) => {
      expect(frontierRoot(frontier)).toEqual(rfcRoot(leaves.slice(0, i)))
      frontier = appendLeaf(frontier, leaf)
      expect(frontier.size).toBe(i + 1)
    })
  })

  it('an appended leaf leaves the older frontier as it was', () => {
    const before = frontierOf(7)
    const bytes = encodeFrontier(before)
    appendLeaf(appendLeaf(before, digest(new Uint8Array(32))), digest(new Uint8Array(32)))
    expect(encodeFrontier(before)).toEqual(bytes)
  })

  it('a leaf that its owner changes later does not change the log', () => {
    const leaf = digest(new Uint8Array(32))
    const frontier = appendLeaf(EMPTY_FRONTIER, leaf)
    leaf.fill(1)
    expect(frontierRoot(frontier)).toEqual(new Uint8Array(32))
  })

  it('comes back from its bytes and goes on as before', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), (size, more) => {
        const restored = decodeFrontier(encodeFrontier(frontierOf(size)))
        expect(restored).toEqual(frontierOf(size))
        const grown = leaves.slice(size, size + more).reduce(appendLeaf, restored ?? EMPTY_FRONTIER)
        expect(grown).toEqual(frontierOf(size + more))
      }),
    )
  })

  it('its bytes are frozen: size as u64, then the subtrees, largest first', () => {
    expect(hex(encodeFrontier(EMPTY_FRONTIER))).toBe('0000000000000000')
    const expected = `0000000000000007${hex(rfcRoot(leaves.slice(0, 4)))}${hex(rfcRoot(leaves.slice(4, 6)))}`
    expect(hex(encodeFrontier(frontierOf(7)))).toBe(expected + hex(rfcRoot(leaves.slice(6, 7))))
  })

  it('any bytes either decode to what encodes to them or are refused', () => {
    const sized = fc
      .tuple(fc.nat(20), fc.uint8Array({ maxLength: 200 }))
      .map(([size, tail]) => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, size, ...tail))
    fc.assert(
      fc.property(fc.oneof(sized, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const frontier = decodeFrontier(bytes)
        if (frontier !== undefined) expect(encodeFrontier(frontier)).toEqual(bytes)
      }),
    )
  })

  it('a missing or an additional byte and a size above 2^53 - 1 are refused', () => {
    const bytes = encodeFrontier(frontierOf(5))
    expect(decodeFrontier(bytes.subarray(0, -1))).toBeUndefined()
    expect(decodeFrontier(Uint8Array.of(...bytes, 0))).toBeUndefined()
    expect(decodeFrontier(new Uint8Array(0))).toBeUndefined()
    expect(decodeFrontier(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0, ...new Uint8Array(32)))).toBeUndefined()
  })

  it('a full log refuses another leaf', () => {
    const full = decodeFrontier(Uint8Array.of(0, 0x1f, 255, 255, 255, 255, 255, 255, ...new Uint8Array(53 * 32)))
    expect(full?.size).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => appendLeaf(full ?? EMPTY_FRONTIER, EMPTY_ROOT)).toThrow(RangeError)
  })
})

describe('tree in memory', () => {
  it('has the root of the RFC at every earlier size', () => {
    const tree = merkleTree(leaves)
    expect(tree.size).toBe(leaves.length)
    for (let size = 0; size <= leaves.length; size++) expect(tree.root(size)).toEqual(rfcRoot(leaves.slice(0, size)))
    expect(tree.root()).toEqual(tree.root(leaves.length))
  })

  it('refuses to read or to root what it does not hold', () => {
    const tree = merkleTree(leaves.slice(0, 5))
    expect(() => tree.read(0, 5)).toThrow(RangeError)
    expect(() => tree.read(2, 1)).toThrow(RangeError)
    expect(() => tree.read(3, 0)).toThrow(RangeError)
    expect(() => tree.read(0, -1)).toThrow(RangeError)
    expect(() => tree.read(0, 0.5)).toThrow(RangeError)
    expect(() => tree.root(6)).toThrow(RangeError)
    expect(() => tree.root(-1)).toThrow(RangeError)
  })

  it('hands out copies', () => {
    const tree = merkleTree(leaves.slice(0, 5))
    const root = hex(tree.root())
    tree.read(0, 0).fill(0)
    tree.read(2, 0).fill(0)
    tree.root(1).fill(0)
    expect(hex(tree.root())).toBe(root)
    expect(tree.read(0, 0)).toEqual(leaves[0])
  })
})

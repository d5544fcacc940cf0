// The public vectors of transparency-dev/merkle: proofs good and spoiled, about whole trees and about subtrees.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  fromBase64,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../../../crypto/index.ts'
import { vectorsFolder } from '../../support/vectors.ts'

type Vector = Readonly<Record<string, unknown>>
type Verdict = 'accept' | 'refuse'

const NUMBER_OF_VECTORS = 518

/** How to check a vector of each folder, and how many it holds, good ones and all. */
const kinds: Readonly<Record<string, { check: (vector: Vector) => boolean; good: number; all: number }>> = {
  inclusion: {
    check: (v) =>
      verifyInclusion(
        { leaf: hash(v.leafHash), index: count(v.leafIdx), size: count(v.treeSize), root: hash(v.root) },
        hashes(v.proof),
      ),
    good: 6,
    all: 98,
  },
  consistency: {
    check: (v) =>
      verifyConsistency(
        { oldSize: count(v.size1), oldRoot: hash(v.root1), newSize: count(v.size2), newRoot: hash(v.root2) },
        hashes(v.proof),
      ),
    good: 6,
    all: 98,
  },
  subtreeinclusion: {
    check: (v) =>
      verifySubtreeInclusion(
        {
          leaf: hash(v.leafHash),
          index: count(v.leafIdx),
          start: count(v.start),
          end: count(v.end),
          subtreeRoot: hash(v.root),
        },
        hashes(v.proof),
      ),
    good: 12,
    all: 204,
  },
  subtreeconsistency: {
    check: (v) =>
      verifySubtreeConsistency(
        {
          start: count(v.start),
          end: count(v.end),
          subtreeRoot: hash(v.root1),
          size: count(v.size),
          root: hash(v.root2),
        },
        hashes(v.proof),
      ),
    good: 12,
    all: 118,
  },
}

function count(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`vector: expected a number, got ${value}`)
  return value
}

function hash(value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (bytes === undefined) throw new TypeError(`vector: expected base64, got ${value}`)
  return bytes
}

function hashes(value: unknown): Uint8Array[] {
  return Array.isArray(value) ? value.map(hash) : []
}

function jsonFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'))
}

/** Some spoiled vectors have positions of 2^53 and more, which our decoders refuse: here they throw. */
function verdict(check: (vector: Vector) => boolean, vector: Vector): { verdict: Verdict; threw: boolean } {
  try {
    return { verdict: check(vector) ? 'accept' : 'refuse', threw: false }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { verdict: 'refuse', threw: true }
  }
}

const folder = vectorsFolder()

if (folder === undefined) {
  console.log('public Merkle vectors: absent (QUORATE_VECTORS names no folder); only generated proofs are tested')
  describe('public Merkle vectors', () => {
    it('are absent: QUORATE_VECTORS names no folder', () => expect(folder).toBeUndefined())
  })
} else {
  const testdata = join(folder, 'merkle-tlog', 'testdata')
  describe('public Merkle vectors', () => {
    let run = 0
    let threw = 0

    it.each(Object.entries(kinds))('every %s vector gets its verdict', (name, { check, good, all }) => {
      const wrong: string[] = []
      let accepted = 0
      const files = jsonFiles(join(testdata, name))
      for (const file of files) {
        const vector: Vector = JSON.parse(readFileSync(join(testdata, name, file), 'utf8'))
        const expected: Verdict = vector.wantErr === true ? 'refuse' : 'accept'
        const got = verdict(check, vector)
        if (got.verdict !== expected) wrong.push(`${file}: ${got.verdict}`)
        if (got.verdict === 'accept') accepted++
        if (got.threw) threw++
        run++
      }
      expect(wrong).toEqual([])
      expect({ accepted, all: files.length }).toEqual({ accepted: good, all })
    })

    it(`were ${NUMBER_OF_VECTORS} in all, of which 7 hold a number that no decoder of ours lets through`, () => {
      expect(run).toBe(NUMBER_OF_VECTORS)
      expect(jsonFiles(testdata).length).toBe(NUMBER_OF_VECTORS)
      expect(threw).toBe(7)
    })
  })
}

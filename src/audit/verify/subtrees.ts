// Inclusion proofs for the stretch of the log between two checkpoints, from the frontier at the first and the leaves in between:
// what is left of it everywhere is what the frontier holds, so nobody needs the log from its beginning.

import { type Digest, type Frontier, nodeHash, type SubtreeReader } from '../../../crypto/index.ts'

/** Reads subtrees of a log of which `leaves` follow on `before`. @throws {RangeError} for subtrees that end behind them. */
export function subtreesOf(before: Frontier, leaves: readonly Digest[]): SubtreeReader {
  const known = new Map<string, Digest>()
  let start = 0
  for (const subtree of before.subtrees) {
    // The largest power of two that fits: the subtrees of a frontier are those of the one bits of its size.
    const level = Math.floor(Math.log2(before.size - start))
    known.set(`${level}/${start / 2 ** level}`, subtree)
    start += 2 ** level
  }
  const read = (level: number, index: number): Digest => {
    const name = `${level}/${index}`
    const found = known.get(name) ?? (level === 0 ? leaves[index - before.size] : undefined)
    if (found !== undefined) return found
    if (level === 0) throw new RangeError(`leaf: expected one of ${before.size + leaves.length}, got ${index}`)
    const made = nodeHash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
    known.set(name, made)
    return made
  }
  return read
}

import { describe, expect, it } from 'vitest'
import { type Digest, utf8, verifyInclusion } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { SignedRequest } from '../../src/consensus/index.ts'
import { decodeSignedRequest, encodeSignedRequest } from '../../src/wire/index.ts'
import { Malformed } from '../../src/wire/malformed.ts'
import { fromWireRequests, toWireRequests } from '../../src/wire/requests.ts'
import { bundleOf } from './arbitraries.ts'

const commands = (count: number) => Array.from({ length: count }, (_, i) => utf8(`command ${i}`))
const bundle = bundleOf(commands(7), 1)

/** The code and detail of the refusal. */
function refusalOf(requests: wire.Requests): string {
  try {
    fromWireRequests(requests)
  } catch (error) {
    if (error instanceof Malformed) return `${error.fault.code}: ${error.fault.detail}`
    throw error
  }
  return 'taken'
}

function hashesOf(requests: readonly SignedRequest[]): number[] {
  return toWireRequests(requests).bundles.map(({ hashes }) => hashes.length / 32)
}

describe('requests on the wire', () => {
  it('need no hash where a whole bundle travels together, in whatever order', () => {
    expect(hashesOf(bundle)).toEqual([0])
    expect(hashesOf(bundle.toReversed())).toEqual([0])
    expect(fromWireRequests(toWireRequests(bundle.toReversed()))).toEqual(bundle.toReversed())
  })

  it('need their path where they travel alone', () => {
    for (const request of bundle) {
      const [made] = toWireRequests([request]).bundles
      expect(made?.hashes.length).toBe(request.proof.path.length * 32)
    }
  })

  it('need a hash for each largest subtree without one of them', () => {
    // 7 leaves: ((0 1) (2 3)) ((4 5) 6)
    const some = (...at: readonly number[]) => bundle.filter(({ proof }) => at.includes(proof.index))
    expect(hashesOf(some(0, 1, 2, 3))).toEqual([1])
    expect(hashesOf(some(1, 2))).toEqual([3])
    expect(hashesOf(some(0, 2, 4))).toEqual([4])
    expect(hashesOf(some(6))).toEqual([2])
  })

  it('share what their bundle says, which stands there once', () => {
    const other = bundleOf(commands(5), 2)
    const mixed = bundle.flatMap((each, i) => (other[i] === undefined ? [each] : [other[i], each]))
    const made = toWireRequests(mixed)
    expect(made.bundles.map(({ count }) => count)).toEqual([5, 7])
    expect(made.requests.map(({ bundle: number }) => number)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1])
    expect(fromWireRequests(made)).toEqual(mixed)
  })

  it('are told apart from those of a bundle that differs in the client, the root or the signature alone', () => {
    const [one] = bundleOf(commands(1), 3)
    const [ofAnother] = bundleOf(commands(1), 4)
    if (one === undefined || ofAnother === undefined) throw new Error('no request')
    const { signature } = one.proof
    const resigned = { ...one, proof: { ...one.proof, signature: ofAnother.proof.signature } }
    const renamed = { ...ofAnother, proof: { ...ofAnother.proof, signature } }
    const rerooted = bundleOf(commands(1), 3, 2).map((each) => ({ ...each, proof: { ...each.proof, signature } }))
    const all = [one, resigned, renamed, ...rerooted, one]
    const made = toWireRequests(all)
    expect(made.requests.map(({ bundle: number }) => number)).toEqual([0, 1, 2, 3, 0])
    expect(fromWireRequests(made)).toEqual(all)
  })

  it('have proofs that hold, and a root that is another when anything was tampered with', () => {
    const part = bundle.filter((_, i) => i % 2 === 0)
    const genuine = toWireRequests(part)
    const rootOf = (requests: wire.Requests): Digest | undefined => {
      const decoded = fromWireRequests(requests)
      for (const { id, proof } of decoded) {
        const { index, count, root, path } = proof
        expect(verifyInclusion({ leaf: id, index, size: count, root }, path)).toBe(true)
      }
      return decoded[0]?.proof.root
    }
    expect(rootOf(genuine)).toEqual(bundle[0]?.proof.root)
    const [first, ...others] = genuine.requests
    const [made] = genuine.bundles
    if (first === undefined || made === undefined) throw new Error('no request')
    const hashes = made.hashes.with(5, (made.hashes[5] ?? 0) ^ 1)
    const lies: readonly wire.Requests[] = [
      { ...genuine, requests: [{ ...first, command: utf8('x') }, ...others] },
      { ...genuine, requests: [{ ...first, sequence: 9 }, ...others] },
      { ...genuine, requests: [{ ...first, index: 1 }, ...others] },
      { ...genuine, bundles: [{ ...made, hashes }] },
    ]
    for (const lie of lies) expect(rootOf(lie)).not.toEqual(bundle[0]?.proof.root)
  })

  const [whole] = toWireRequests(bundleOf(commands(2), 2)).bundles
  const [part] = toWireRequests(bundle.slice(0, 3)).bundles
  if (whole === undefined || part === undefined) throw new Error('no bundle')
  const at = (number: number, index: number, command = 0): wire.Request => {
    return { bundle: number, index, sequence: 1 + index, command: utf8(`command ${command || index}`) }
  }

  it.each<[string, readonly wire.Bundle[], readonly wire.Request[], string]>([
    ['bundles not in the order of first use', [whole, part], [at(1, 0), at(0, 0)], 'not-canonical: Request.bundle'],
    ['a bundle that nobody names', [whole, part], [at(0, 0), at(0, 1)], 'not-canonical: Requests.bundles'],
    ['a bundle that is not there', [whole], [at(0, 0), at(0, 1), at(1, 0)], 'not those that'],
    ['a place beyond the bundle', [whole], [at(0, 0), at(0, 2)], 'bad-value: Request.index'],
    ['a bundle of none', [{ ...whole, count: 0 }], [at(0, 0)], 'bad-value: Request.index'],
    ['too few hashes', [whole], [at(0, 0)], 'bad-value: Bundle.hashes: not as many'],
    ['too many hashes', [part], [0, 1, 2, 3, 4, 5, 6].map((i) => at(0, i)), 'bad-value: Bundle.hashes: not as many'],
    ['half a hash', [{ ...part, hashes: part.hashes.subarray(1) }], [0, 1, 2].map((i) => at(0, i)), 'not as many'],
    [
      'two at one place',
      [whole],
      [at(0, 0), at(0, 1), at(0, 1, 7)],
      'bad-value: Request.index: two requests at one place',
    ],
    [
      'one bundle twice',
      [whole, whole],
      [at(0, 0), at(0, 1), at(1, 0), at(1, 1)],
      'not-canonical: Requests.bundles: one',
    ],
  ])('are refused with %s', (_, bundles, requests, refusal) => {
    expect(refusalOf({ bundles, requests })).toContain(refusal)
  })

  it('are not encoded with a path of another length than their place asks for', () => {
    const [one] = bundle
    if (one === undefined) throw new Error('no request')
    const cut = { ...one, proof: { ...one.proof, path: one.proof.path.slice(1) } }
    expect(() => encodeSignedRequest(cut)).toThrow(RangeError)
  })

  it('alone are one: none or two are refused', () => {
    expect(decodeSignedRequest(wire.encodeRequests(toWireRequests([]))).ok).toBe(false)
    expect(decodeSignedRequest(wire.encodeRequests(toWireRequests(bundle))).ok).toBe(false)
  })
})

// What is packed is what it was, to the last proof, and says nothing that it did not say before.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { epoch, markVerified, slot, utf8 } from '../../crypto/index.ts'
import { signBundle } from '../../src/client/bundle.ts'
import { OpenedRequest } from '../../src/consensus/bundle.ts'
import { chosenEntry } from '../../src/consensus/chosen.ts'
import {
  batchEntry,
  commandBytes,
  type Entry,
  noopEntry,
  packEntry,
  type SignedRequest,
  verifyRequest,
} from '../../src/consensus/index.ts'
import { fromWireEntry, toWireEntry } from '../../src/wire/entries.ts'
import { fromWireRequests, toWireRequests } from '../../src/wire/requests.ts'
import { signerNamed } from '../keys/sample.ts'
import { collected } from '../support/collected.ts'
import { commands, miniCluster } from '../support/mini-cluster.ts'

const { context } = miniCluster()
const { clusterId } = context.membership
const signers = ['client admin', 'client reader'].map(signerNamed)

/** A bundle as it came from the wire; `lengths` are those of the commands. */
function bundle(by: number, first: number, lengths: readonly number[]): readonly SignedRequest[] {
  const signer = signers[by % signers.length] ?? signerNamed('client admin')
  const requests = lengths.map((length, i) => {
    return { client: signer.publicKey, sequence: first + i, command: utf8('x'.repeat(length)) }
  })
  return fromWireRequests(toWireRequests(signBundle(requests, clusterId, signer)))
}

const entryOf = (requests: readonly SignedRequest[]): Entry => batchEntry(slot(7), epoch(0), 1234, requests)

/** All that anybody can see of a request. */
const seen = ({ request, id, proof: { index, count, root, path, signature } }: SignedRequest) => {
  return { request, id, index, count, root, path, signature }
}

/** Some requests of some bundles, in any order, as a leader may put them into one batch. */
const batches = fc
  .array(fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 4 })
  .chain((bundles) => {
    const all = bundles.flatMap((lengths, i) => bundle(i, 1 + 100 * i, lengths))
    return fc.shuffledSubarray(all, { minLength: 1 })
  })

describe('a packed entry', () => {
  it('has the requests of the entry, in their order, with proofs that hold', () => {
    fc.assert(
      fc.property(batches, (requests) => {
        const entry = entryOf(requests)
        const packed = packEntry(entry)
        expect(packed).not.toBe(entry)
        expect(packed.header).toEqual(entry.header)
        expect(packed.digest).toEqual(entry.digest)
        expect(packed.requests.map(seen)).toEqual(requests.map(seen))
        expect(packed.requests.every((each) => verifyRequest(each, context).ok)).toBe(true)
        expect(commandBytes(packed)).toBe(commandBytes(entry))
      }),
      { numRuns: 60 },
    )
  })

  it('goes over the wire as the entry does', () => {
    fc.assert(
      fc.property(batches, (requests) => {
        const entry = entryOf(requests)
        expect(toWireEntry(packEntry(entry))).toEqual(toWireEntry(entry))
        expect(fromWireEntry(toWireEntry(packEntry(entry))).digest).toEqual(entry.digest)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps none of the requests, and neither does a part of a bundle the rest of it', async () => {
    const gone: WeakRef<SignedRequest>[] = []
    const packed = ((): Entry => {
      const requests = bundle(0, 1, [1, 2, 3, 4, 5])
      gone.push(...requests.map((each) => new WeakRef(each)))
      return packEntry(entryOf(requests.slice(1, 3)))
    })()
    await collected(gone)
    expect(packed.requests).toHaveLength(2)
  })

  it('is not checked again by whoever found its bundle good', () => {
    const requests = bundle(0, 1, [1, 2, 3])
    const judge = {}
    for (const each of requests) if (OpenedRequest.is(each)) each.markGood(judge)
    const again = packEntry(entryOf(requests)).requests
    expect(again.map((each) => OpenedRequest.is(each) && each.isGoodBy(judge))).toEqual([true, true, true])
    expect(again.map((each) => OpenedRequest.is(each) && each.isGoodBy({}))).toEqual([false, false, false])
  })

  it('is made once, whoever asks, and of a packed one it is the same', () => {
    const entry = entryOf(bundle(0, 1, [1, 2, 3]))
    expect(packEntry(entry)).toBe(packEntry(entry))
    expect(packEntry(packEntry(entry))).toBe(packEntry(entry))
  })

  it('gives a copy its requests', () => {
    const entry = entryOf(bundle(0, 1, [1, 2, 3]))
    expect({ ...packEntry(entry) }.requests.map(seen)).toEqual(entry.requests.map(seen))
  })

  it('is none where there is nothing to pack, or something of another make', () => {
    const noop = noopEntry(slot(3), epoch(0))
    expect(packEntry(noop)).toBe(noop)
    const [first, ...rest] = bundle(0, 1, [1, 2, 3])
    if (first === undefined) throw new Error('no requests')
    const mixed = entryOf([{ ...first }, ...rest])
    expect(packEntry(mixed)).toBe(mixed)
  })
})

describe('the core', () => {
  it('packs what is executed, below the checkpoint too, and gives it to who lags', () => {
    const cluster = miniCluster()
    cluster.filter = (from, to) => from !== 3 && to !== 3
    cluster.run(50)
    for (let i = 0; i < 10; i++) {
      cluster.input(0, { kind: 'requests', requests: bundle(0, 1 + 2 * i, [3, 5]).map(markVerified) })
      cluster.settle()
    }
    cluster.run(200)
    const [leader, , , lagging] = cluster.replicas
    if (leader === undefined || lagging === undefined) throw new Error('unreachable')
    expect([leader.executed.length, lagging.executed.length]).toEqual([10, 0])
    expect(cluster.status(0).stable.slot).toBe(8)
    const kept = Array.from({ length: 10 }, (_, i) => chosenEntry(leader.state, slot(1 + i))?.entry)
    expect(kept.map((entry) => entry?.digest)).toEqual(leader.executed.map((entry) => entry.digest))
    // Of a packed entry each look makes new requests.
    const looks = [1, 2].map(() => kept.map((entry) => entry?.requests[0]))
    expect(kept.map((_, i) => looks[0]?.[i] === looks[1]?.[i])).toEqual(kept.map(() => false))
    cluster.filter = () => true
    cluster.run(1000)
    expect(commands(lagging)).toEqual(commands(leader))
    expect(commands(lagging)).toHaveLength(20)
  })
})

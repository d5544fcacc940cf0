// Requests whose bundle was opened here are checked once a bundle; nothing else gets past the full check.

import { describe, expect, it } from 'vitest'
import { merkleRoot, slot, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { signBundle } from '../../src/client/bundle.ts'
import { OpenedRequest, openBundle, requestsRoot } from '../../src/consensus/bundle.ts'
import { batchEntry, type SignedRequest, type VerifyContext, verifyRequest } from '../../src/consensus/index.ts'
import { fromWireRequests, toWireRequests } from '../../src/wire/requests.ts'
import { signerNamed } from '../keys/sample.ts'
import { miniCluster } from '../support/mini-cluster.ts'

const { context } = miniCluster()
const signer = signerNamed('client admin')
const { clusterId } = context.membership

function signed(count: number, first = 1, by = signer): readonly SignedRequest[] {
  const requests = Array.from({ length: count }, (_, i) => {
    return { client: by.publicKey, sequence: first + i, command: utf8(`command ${first + i}`) }
  })
  return signBundle(requests, clusterId, by)
}

const received = (requests: readonly SignedRequest[]) => fromWireRequests(toWireRequests(requests))

/** A context that counts signature checks. */
function counting(): { context: VerifyContext; checks: () => number } {
  let checks = 0
  const verifier = {
    verify(...args: Parameters<typeof nativeVerifier.verify>) {
      checks++
      return nativeVerifier.verify(...args)
    },
  }
  return { context: { ...context, verifier }, checks: () => checks }
}

const codeOf = (request: SignedRequest, by = context) => {
  const verified = verifyRequest(request, by)
  return verified.ok ? undefined : verified.fault.code
}

describe('requests as they come from the wire', () => {
  it('cost one signature check a bundle, in each context', () => {
    const requests = received([...signed(5), ...signed(3, 6)])
    const [a, b] = [counting(), counting()]
    for (const request of requests) expect(codeOf(request, a.context)).toBeUndefined()
    expect(a.checks()).toBe(2)
    for (const request of requests) expect(codeOf(request, b.context)).toBeUndefined()
    expect(b.checks()).toBe(2)
  })

  it('are refused each time where their client did not sign', () => {
    const forged = signed(3).map((each) => ({
      ...each,
      proof: { ...each.proof, signature: signed(2)[0]?.proof.signature },
    }))
    const requests = received(forged as SignedRequest[])
    const { context: own, checks } = counting()
    for (const request of requests) expect(codeOf(request, own)).toBe('bad-client-signature')
    expect(checks()).toBe(3)
  })

  it('keep nothing of that in a copy with another content', () => {
    const requests = received(signed(3))
    for (const request of requests) expect(codeOf(request)).toBeUndefined()
    const [first, second] = requests
    if (first === undefined || second === undefined) throw new Error('no requests')
    const command = utf8('another command')
    expect(OpenedRequest.is({ ...first })).toBe(false)
    expect(codeOf({ ...first })).toBeUndefined()
    expect(codeOf({ ...first, request: { ...first.request, command } })).toBe('wrong-request-id')
    expect(codeOf({ ...first, proof: { ...first.proof, index: 1 } })).toBe('not-in-bundle')
    expect(codeOf({ ...first, request: second.request, id: second.id })).toBe('not-in-bundle')
  })

  it('are held to their bounds though their bundle is good', () => {
    const [request] = received(signed(1))
    if (request === undefined) throw new Error('no request')
    expect(codeOf(request)).toBeUndefined()
    const narrow = { ...context, parameters: { ...context.parameters, maxRequestBytes: 3 } }
    expect(codeOf(request, narrow)).toBe('request-too-large')
  })
})

describe('the root of an entry', () => {
  it('is that of its requests, whether it is known from a bundle or not', () => {
    const whole = received(signed(5))
    const lists = [
      whole,
      whole.slice(1),
      whole.toReversed(),
      [...whole, ...received(signed(2, 6))],
      received(signed(5).slice(0, 4)),
      [...whole.slice(0, 4), ...received(signed(5)).slice(4)],
      [],
    ]
    for (const requests of lists) {
      expect(requestsRoot(requests)).toEqual(merkleRoot(requests.map(({ id }) => id)))
      if (requests.length === 0) continue
      const { header } = batchEntry(slot(1), context.membership.epoch, 1, requests)
      expect(header.root).toEqual(merkleRoot(requests.map(({ id }) => id)))
    }
  })
})

describe('a bundle', () => {
  it('is not opened for requests of two clients', () => {
    const other = signerNamed('client writer')
    const requests = [...signed(1), ...signed(1, 1, other)].map(({ request }, index) => ({ index, request }))
    const { signature } = signed(1)[0]?.proof ?? {}
    if (signature === undefined) throw new Error('no signature')
    expect(() => openBundle({ count: 2, signature, hashes: new Uint8Array() }, requests)).toThrow(RangeError)
  })
})

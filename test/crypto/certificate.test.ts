import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  assembleCertificate,
  type Certificate,
  type CertificateFault,
  type CertificateKind,
  type CertificateSignature,
  decodeCertificate,
  describeCertificateFault,
  digest,
  encodeCertificate,
  hex,
  publicKey,
  replicaIndex,
  signature,
  slot,
  statementBytes,
  type VoteStatement,
  verifyCertificate,
  verifyVote,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { bytesFor, testCluster } from '../support/cluster.ts'
import { golden } from '../support/golden.ts'

const cluster = testCluster()
const { membership, verifier } = cluster

type CertifiedStatement = VoteStatement & { readonly kind: CertificateKind }

function certify(kind: CertificateKind, signers: readonly number[], change: Partial<VoteStatement> = {}, of = cluster) {
  const statement = { ...of.statement(change), kind } as CertifiedStatement
  return assembleCertificate(
    statement,
    signers.map((replica) => of.vote(replica, { ...change, kind })),
    of.membership,
  )
}

function good(
  kind: CertificateKind,
  signers = [0, 2, 3],
  change: Partial<VoteStatement> = {},
  of = cluster,
): Certificate {
  const certificate = certify(kind, signers, change, of)
  if (certificate === undefined) throw new Error('the votes make no certificate')
  return certificate
}

/** Signatures of `signers` on the statement, put together without any check. */
function raw(signers: readonly number[], change: Partial<VoteStatement> = {}, of = cluster): Certificate {
  const signatures = signers.map((replica): CertificateSignature => of.vote(replica, change))
  return { statement: of.statement(change), signatures }
}

function faultOf(certificate: Certificate, kind: CertificateKind, more: Partial<VoteStatement> = {}, of = cluster) {
  const { kind: _, ...expected } = more
  const result = verifyCertificate(certificate, { ...expected, kind }, of.membership, of.verifier)
  return result.ok ? undefined : result.fault
}

describe('a certificate, assembled and verified', () => {
  it.each([
    ['prepare', [0, 1, 2], 3],
    ['accept', [1, 2, 3], 3],
    ['receipt', [1, 3], 2],
  ] as const)('%s by %j is good and has %d signatures', (kind, signers, count) => {
    const certificate = good(kind, [...signers])
    expect(certificate.signatures).toHaveLength(count)
    expect(faultOf(certificate, kind)).toBeUndefined()
    expect(faultOf(certificate, kind, cluster.statement())).toBeUndefined()
  })

  it('needs q votes for a prepare or accept and t for a receipt', () => {
    expect(certify('prepare', [0, 1])).toBeUndefined()
    expect(certify('accept', [0, 1])).toBeUndefined()
    expect(certify('receipt', [0])).toBeUndefined()
    expect(faultOf(raw([1, 2], { kind: 'accept' }), 'accept')).toEqual({ code: 'too-few-signers', have: 2, need: 3 })
    expect(faultOf(raw([1], { kind: 'receipt' }), 'receipt')).toEqual({ code: 'too-few-signers', have: 1, need: 2 })
  })

  it('for a prepare holds the vote of the leader of its view, though enough others signed', () => {
    expect(certify('prepare', [1, 2, 3])).toBeUndefined()
    expect(faultOf(raw([1, 2, 3]), 'prepare')).toEqual({ code: 'no-leader-vote', leader: 0 })
    expect(faultOf(good('prepare', [3, 2, 1], { view: view(7) }), 'prepare')).toBeUndefined()
    const spare = good('prepare', [1, 2, 3, 0])
    expect(spare.signatures.map((entry) => entry.replica)).toEqual([0, 1, 2])
  })

  it('in crash mode needs a majority, the leader alone to prepare, and one receipt', () => {
    const crash = testCluster({ replicas: 3, byzantine: 0, crash: 1 })
    expect(faultOf(good('accept', [1, 2], {}, crash), 'accept', {}, crash)).toBeUndefined()
    expect(faultOf(good('receipt', [1], {}, crash), 'receipt', {}, crash)).toBeUndefined()
    expect(certify('accept', [1], {}, crash)).toBeUndefined()
    expect(faultOf(good('prepare', [0], {}, crash), 'prepare', {}, crash)).toBeUndefined()
    expect(certify('prepare', [1, 2], {}, crash)).toBeUndefined()
  })

  it('counts a member once, however often it voted, and only votes on its own statement', () => {
    const votes = [0, 0, 0, 1].map((replica) => cluster.vote(replica, { kind: 'accept' }))
    const statement = { ...cluster.statement(), kind: 'accept' } as const
    expect(assembleCertificate(statement, votes, membership)).toBeUndefined()
    const others = [2, 3].map((replica) => cluster.vote(replica, { kind: 'accept', view: view(4) }))
    expect(assembleCertificate(statement, [...votes, ...others], membership)).toBeUndefined()
    expect(assembleCertificate(statement, [...votes, cluster.vote(2, { kind: 'accept' })], membership)).toBeDefined()
  })

  it('takes only verified votes: a plain vote does not compile', () => {
    const { statement, replica, signature: bytes } = cluster.vote(1)
    // @ts-expect-error a vote that no verifier has seen
    assembleCertificate({ ...statement, kind: 'accept' }, [{ statement, replica, signature: bytes }], membership)
  })
})

describe('a certificate is refused', () => {
  const cases: readonly [string, Certificate, CertificateKind, Partial<VoteStatement>, CertificateFault][] = [
    ['a duplicate signer', raw([0, 1, 1]), 'prepare', {}, { code: 'duplicate-signer', replica: replicaIndex(1) }],
    ['unsorted signers', raw([0, 2, 1]), 'prepare', {}, { code: 'unsorted-signers', replica: replicaIndex(1) }],
    ['another phase', raw([0, 1, 2], { kind: 'accept' }), 'prepare', {}, { code: 'wrong-kind' }],
    ['another view', raw([0, 1, 2]), 'prepare', { view: view(4) }, { code: 'wrong-view' }],
    ['another slot', raw([0, 1, 2]), 'prepare', { slot: slot(2) }, { code: 'wrong-slot' }],
    ['another digest', raw([0, 1, 2]), 'prepare', { digest: bytesFor('other') }, { code: 'wrong-digest' }],
    ['another NewView', raw([0, 1, 2]), 'prepare', { justification: bytesFor('x') }, { code: 'wrong-justification' }],
    ['another cluster', raw([0, 1, 2], { clusterId: bytesFor('x') }), 'prepare', {}, { code: 'wrong-cluster' }],
    ['another epoch', raw([0, 1, 2], { membership: bytesFor('x') }), 'prepare', {}, { code: 'wrong-membership' }],
    ['no signers', raw([]), 'prepare', {}, { code: 'too-few-signers', have: 0, need: 3 }],
  ]
  it.each(cases)('for %s', (_, certificate, kind, expected, fault) => {
    expect(faultOf(certificate, kind, expected)).toEqual(fault)
    expect(describeCertificateFault(fault)).toMatch(/^(it|its|replica \d|signer \d) /)
  })

  it('for a signer who is not a member, though the key is real', () => {
    const larger = testCluster({ replicas: 7, byzantine: 2 })
    const signatures = [0, 1, 5].map((replica): CertificateSignature => {
      const signer = larger.signers[replica]
      if (signer === undefined) throw new Error('no such signer')
      return { replica: replicaIndex(replica), signature: signer.sign(statementBytes(cluster.statement())) }
    })
    const certificate = { statement: cluster.statement(), signatures }
    expect(faultOf(certificate, 'prepare')).toEqual({ code: 'foreign-signer', replica: 5, replicas: 4 })
  })

  it('for a good signature under another signer’s index (pitfall P06)', () => {
    const [a, b, c] = raw([0, 1, 2]).signatures
    if (a === undefined || b === undefined || c === undefined) throw new Error('three signatures')
    const swapped = { statement: cluster.statement(), signatures: [a, { ...b, signature: c.signature }, c] }
    expect(faultOf(swapped, 'prepare')).toEqual({ code: 'bad-signature', replica: 1 })
  })

  it('for one bad signature beside enough good ones', () => {
    const certificate = raw([0, 1, 2, 3])
    const signatures = certificate.signatures.map((entry) =>
      entry.replica === 3 ? { ...entry, signature: signature(new Uint8Array(64)) } : entry,
    )
    expect(faultOf({ ...certificate, signatures }, 'prepare')).toEqual({ code: 'bad-signature', replica: 3 })
  })

  it('when its votes come from two runs of one cluster: other epoch, other name, crash mode (pitfalls P03, P37, P62)', () => {
    const others = [testCluster({ epoch: 1 }), testCluster({ name: 'second' }), testCluster({ byzantine: 0, crash: 1 })]
    for (const other of others) {
      const foreign = good('accept', [0, 1, 2], {}, other)
      const code = other === others[1] ? 'wrong-cluster' : 'wrong-membership'
      expect(faultOf(foreign, 'accept')).toEqual({ code })
      // The same signatures under this cluster's own statement.
      const spliced = { statement: { ...cluster.statement(), kind: 'accept' as const }, signatures: foreign.signatures }
      expect(faultOf(spliced, 'accept')).toEqual({ code: 'bad-signature', replica: 0 })
    }
  })

  it('for a slot 0, and for a receipt that names a view or a NewView', () => {
    expect(faultOf(raw([0, 1, 2], { slot: slot(0) }), 'prepare')).toMatchObject({ code: 'not-canonical' })
    expect(faultOf(raw([0, 1], { kind: 'receipt', view: view(1) }), 'receipt')).toMatchObject({ code: 'not-canonical' })
    const relying = raw([0, 1], { kind: 'receipt', justification: bytesFor('x') })
    expect(faultOf(relying, 'receipt')).toMatchObject({ code: 'not-canonical' })
  })
})

describe('a certificate, every field and byte of it changed', () => {
  it.each(['prepare', 'accept', 'receipt'] as const)('no mutation of one byte of a good %s passes', (kind) => {
    const certificate = good(kind, [0, 2, 3])
    const bytes = encodeCertificate(certificate)
    let decoded = 0
    for (let i = 0; i < bytes.length; i++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = Uint8Array.from(bytes)
        changed[i] = (changed[i] ?? 0) ^ flip
        const mutant = decodeCertificate(changed)
        if (mutant === undefined) continue
        decoded++
        expect(faultOf(mutant, kind), `byte ${i} ^ ${flip}`).toBeDefined()
      }
    }
    expect(decoded).toBeGreaterThan(bytes.length)
  })

  it('no certificate with one field of its statement changed passes, nor one with any signature replaced', () => {
    const certificate = good('accept', [0, 1, 2])
    const changes: Partial<VoteStatement>[] = [
      { kind: 'prepare' },
      { kind: 'receipt' },
      { clusterId: bytesFor('x') },
      { membership: bytesFor('x') },
      { view: view(1) },
      { justification: bytesFor('x') },
      { slot: slot(2) },
      { digest: bytesFor('x') },
    ]
    for (const change of changes) {
      const statement = { ...certificate.statement, ...change }
      const kind = statement.kind as CertificateKind
      expect(faultOf({ ...certificate, statement }, kind), JSON.stringify(Object.keys(change))).toBeDefined()
      for (let changed = 0; changed < 3; changed++) {
        const signatures = certificate.signatures.map((entry, i) =>
          i === changed
            ? { ...entry, signature: cluster.vote(entry.replica, { ...certificate.statement, ...change }).signature }
            : entry,
        )
        expect(faultOf({ ...certificate, signatures }, 'accept')).toMatchObject({ code: 'bad-signature' })
      }
    }
  })
})

describe('a certificate in bytes', () => {
  it('has the bytes of the golden vectors', () => {
    const made = Object.fromEntries(
      (['prepare', 'accept', 'receipt'] as const).map((kind) => [kind, hex(encodeCertificate(good(kind, [0, 1, 3])))]),
    )
    expect(made).toEqual(golden('certificates', made))
    for (const bytes of Object.values(golden('certificates', made) as Record<string, string>)) {
      expect(bytes.length / 2).toBeGreaterThan(161)
    }
  })

  it('decodes to itself, and only from the bytes that it encodes to', () => {
    const bytes = encodeCertificate(good('accept'))
    const decoded = decodeCertificate(bytes)
    expect(decoded).toEqual(good('accept'))
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeCertificate(bytes.subarray(0, length)), `first ${length} bytes`).toBeUndefined()
    }
    expect(decodeCertificate(Uint8Array.of(...bytes, 0))).toBeUndefined()
  })

  it('with repeated, descending or impossible signers does not decode', () => {
    expect(decodeCertificate(encodeCertificate(raw([1, 1, 2])))).toBeUndefined()
    expect(decodeCertificate(encodeCertificate(raw([2, 1, 3])))).toBeUndefined()
    const bytes = encodeCertificate(raw([1, 2, 3]))
    bytes[bytes.length - 65] = 100
    expect(decodeCertificate(bytes)).toBeUndefined()
  })

  it('never makes the decoder throw, whatever the bytes', () => {
    const start = encodeCertificate(good('accept'))
    fc.assert(
      fc.property(fc.nat(start.length), fc.uint8Array({ maxLength: 300 }), (keep, tail) => {
        const bytes = Uint8Array.of(...start.subarray(0, keep), ...tail)
        const decoded = decodeCertificate(bytes)
        if (decoded !== undefined) expect(encodeCertificate(decoded)).toEqual(bytes)
      }),
    )
  })
})

describe('a vote', () => {
  it('of a member on a statement of its cluster is good, and of anybody else is not', () => {
    const vote = cluster.vote(2)
    expect(verifyVote(vote, membership, verifier).ok).toBe(true)
    expect(verifyVote({ ...vote, replica: replicaIndex(1) }, membership, verifier)).toEqual({
      ok: false,
      fault: { code: 'bad-signature', replica: 1 },
    })
    expect(verifyVote({ ...vote, replica: replicaIndex(9) }, membership, verifier)).toEqual({
      ok: false,
      fault: { code: 'foreign-signer', replica: 9, replicas: 4 },
    })
  })
})

describe('a membership', () => {
  it('has a digest that names epoch, keys, n, b, c and mode', () => {
    const digests = [
      testCluster(),
      testCluster({ epoch: 1 }),
      testCluster({ byzantine: 0, crash: 1 }),
      testCluster({ byzantine: 0, crash: 0 }),
      testCluster({ replicas: 5, byzantine: 1 }),
    ].map((each) => hex(each.membership.digest))
    expect(new Set(digests).size).toBe(digests.length)
    expect(digests).toEqual(golden('memberships', digests))
  })

  it('refuses one key for two members: it would count twice', async () => {
    const { membership: make } = await import('../../crypto/index.ts')
    const [first, second] = membership.members
    if (first === undefined || second === undefined) throw new Error('two members')
    const twice = [first, second, { ...first, transportKey: publicKey(bytesFor('other')) }, second]
    const { clusterId, epoch, quorums } = membership
    expect(() => make(clusterId, epoch, twice, quorums)).toThrow('distinct consensus keys')
    expect(() => make(clusterId, epoch, [first], quorums)).toThrow('expected 4')
    expect(digest(ZERO_DIGEST)).toEqual(ZERO_DIGEST)
  })
})

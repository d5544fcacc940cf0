import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BUNDLE_STATEMENT_BYTES,
  decodeVoteStatement,
  digest,
  hex,
  JOIN_STATEMENT_BYTES,
  type JoinStatement,
  KEY_PURPOSE_BYTES,
  type KeyPurpose,
  POSSESSION_STATEMENT_BYTES,
  publicKey,
  sha256,
  slot,
  statementBytes,
  utf8,
  VOTE_KIND_BYTES,
  VOTE_STATEMENT_BYTES,
  type VoteKind,
  type VoteStatement,
  view,
} from '../../crypto/index.ts'
import { golden } from '../support/golden.ts'

const voteKinds = Object.keys(VOTE_KIND_BYTES) as VoteKind[]
const purposes = Object.keys(KEY_PURPOSE_BYTES) as KeyPurpose[]

function example(kind: VoteKind): VoteStatement {
  return {
    kind,
    clusterId: sha256(utf8('cluster')),
    membership: sha256(utf8('membership')),
    view: view(0x0001_0203_0405_06),
    justification: sha256(utf8('new view')),
    slot: slot(2 ** 53 - 1),
    digest: sha256(utf8('digest')),
  }
}

const anyDigest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(digest)
const anyStatement: fc.Arbitrary<VoteStatement> = fc.record({
  kind: fc.constantFrom(...voteKinds),
  clusterId: anyDigest,
  membership: anyDigest,
  view: fc.maxSafeNat().map(view),
  justification: anyDigest,
  slot: fc.maxSafeNat().map(slot),
  digest: anyDigest,
})

const join: JoinStatement = {
  kind: 'join',
  clusterId: sha256(utf8('cluster')),
  membership: sha256(utf8('membership')),
  key: publicKey(sha256(utf8('key'))),
  checkpoint: sha256(utf8('checkpoint')),
}

describe('signed statements', () => {
  it('have the bytes of the golden vectors, for every kind of vote and every purpose of a key', () => {
    const votes = voteKinds.map((kind) => [kind, hex(statementBytes(example(kind)))] as const)
    const possessions = purposes.map((purpose, index) => {
      const key = publicKey(sha256(utf8('key')))
      const statement = {
        kind: 'possession',
        purpose,
        binding: sha256(utf8('genesis')),
        index: index + 1,
        key,
      } as const
      return [`possession/${purpose}`, hex(statementBytes(statement))] as const
    })
    const bundle = {
      kind: 'bundle',
      clusterId: sha256(utf8('cluster')),
      client: publicKey(sha256(utf8('key'))),
      count: 2 ** 40 + 3,
      root: sha256(utf8('requests')),
    } as const
    expect(statementBytes(bundle)).toHaveLength(BUNDLE_STATEMENT_BYTES)
    const made = Object.fromEntries([...votes, ...possessions, ['bundle', hex(statementBytes(bundle))]])
    expect(made).toEqual(golden('statements', made))
  })

  it('of a joiner have the documented bytes, one after another', () => {
    const bytes = statementBytes(join)
    const { clusterId, membership, key, checkpoint } = join
    const expected = [utf8('\x1equorate-join-v1'), clusterId, membership, key, checkpoint].map(hex).join('')
    expect(hex(bytes)).toBe(expected)
    expect(bytes.length).toBe(JOIN_STATEMENT_BYTES)
    expect(decodeVoteStatement(bytes)).toBeUndefined()
    const lengths = [VOTE_STATEMENT_BYTES, POSSESSION_STATEMENT_BYTES, BUNDLE_STATEMENT_BYTES, JOIN_STATEMENT_BYTES]
    expect(new Set(lengths).size).toBe(lengths.length)
  })

  it('of a vote are 161 bytes and decode to the same vote', () => {
    fc.assert(
      fc.property(anyStatement, (statement) => {
        const bytes = statementBytes(statement)
        expect(bytes.length).toBe(VOTE_STATEMENT_BYTES)
        expect(decodeVoteStatement(bytes)).toEqual(statement)
      }),
    )
  })

  it('are the same bytes only for the same statement: changing any one byte changes or breaks what decodes', () => {
    const bytes = statementBytes(example('accept'))
    for (let i = 0; i < bytes.length; i++) {
      const changed = Uint8Array.from(bytes)
      changed[i] = (changed[i] ?? 0) ^ 1
      const decoded = decodeVoteStatement(changed)
      if (decoded === undefined) continue
      expect(decoded).not.toEqual(example('accept'))
      expect(statementBytes(decoded)).toEqual(changed)
    }
  })

  it('decode only at their exact length, with a known kind and numbers below 2^53', () => {
    const bytes = statementBytes(example('accept'))
    expect(decodeVoteStatement(bytes.subarray(0, 160))).toBeUndefined()
    expect(decodeVoteStatement(Uint8Array.of(...bytes, 0))).toBeUndefined()
    for (const [offset, value] of [
      [0, 0x1f],
      [16, 0],
      [16, 6],
      [16, 255],
      [81, 0x00_20],
      [121, 0xff],
    ] as const) {
      const changed = Uint8Array.from(bytes)
      changed[offset] = value
      expect(decodeVoteStatement(changed), `byte ${offset} = ${value}`).toBeUndefined()
    }
  })

  it('begin with a byte that no note, cosignature, SSHSIG, Noise payload or X.509 structure begins with', () => {
    const others = [
      'any note text',
      'cosignature/v1\n',
      'SSHSIG',
      'noise-libp2p-static-key:',
      'SigEd25519',
      '\x30',
      '\n',
    ]
    const possession = statementBytes({
      kind: 'possession',
      purpose: 'consensus',
      binding: sha256(utf8('genesis')),
      index: 0,
      key: publicKey(sha256(utf8('key'))),
    })
    for (const first of [statementBytes(example('prepare'))[0], possession[0], statementBytes(join)[0]]) {
      expect(first).toBe(0x1e)
      for (const other of others) expect(utf8(other)[0]).not.toBe(first)
      // A note forbids every control character but LF, so no note's text holds this byte at all.
      expect((first ?? 0) < 0x20 && first !== 0x0a).toBe(true)
    }
    expect(possession.length).toBe(POSSESSION_STATEMENT_BYTES)
    expect(possession.length).not.toBe(VOTE_STATEMENT_BYTES)
  })

  it('number every kind and purpose once', () => {
    expect(new Set(Object.values(VOTE_KIND_BYTES)).size).toBe(voteKinds.length)
    expect(new Set(Object.values(KEY_PURPOSE_BYTES)).size).toBe(purposes.length)
  })
})

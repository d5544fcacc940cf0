import { describe, expect, it } from 'vitest'
import {
  type AdmittedKey,
  checkpointOf,
  checkpointText,
  epoch,
  handOverDigest,
  hex,
  type MemberId,
  memberId,
  publicKey,
  type ReplicaIndex,
  replicaIndex,
  slot,
  ZERO_DIGEST,
} from '../../../crypto/index.ts'
import {
  type Charter,
  charterFaults,
  decodeCharter,
  encodeCharter,
  genesisCharter,
  membershipOf,
} from '../../../keys/charter/index.ts'
import { bytesFor } from '../../support/cluster.ts'
import { golden } from '../../support/golden.ts'
import { genesisOf, sample, signerNamed } from '../sample.ts'
import { charterMember, FIRST, GENESIS, SECOND } from './sample.ts'

describe('the charter of a genesis', () => {
  it('says of epoch 0 what the genesis says', () => {
    expect(FIRST).toMatchObject({ epoch: 0, start: 0, previous: ZERO_DIGEST, quorum: { byzantine: 1, crash: 0 } })
    expect(FIRST.members.map(({ id }) => id)).toEqual([0, 1, 2, 3])
    expect(FIRST.members.map(({ operator }) => operator)).toEqual([
      undefined,
      signerNamed('client writer-1').publicKey,
      undefined,
      undefined,
    ])
    expect(FIRST.admins).toEqual({ threshold: 2 })
    expect(FIRST.parameters).toEqual(GENESIS.parameters)
  })

  it('has the membership of the genesis, whose digest is that of its members alone', () => {
    expect(membershipOf(FIRST, GENESIS.clusterId).digest).toEqual(GENESIS.membership.digest)
    const first = genesisOf(sample())
    expect(membershipOf(genesisCharter(first), first.clusterId).digest).toEqual(first.membership.digest)
  })

  it('of the first format has one admin decide, and no operators', () => {
    const charter = genesisCharter(genesisOf(sample()))
    expect(charter.admins).toEqual({ threshold: 1 })
    expect(charter.members.map(({ operator }) => operator)).toEqual([undefined, undefined])
  })
})

describe('the membership of a later charter', () => {
  const digestOf = (charter: Charter) => hex(membershipOf(charter, GENESIS.clusterId).digest)

  it('keeps its digest and bytes for ever, and so does the hand-over to it', () => {
    const { membership } = GENESIS
    const next = membershipOf(SECOND, GENESIS.clusterId).digest
    const content = { slot: slot(256), logRoot: bytesFor('log'), stateRoot: bytesFor('state'), next }
    const text = checkpointText(checkpointOf(content, membership, 'demo'))
    const made = {
      first: { bytes: hex(encodeCharter(FIRST)), membership: digestOf(FIRST) },
      second: { bytes: hex(encodeCharter(SECOND)), membership: digestOf(SECOND) },
      handOver: { text: text.split('\n'), digest: hex(handOverDigest(text)) },
    }
    expect(made).toEqual(golden('charters', made))
  })

  it('has another digest with every byte of the charter', () => {
    const bytes = encodeCharter(SECOND)
    const seen = new Set([digestOf(SECOND)])
    let decoded = 0
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
      const charter = decodeCharter(changed, admitAnything)
      if (charter === undefined || charterFaults(charter).some(({ code }) => code !== 'bad-parameter')) continue
      decoded++
      const digest = digestOf(charter)
      expect(seen.has(digest), `byte ${at}`).toBe(false)
      seen.add(digest)
    }
    expect(decoded).toBeGreaterThan(300)
  })

  it('changes with everything that the charter says', () => {
    const [a, b, ...rest] = SECOND.members
    if (a === undefined || b === undefined) throw new Error('five members')
    const variants: Charter[] = [
      { ...SECOND, previous: bytesFor('other') },
      { ...SECOND, start: slot(384) },
      { ...SECOND, members: [b, a, ...rest] },
      { ...SECOND, members: [{ ...a, id: memberId(9) }, b, ...rest] },
      { ...SECOND, members: [{ ...a, operator: signerNamed('x').publicKey }, b, ...rest] },
      { ...SECOND, members: [{ ...a, transportKey: signerNamed('x').publicKey }, b, ...rest] },
      { ...SECOND, quorum: { byzantine: 0, crash: 1 } },
      { ...SECOND, parameters: { ...SECOND.parameters, signedVotes: false } },
      { ...SECOND, parameters: { ...SECOND.parameters, rotation: { policy: 'sticky' } } },
      { ...SECOND, parameters: { ...SECOND.parameters, window: 17 } },
      { ...SECOND, admins: { threshold: 1 } },
    ]
    const digests = [SECOND, ...variants].map(digestOf)
    expect(new Set(digests).size).toBe(digests.length)
  })

  it('is refused where terms are given for epoch 0, which has its digest already', async () => {
    const { membership } = await import('../../../crypto/index.ts')
    const { clusterId, epoch, members, quorums } = GENESIS.membership
    expect(() => membership(clusterId, epoch, members, quorums, bytesFor('terms'))).toThrow('expected none in epoch 0')
  })
})

describe('a charter by itself', () => {
  const [a, b, ...rest] = SECOND.members
  if (a === undefined || b === undefined) throw new Error('five members')
  const parameters = (changes: object): Charter => ({ ...SECOND, parameters: { ...SECOND.parameters, ...changes } })

  it('is without fault where it is a genesis or follows one', () => {
    expect(charterFaults(FIRST)).toEqual([])
    expect(charterFaults(SECOND)).toEqual([])
  })

  it.each<[string, Charter, string]>([
    ['an epoch too many', { ...SECOND, epoch: epoch(4097) }, 'too-many-epochs epoch'],
    ['a first epoch that follows one', { ...SECOND, epoch: epoch(0) }, 'bad-start start'],
    ['a later epoch from slot 0', { ...SECOND, start: slot(0) }, 'bad-start start'],
    ['a later epoch after none', { ...SECOND, previous: ZERO_DIGEST }, 'bad-start start'],
    ['too few members', { ...SECOND, members: [a, b] }, 'quorum-rule quorum'],
    ['no members', { ...SECOND, members: [] }, 'quorum-rule quorum'],
    ['one member twice', { ...SECOND, members: [a, { ...b, id: a.id }, ...rest] }, 'repeated-id members[1].id'],
    [
      'a consensus key twice',
      { ...SECOND, members: [a, { ...b, consensusKey: a.consensusKey }, ...rest] },
      'repeated-key members[1].consensusKey',
    ],
    [
      'one key for two purposes',
      { ...SECOND, members: [a, { ...b, transportKey: a.consensusKey }, ...rest] },
      'repeated-key members[1].transportKey',
    ],
    [
      "a member's key as an operator's",
      { ...SECOND, members: [{ ...a, operator: b.transportKey }, b, ...rest] },
      'repeated-key members[0].operator',
    ],
    ['no admin who decides', { ...SECOND, admins: { threshold: 0 } }, 'threshold admins.threshold'],
    ['half an admin', { ...SECOND, admins: { threshold: 1.5 } }, 'threshold admins.threshold'],
    ['a window out of bounds', parameters({ window: 0 }), 'bad-parameter parameters.window'],
    [
      'a rotation out of bounds',
      parameters({ rotation: { policy: 'every', slots: 2_097_152 } }),
      'bad-parameter parameters.rotation.slots',
    ],
    [
      'an interval below the window',
      parameters({ window: 129, rotation: { policy: 'sticky' } }),
      'bad-parameter parameters.checkpointInterval',
    ],
    ['unsigned votes beside liars', parameters({ signedVotes: false }), 'bad-parameter parameters.signedVotes'],
    [
      'the lowest alive leading beside liars',
      parameters({ rotation: { policy: 'lowest-alive' } }),
      'bad-parameter parameters.rotation.policy',
    ],
  ])('is refused with %s', (_, charter, fault) => {
    expect(charterFaults(charter).map(({ code, path }) => `${code} ${path}`)).toEqual([fault])
  })

  it('may give several members one operator', () => {
    const members = [0, 1, 2, 3].map((i) => charterMember(i, 'client writer-1'))
    expect(charterFaults({ ...SECOND, members })).toEqual([])
  })
})

/** What is asked of such a charter is only whether its keys are covered. */
function admitAnything(key: Uint8Array): AdmittedKey {
  return publicKey(key) as AdmittedKey
}

describe('the id of a member', () => {
  it('is no replica index, and neither is one of those an id', () => {
    const at = (index: ReplicaIndex): number => index
    const of = (id: MemberId): number => id
    // @ts-expect-error an id where a position belongs
    expect(at(memberId(3))).toBe(3)
    // @ts-expect-error a position where an id belongs
    expect(of(replicaIndex(3))).toBe(3)
  })

  it('is an integer of 32 bits', () => {
    expect(memberId(0xffff_ffff)).toBe(0xffff_ffff)
    for (const value of [-1, 0.5, Number.NaN, 0x1_0000_0000]) expect(() => memberId(value)).toThrow(RangeError)
  })
})

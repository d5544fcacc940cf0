// Chains of hand-overs (pitfalls P05, P61): only a quorum of an epoch says which epoch follows it, and only as a whole.

import { describe, expect, it } from 'vitest'
import { assembleCertificate, epoch, memberId, replicaIndex, signVote, slot, view } from '../../crypto/index.ts'
import { type Charter, membershipOf } from '../../keys/charter/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import {
  batchEntry,
  type ChainFault,
  EpochChain,
  type EpochContext,
  followChain,
  formatPin,
  type HandOver,
  type Message,
  type Pin,
  parsePin,
  verifyMessage,
} from '../../src/consensus/index.ts'
import { chainParts, charterAfter, handOver, signerOf } from '../support/chain.ts'

const OLD = [0, 1, 2, 3]
/** Three of them stay, in another order; one goes, two come. */
const NEW = [2, 0, 4, 1, 5]
const parts = chainParts(OLD)
const genesis = EpochChain.genesis(parts)
const QUORUM = [
  [0, 0],
  [1, 1],
  [3, 3],
] as const

const toSecond = charterAfter(genesis.last, NEW, 256)
const first = handOver(genesis.last, toSecond, QUORUM)
const two = extended(genesis, first)
/** Of five members of which one may lie four are a quorum. */
const NEW_QUORUM = [
  [0, 2],
  [1, 0],
  [2, 4],
  [4, 5],
] as const
const toThird = charterAfter(two.last, [4, 5, 6, 7], 512)
const second = handOver(two.last, toThird, NEW_QUORUM)
const three = extended(two, second)

function extended(chain: EpochChain, link: HandOver): EpochChain {
  const longer = chain.extend(link)
  if (!longer.ok) throw new Error(JSON.stringify(longer.fault))
  return longer.value
}

function faultOf(chain: EpochChain, link: HandOver): ChainFault | undefined {
  const longer = chain.extend(link)
  return longer.ok ? undefined : longer.fault
}

describe('a chain of epochs', () => {
  it('has for every epoch its members, its slots, and what its first view relies on', () => {
    expect(three.links).toEqual([first, second])
    expect(three.last).toMatchObject({
      membership: { epoch: 2 },
      start: { slot: 512, logRoot: second.checkpoint.logRoot, stateRoot: second.checkpoint.stateRoot },
      lastSlot: undefined,
    })
    const { verify, start } = three.at(slot(400))
    expect(verify).toMatchObject({ membership: two.last.membership, start, lastSlot: 512 })
    expect(start).toEqual(two.last.start)
    expect(new Set([genesis, two, three].map(({ last }) => last.start.justification.toString())).size).toBe(3)
  })

  it('says of each last slot which epoch begins after it, and of each slot whose it is', () => {
    expect(three.epochs.map(({ charter }) => charter.epoch)).toEqual([0, 1, 2])
    expect([255, 256, 257, 512, 513].map((at) => three.after(slot(at))?.charter.epoch)).toEqual([
      undefined,
      1,
      undefined,
      2,
      undefined,
    ])
    const whose = [0, 1, 256, 257, 512, 513, 10_000].map((at) => three.at(slot(at)).charter.epoch)
    expect(whose).toEqual([0, 0, 0, 1, 1, 2, 2])
  })

  it('is judged by another verifier in every epoch, also in those that come later', () => {
    const asked: number[] = []
    const verifier = { verify: () => asked.push(0) > 0 }
    const other = two.judgedBy({ verifier })
    expect(other.epochs.map(({ verify }) => verify.verifier)).toEqual([verifier, verifier])
    expect(extended(other, second).last.verify.verifier).toBe(verifier)
    expect(asked).toHaveLength(NEW_QUORUM.length)
    expect(two.last.verify.verifier).toBe(nativeVerifier)
  })

  it('is not changed by being extended', () => {
    expect(genesis.links).toEqual([])
    expect(genesis.last.lastSlot).toBeUndefined()
    expect(two.last.lastSlot).toBeUndefined()
    expect(two.at(slot(10_000))).toBe(two.last)
  })

  it.each([
    [0, 0],
    [1, 0],
    [256, 0],
    [257, 1],
    [512, 1],
    [513, 2],
    [10_000, 2],
  ])('finds of slot %i that it is of epoch %i', (at, of) => {
    expect(three.at(slot(at)).charter.epoch).toBe(of)
  })

  it('finds the epoch that a statement names, and none for what it does not know', () => {
    for (const { last } of [genesis, two, three]) {
      expect(three.of(last.membership.digest)?.charter).toEqual(last.charter)
    }
    expect(two.of(three.last.membership.digest)).toBeUndefined()
  })

  it('checks one quorum of signatures a link, however long it is', () => {
    let checks = 0
    const verify: typeof nativeVerifier.verify = (...given) => {
      checks += 1
      return nativeVerifier.verify(...given)
    }
    let chain = EpochChain.genesis(chainParts(OLD))
    for (let i = 1; i <= 100; i++) {
      chain = extended(chain, handOver(chain.last, charterAfter(chain.last, OLD, 128 * i), QUORUM))
    }
    const followed = followChain(chainParts(OLD, { ...nativeVerifier, verify }), chain.links)
    expect(followed).toMatchObject({ ok: true, value: { last: { membership: { epoch: 100 } } } })
    expect(checks).toBe(3 * 100)
  })
})

describe('a link is refused', () => {
  it('where too few, too many, the same or no members signed it', () => {
    const bad = (by: typeof QUORUM | readonly (readonly [number, number])[]) =>
      faultOf(genesis, handOver(genesis.last, toSecond, by))
    const number = { code: 'bad-checkpoint', fault: 'wrong-number-of-signatures' }
    expect(bad(QUORUM.slice(1))).toEqual(number)
    expect(bad([...QUORUM.slice(0, 2), [2, 2], [3, 3]])).toEqual(number)
    expect(bad([...QUORUM.slice(0, 2), [1, 1]])).toEqual({ code: 'bad-checkpoint', fault: 'unsorted-signers' })
    expect(bad([...QUORUM].reverse())).toEqual({ code: 'bad-checkpoint', fault: 'unsorted-signers' })
    expect(bad([...QUORUM.slice(0, 2), [3, 9]])).toEqual({ code: 'bad-checkpoint', fault: 'bad-checkpoint-signature' })
    expect(bad([...QUORUM.slice(0, 2), [4, 4]])).toEqual({ code: 'bad-checkpoint', fault: 'bad-checkpoint-signature' })
  })

  it('where those who are to be members signed it: nobody admits oneself', () => {
    const own = NEW.slice(0, 3).map((key, i) => [i, key] as const)
    expect(faultOf(genesis, handOver(genesis.last, toSecond, own))).toMatchObject({ code: 'bad-checkpoint' })
    const all = NEW_QUORUM.map(([position, key]) => [position, key] as const)
    expect(faultOf(genesis, handOver(genesis.last, toSecond, all))).toMatchObject({ code: 'bad-checkpoint' })
  })

  it.each<[string, Partial<Charter>, ChainFault['code']]>([
    ['skips an epoch', { epoch: epoch(2) }, 'wrong-epoch'],
    ['is of the epoch itself', { epoch: epoch(0) }, 'wrong-epoch'],
    ['follows another membership', { previous: nonsense('membership') }, 'wrong-previous'],
    ['has too few members for its quorums', { members: toSecond.members.slice(0, 3) }, 'bad-charter'],
    ['has parameters that none may have', { parameters: { ...toSecond.parameters, window: 0 } }, 'bad-charter'],
    ['has no admins', { admins: { threshold: 0 } }, 'bad-charter'],
  ])('where q signed a charter that %s', (_, change, code) => {
    const charter = { ...toSecond, ...change }
    const next =
      code === 'bad-charter'
        ? first.checkpoint.next
        : membershipOf({ ...charter, epoch: epoch(1) }, parts.clusterId).digest
    expect(faultOf(genesis, handOver(genesis.last, charter, QUORUM, { next }))).toMatchObject({ code })
  })

  it('where its epoch begins at the start of the one before, before it, or not at the checkpoint', () => {
    for (const start of [128, 256]) {
      const charter = charterAfter(two.last, NEW, start)
      expect(faultOf(two, handOver(two.last, charter, NEW_QUORUM))).toEqual({ code: 'wrong-start' })
    }
    const other = handOver(two.last, toThird, NEW_QUORUM, { slot: slot(640) })
    expect(faultOf(two, other)).toEqual({ code: 'wrong-start' })
  })

  it.each<[string, Partial<Charter>]>([
    ['other members', { members: charterAfter(genesis.last, [0, 1, 2, 3, 9], 256).members }],
    ['members in another order', { members: [...toSecond.members].reverse() }],
    ['members under other ids', { members: toSecond.members.map((each) => ({ ...each, id: memberId(each.id + 10) })) }],
    ['an operator', { members: toSecond.members.map((each) => ({ ...each, operator: signerOf(8).publicKey })) }],
    ['other quorums', { quorum: { byzantine: 0, crash: 2 } }],
    ['other parameters', { parameters: { ...toSecond.parameters, viewTimeoutMs: 1234 } }],
    ['another number of admins', { admins: { threshold: 2 } }],
  ])('where the charter has %s than the one whose digest q signed', (_, change) => {
    expect(faultOf(genesis, { ...first, charter: { ...toSecond, ...change } })).toEqual({ code: 'wrong-next' })
  })

  it('where anything was changed in the checkpoint after it was signed', () => {
    const forged = (change: Partial<HandOver['checkpoint']>) =>
      faultOf(genesis, { charter: toSecond, checkpoint: { ...first.checkpoint, ...change } })
    const signed = { code: 'bad-checkpoint', fault: 'bad-checkpoint-signature' }
    expect(forged({ logRoot: nonsense('log') })).toEqual(signed)
    expect(forged({ stateRoot: nonsense('state') })).toEqual(signed)
    expect(forged({ slot: slot(384) })).toEqual({ code: 'wrong-start' })
    expect(forged({ next: nonsense('next') })).toEqual({ code: 'wrong-next' })
    expect(forged({ next: undefined })).toEqual({ code: 'wrong-next' })
    expect(forged({})).toBeUndefined()
  })

  it('where an epoch would end between two checkpoints', () => {
    const charter = charterAfter(genesis.last, NEW, 257)
    expect(faultOf(genesis, handOver(genesis.last, charter, QUORUM))).toEqual({
      code: 'bad-checkpoint',
      fault: 'no-checkpoint-slot',
    })
  })

  it('where a stable checkpoint of the epoch is passed off as its end', () => {
    const { checkpoint } = handOver(genesis.last, toSecond, QUORUM, { next: undefined })
    expect(faultOf(genesis, { charter: toSecond, checkpoint: { ...checkpoint, next: first.checkpoint.next } })).toEqual(
      {
        code: 'bad-checkpoint',
        fault: 'bad-checkpoint-signature',
      },
    )
  })

  it('where it was there before, or belongs elsewhere in the chain', () => {
    expect(faultOf(two, first)).toEqual({ code: 'wrong-epoch' })
    expect(faultOf(genesis, second)).toEqual({ code: 'wrong-epoch' })
  })
})

describe('an epoch that is over', () => {
  const ended = three.of(two.last.membership.digest) ?? none()

  function decided({ membership, start }: EpochContext, at: number): Message {
    const entry = batchEntry(slot(at), membership.epoch, 1_000_000, [])
    const said = { clusterId: membership.clusterId, membership: membership.digest, view: view(0) }
    const { justification } = start
    const statement = { kind: 'accept', ...said, justification, slot: slot(at), digest: entry.digest } as const
    const votes = NEW_QUORUM.map(([position, key]) => signVote(statement, replicaIndex(position), signerOf(key)))
    const certificate = assembleCertificate(statement, votes, membership) ?? none()
    return { kind: 'entries', entries: [{ entry, certificate }] }
  }

  it('decides its slots and no other, whoever has its keys', () => {
    const faultAt = (at: number) => {
      const checked = verifyMessage(decided(ended, at), ended.verify)
      return checked.ok ? undefined : checked.fault.code
    }
    expect([256, 257, 512, 513].map(faultAt)).toEqual(['wrong-epoch-range', undefined, undefined, 'wrong-epoch-range'])
    // Before the hand-over is known nothing says where it ends.
    expect(verifyMessage(decided(ended, 513), two.last.verify).ok).toBe(true)
  })

  it('has no checkpoint and no vote beyond its last slot', () => {
    const { checkpoint } = handOver(ended, { ...toThird, start: slot(640) }, NEW_QUORUM)
    expect(verifyMessage({ kind: 'stable', checkpoint }, ended.verify)).toMatchObject({
      fault: { code: 'wrong-epoch-range' },
    })
    expect(verifyMessage({ kind: 'stable', checkpoint: second.checkpoint }, ended.verify).ok).toBe(true)
  })
})

describe('a pin', () => {
  const pin = two.pin ?? none()
  const links = [first, second]

  it('is had from a chain, and lets the same chain and its continuations through', () => {
    expect(genesis.pin).toBeUndefined()
    for (const given of [undefined, pin, three.pin])
      expect(followChain(parts, links, given)).toMatchObject({ ok: true })
    expect(followChain(parts, [first], pin)).toMatchObject({ ok: true })
  })

  it('refuses another chain, though it was signed with the very keys of the epoch before (stolen later)', () => {
    const other = handOver(genesis.last, charterAfter(genesis.last, [6, 7, 8, 9], 384), QUORUM)
    expect(followChain(parts, [other])).toMatchObject({ ok: true })
    expect(followChain(parts, [other], pin)).toEqual({ ok: false, fault: { code: 'not-through-pin' } })
    // The same members from the same slot on, after another log.
    const log = handOver(genesis.last, toSecond, QUORUM, { logRoot: nonsense('log') })
    expect(followChain(parts, [log], pin)).toEqual({ ok: false, fault: { code: 'not-through-pin' } })
  })

  it('names the text that was signed: another quorum under it is the same hand-over', () => {
    const others = [
      [0, 0],
      [2, 2],
      [3, 3],
    ] as const
    expect(followChain(parts, [handOver(genesis.last, toSecond, others)], pin)).toMatchObject({ ok: true })
  })

  it('refuses a chain that ends before it, and one of another cluster', () => {
    expect(followChain(parts, [first], three.pin)).toEqual({ ok: false, fault: { code: 'shorter-than-pin' } })
    const foreign: Pin = { ...pin, clusterId: nonsense('cluster') }
    expect(followChain(parts, links, foreign)).toEqual({ ok: false, fault: { code: 'pin-of-another-cluster' } })
  })

  it('has one text', () => {
    const text = formatPin(pin)
    expect(text).toMatch(/^quorate-pin-1 [0-9a-f]{64} 1 [0-9a-f]{64}$/)
    expect(parsePin(text)).toEqual(pin)
    for (const [from, to] of [
      ['pin-1', 'pin-2'],
      [' 1 ', ' 0 '],
      [' 1 ', ' 01 '],
      [' 1 ', ' 4097 '],
      [' 1 ', '  1 '],
      [' 1 ', ' -1 '],
    ] as const) {
      expect(parsePin(text.replace(from, to)), `${from} -> ${to}`).toBeUndefined()
    }
    for (const wrong of ['', `${text}\n`, ` ${text}`, text.slice(0, -1), `${text}0`, text.toUpperCase()]) {
      expect(parsePin(wrong), wrong).toBeUndefined()
    }
  })
})

function none(): never {
  throw new Error('nothing there')
}

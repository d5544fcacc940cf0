// What a replica makes of others that are in other epochs, without a network.

import { describe, expect, it } from 'vitest'
import {
  admitKey,
  EMPTY_FRONTIER,
  epoch,
  type PublicKey,
  type ReplicaIndex,
  replicaIndex,
  signature,
  signVote,
  slot,
  view,
} from '../../crypto/index.ts'
import { encodeCharter } from '../../keys/charter/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type ChainParts,
  conflictOf,
  EpochChain,
  type EpochContext,
  type Evidence,
  type HandOver,
} from '../../src/consensus/index.ts'
import { Counters } from '../../src/replica/counters.ts'
import { Following } from '../../src/replica/following.ts'
import { NEXT_FRAMES_BYTES, NEXT_FRAMES_PER_PEER, PACED_PEERS, STUCK_TIMEOUTS } from '../../src/replica/limits.ts'
import { NextFrames } from '../../src/replica/next-frames.ts'
import { Pace } from '../../src/replica/pace.ts'
import { beginReign, Reigns } from '../../src/replica/reign.ts'
import { CachingVerifier } from '../../src/replica/verify-cache.ts'
import { decodeMessage, type PeerMessage, type ShownLink } from '../../src/wire/index.ts'
import { chainParts, charterAfter, handOver, signerOf } from '../support/chain.ts'
import { bytesFor } from '../support/cluster.ts'

const KEYS = [0, 1, 2, 3]
const QUORUM = KEYS.slice(0, 3).map((key) => [key, key] as const)
const TIMEOUT_MS = chainParts(KEYS).charter.parameters.viewTimeoutMs
const FRAME = Uint8Array.of(1)

/** A chain of so many hand-overs, each signed by a quorum. */
function chainOf(links: number, change: Partial<ChainParts> = {}): EpochChain {
  let chain = EpochChain.genesis({ ...chainParts(KEYS), ...change })
  for (let i = 0; i < links; i++) {
    const { last } = chain
    const longer = chain.extend(handOver(last, charterAfter(last, KEYS, last.start.slot + 128), QUORUM))
    if (!longer.ok) throw new Error(longer.fault.code)
    chain = longer.value
  }
  return chain
}

const shown = ({ checkpoint, charter }: HandOver): ShownLink => ({ checkpoint, charter: encodeCharter(charter) })

/** A replica of the first four that knows so many hand-overs, and is in the last epoch of them. */
function stand(known: number) {
  const verifier = new CachingVerifier(nativeVerifier)
  const admitted: PublicKey[] = []
  const admit = (key: PublicKey) => {
    admitted.push(key)
    return admitKey(key)
  }
  const chain = chainOf(known, { verifier, admit })
  const counters = new Counters()
  const place = { epoch: chain.last, self: replicaIndex(0), signer: signerOf(0) }
  const machine = {
    ...{ slot: chain.last.start.slot, frontier: EMPTY_FRONTIER, timestampMs: 0, dueMs: undefined },
    succession: undefined,
  }
  const { reign } = beginReign(place, { records: [], machine }, { counters, liar: undefined })
  const sent: { readonly to: string; readonly message: PeerMessage }[] = []
  const delivered: { readonly from: ReplicaIndex; readonly kind: string }[] = []
  const followed: EpochChain[] = []
  const evidence: Evidence[] = []
  const following = new Following({
    ...{ epochs: { chain, newest: known }, reigns: new Reigns(reign), verifier, counters },
    retirement: { lingers: false, see: () => {} },
    send(to, frame) {
      const decoded = decodeMessage(frame)
      if (decoded.ok) sent.push({ to, message: decoded.value.message })
    },
    deliver: (_, from, message) => delivered.push({ from, kind: message.kind }),
    follow: (longer) => followed.push(longer),
    evidence: (proof) => evidence.push(proof) > 0,
  })
  const peer = (position: number) => reign.seats[position] ?? ''
  return { following, peer, sent, delivered, followed, evidence, counters, admitted }
}

describe('who speaks in an epoch that is over', () => {
  it('is shown how it ended, from there on, at most once a quarter time-out', () => {
    const { following, peer, sent } = stand(3)
    for (let i = 0; i < 5; i++) following.hearOlder(peer(1), 1, i)
    following.hearOlder(peer(2), 2, 5)
    following.hearOlder(peer(1), 1, TIMEOUT_MS / 4)
    const links = sent.map(({ to, message }) => [to, message.kind === 'chain' && message.links.length])
    expect(links).toEqual([
      [peer(1), 2],
      [peer(2), 1],
      [peer(1), 2],
    ])
  })

  it('is shown it when it asks, and nothing where there is nothing more', () => {
    const { following, peer, sent } = stand(2)
    following.take(peer(1), { kind: 'fetch-chain', from: epoch(0) }, 0)
    following.take(peer(2), { kind: 'fetch-chain', from: epoch(2) }, 0)
    following.take(peer(3), { kind: 'fetch-chain', from: epoch(4000) }, 0)
    expect(sent.map(({ to }) => to)).toEqual([peer(1)])
  })
})

describe('who speaks in an epoch that has not begun here', () => {
  it('is asked how it did, at most once a quarter time-out', () => {
    const { following, peer, sent } = stand(1)
    for (let i = 0; i < 5; i++) following.hearNewer(peer(1), 5, FRAME, i)
    following.hearNewer(peer(1), 5, FRAME, TIMEOUT_MS / 4)
    expect(sent.map(({ message }) => message)).toEqual([1, 1].map((from) => ({ kind: 'fetch-chain', from })))
  })

  it('is heard later where it is in the very next one', () => {
    const { following, peer } = stand(1)
    following.hearNewer(peer(1), 2, FRAME, 0)
    following.hearNewer(peer(1), 3, FRAME, 0)
    expect(following.next.take()).toEqual([[peer(1), FRAME]])
    expect(following.next.take()).toEqual([])
  })
})

describe('a chain that is shown', () => {
  it('goes to the core as a stable checkpoint where it is one epoch ahead', () => {
    const { following, peer, delivered, followed } = stand(0)
    following.take(peer(2), { kind: 'chain', links: chainOf(1).links.map(shown), stable: undefined }, 0)
    expect(delivered).toEqual([{ from: 2, kind: 'stable' }])
    expect(followed).toEqual([])
  })

  it('goes there also where somebody shows it who is no member of the epoch: as if we had found it ourselves', () => {
    const { following, delivered } = stand(0)
    following.take('somebody', { kind: 'chain', links: chainOf(1).links.map(shown), stable: undefined }, 0)
    expect(delivered).toEqual([{ from: 0, kind: 'stable' }])
  })

  it('is followed to its end where it is two epochs ahead or more', () => {
    const { following, peer, delivered, followed } = stand(1)
    following.take(peer(2), { kind: 'chain', links: chainOf(4).links.map(shown), stable: undefined }, 0)
    expect(delivered).toEqual([])
    expect(followed.map(({ links }) => links.length)).toEqual([4])
  })

  it('is followed also from one epoch behind, where nothing was executed for long', () => {
    const { following, peer, followed } = stand(0)
    const message = { kind: 'chain', links: chainOf(1).links.map(shown), stable: undefined } as const
    following.take(peer(2), message, 0)
    following.take(peer(2), message, STUCK_TIMEOUTS * TIMEOUT_MS)
    expect(followed).toEqual([])
    following.take(peer(2), message, STUCK_TIMEOUTS * TIMEOUT_MS + 1)
    expect(followed.map(({ links }) => links.length)).toEqual([1])
  })

  it.each<[string, (links: readonly ShownLink[]) => readonly ShownLink[]]>([
    ['has a gap', ([first, , third]) => [first, third].flatMap((each) => each ?? [])],
    ['lacks a signature', (links) => links.map((link) => without(link))],
    ['has a charter that its checkpoint does not name', ([first, second]) => mixed(first, second)],
    ['is no charter', (links) => links.map(({ checkpoint }) => ({ checkpoint, charter: FRAME }))],
  ])('is passed over where it %s, at its sender’s cost, and is not held against it', (_, change) => {
    const { following, peer, delivered, followed, counters } = stand(0)
    const cost = following.take(
      peer(2),
      { kind: 'chain', links: change(chainOf(3).links.map(shown)), stable: undefined },
      0,
    )
    expect(cost).toBeGreaterThan(1)
    expect(delivered).toEqual([])
    expect(followed).toEqual([])
    expect(counters.blamed.size).toBe(0)
    expect(counters.ignored.get('bad-chain')).toBe(1)
  })
})

it('no key in a charter is admitted, which is dear, before a quorum was seen to have signed for it', () => {
  const { following, peer, admitted } = stand(0)
  const [link] = chainOf(1).links.map(shown)
  if (link === undefined) throw new Error('no link')
  following.take(peer(2), { kind: 'chain', links: [without(link)], stable: undefined }, 0)
  expect(admitted).toEqual([])
  following.take(peer(2), { kind: 'chain', links: [link], stable: undefined }, 0)
  expect(admitted.length).toBeGreaterThan(0)
})

function without({ checkpoint, charter }: ShownLink): ShownLink {
  return { checkpoint: { ...checkpoint, signatures: checkpoint.signatures.slice(1) }, charter }
}

function mixed(first: ShownLink | undefined, second: ShownLink | undefined): readonly ShownLink[] {
  if (first === undefined || second === undefined) throw new Error('no links')
  return [{ checkpoint: first.checkpoint, charter: second.charter }]
}

describe('a proof of a lie', () => {
  /** Two votes of one replica that contradict one another, in an epoch. */
  function proofIn({ membership, start }: EpochContext): Evidence {
    const vote = (label: string) =>
      signVote(
        {
          ...({
            kind: 'prepare',
            clusterId: membership.clusterId,
            membership: membership.digest,
            view: view(0),
          } as const),
          ...{ justification: start.justification, slot: slot(start.slot + 1), digest: bytesFor(label) },
        },
        replicaIndex(3),
        signerOf(3),
      )
    const found = conflictOf(vote('a'), vote('b'))
    if (found === undefined) throw new Error('no conflict')
    return found
  }

  it('is taken in whatever epoch the lie was told, and judged by the keys of that one', () => {
    const { following, evidence } = stand(2)
    const [first] = chainOf(0).epochs
    if (first === undefined) throw new Error('no epoch')
    following.takeEvidence({ kind: 'evidence', evidence: proofIn(first) })
    expect(evidence).toHaveLength(1)
  })

  it('that proves nothing here is passed over, and costs its sender more', () => {
    const { following, evidence, counters } = stand(2)
    const [first] = chainOf(0).epochs
    if (first === undefined) throw new Error('no epoch')
    const proof = proofIn(first)
    if (proof.kind !== 'two-votes') throw new Error('another kind')
    const forged = { ...proof, second: { ...proof.second, signature: signature(new Uint8Array(64)) } }
    following.takeEvidence({ kind: 'evidence', evidence: forged })
    expect(evidence).toEqual([])
    expect(counters.ignored.get('other-epoch')).toBe(1)
  })
})

describe('what is remembered of peers', () => {
  it('is bounded: frames of the next epoch by number and bytes of each, and by peers', () => {
    const frames = new NextFrames()
    for (let i = 0; i < NEXT_FRAMES_PER_PEER + 5; i++) frames.keep('many', FRAME)
    const half = new Uint8Array(NEXT_FRAMES_BYTES / 2)
    for (let i = 0; i < 3; i++) frames.keep('large', half)
    for (let i = 0; i < PACED_PEERS; i++) frames.keep(`peer ${i}`, FRAME)
    const kept = frames.take()
    expect(kept.filter(([peer]) => peer === 'many')).toHaveLength(NEXT_FRAMES_PER_PEER)
    expect(kept.filter(([peer]) => peer === 'large')).toHaveLength(2)
    expect(new Set(kept.map(([peer]) => peer)).size).toBe(PACED_PEERS)
  })

  it('is bounded: when something was done for a peer, the longest ago first', () => {
    const pace = new Pace()
    expect(pace.allows('first', 0, 10)).toBe(true)
    expect(pace.allows('first', 9, 10)).toBe(false)
    expect(pace.allows('first', 10, 10)).toBe(true)
    for (let i = 0; i < PACED_PEERS; i++) pace.allows(`peer ${i}`, 11, 10)
    expect(pace.allows('first', 11, 10)).toBe(true)
  })
})

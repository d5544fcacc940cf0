// Peers and clients at the entrance of one replica, without a network: frames go in, and what the core is handed comes out.

import { describe, expect, it } from 'vitest'
import {
  epoch,
  replicaIndex,
  type Signature,
  signature,
  signVote,
  slot,
  type Verified,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { ClientLink } from '../../net/index.ts'
import { batchEntry, type Message, type SignedRequest } from '../../src/consensus/index.ts'
import { kv } from '../../src/machine/index.ts'
import { admission } from '../../src/replica/core.ts'
import { Counters } from '../../src/replica/counters.ts'
import { Door } from '../../src/replica/door.ts'
import { Epochs } from '../../src/replica/epochs.ts'
import { Inbound } from '../../src/replica/inbound.ts'
import {
  BAD_FRAME_FACTOR,
  FETCH_MS_BURST,
  FETCH_MS_PER_SECOND,
  PEER_CHECKS_BURST,
  PEER_QUEUE_BYTES,
} from '../../src/replica/limits.ts'
import { MachineHost } from '../../src/replica/machine-host.ts'
import { beginReign, Reigns } from '../../src/replica/reign.ts'
import { CachingVerifier } from '../../src/replica/verify-cache.ts'
import { Watches } from '../../src/replica/watches.ts'
import { decodeReplicaFrame, encodeClientFrame, encodeMessage, type ReplicaFrame } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { bytesFor } from '../support/cluster.ts'
import { request } from '../support/mini-cluster.ts'
import { MemoryCluster, TestClient } from './memory-cluster.ts'
import { certificateOf } from './watch-support.ts'

const cluster = new MemoryCluster()
const { genesis } = cluster
const { membership } = genesis
const self = replicaIndex(1)
/** Who stands at this position. */
const peer = (position: number) => genesis.members[position]?.peerId ?? ''
const forever = () => false

function entrance() {
  const host = new MachineHost({ machine: kv, genesis })
  const verifier = new CachingVerifier(nativeVerifier)
  const counters = new Counters()
  const admit = admission(genesis.clients.map(({ key }) => key))
  const { publicKey: transportKey } = signerNamed(`transport ${self}`)
  const seat = new Epochs({ genesis, stateRoot: host.stateRoot(), verifier, admit, transportKey }).lastSeat()
  if (seat === undefined) throw new Error('no seat')
  const place = { ...seat, signer: signerNamed(`consensus ${self}`) }
  const { reign } = beginReign(place, { records: [], machine: host.position }, { counters, liar: undefined })
  const { core } = reign
  const said: unknown[][] = []
  const heard: { from: number; message: Message }[] = []
  /** The clock, and how much of it goes by with each message that the core is handed. */
  const time = { nowMs: 0, answerMs: 0 }
  const asked: (readonly Verified<SignedRequest>[])[] = []
  const door = new Door({
    ...{ host, verifier, counters },
    core: () => core,
    watches: new Watches({ log: host.changes, knows: (client) => host.knows(client), within: () => forever }),
    deliver: (requests) => {
      asked.push(requests)
      core.step({ kind: 'requests', requests })
    },
    ask: () => 1,
  })
  const inbound = new Inbound({
    ...{ reigns: new Reigns(reign), verifier, counters, clock: () => time.nowMs },
    following: {
      hearOlder: (from, at) => said.push(['older', from, at]),
      hearNewer: (from, at) => said.push(['newer', from, at]),
      take: (from, message) => said.push([message.kind, from]),
      takeEvidence: () => said.push(['evidence']),
    },
    startCheck: { take: (from, of, message) => said.push([message.kind, from, of]) },
    admissible: (message) => door.admissible(message),
    deliver: (_, from, message) => {
      heard.push({ from, message })
      time.nowMs += time.answerMs
    },
  })
  return { host, core, verifier, counters, door, inbound, heard, asked, said, time }
}

/** A vote of replica `by` for a slot; with `forged`, signed by nobody. */
function voteFrame(by: number, at: number, forged?: Signature): Uint8Array {
  const statement = {
    ...({ kind: 'prepare', clusterId: membership.clusterId, membership: membership.digest, view: view(0) } as const),
    ...{ justification: ZERO_DIGEST, slot: slot(at), digest: bytesFor(`${at}`) },
  }
  const vote = signVote(statement, replicaIndex(by), signerNamed(`consensus ${by}`))
  return encodeMessage({ kind: 'vote', vote: forged === undefined ? vote : { ...vote, signature: forged } }, epoch(0))
}

function linkOf(key: ClientLink['key']): { link: ClientLink; frames: ReplicaFrame[] } {
  const frames: ReplicaFrame[] = []
  const send = (bytes: Uint8Array) => {
    const frame = decodeReplicaFrame(bytes)
    if (frame.ok) frames.push(frame.value)
    return frame.ok
  }
  return { link: { key, id: 1, send, close: () => {} }, frames }
}

describe('peers', () => {
  it('in another epoch are not listened to, and not blamed: they are late, or we are', () => {
    const { inbound, heard, counters, verifier } = entrance()
    const heartbeat: Message = {
      ...({ kind: 'heartbeat', view: view(0), active: true, heard: [] } as const),
      ...{ chosen: slot(9), executed: slot(9), stable: slot(8) },
    }
    for (const of of [1, 2, 4096]) inbound.push(peer(2), encodeMessage(heartbeat, epoch(of)))
    inbound.drain(0, () => false)
    expect(heard).toEqual([])
    expect(verifier.checks).toBe(0)
    expect(counters.ignored.get('other-epoch')).toBe(3)
    expect(counters.blamed.size).toBe(0)
    inbound.push(peer(2), encodeMessage(heartbeat, epoch(0)))
    inbound.drain(0, () => false)
    expect(heard).toHaveLength(1)
  })

  it('are heard in turn: a flood of bad signatures keeps nobody from being heard at once', () => {
    const { inbound, heard, counters } = entrance()
    for (let i = 0; i < 500; i++) inbound.push(peer(3), voteFrame(3, 1, signature(new Uint8Array(64).fill(i))))
    inbound.push(peer(2), voteFrame(2, 1))
    let looks = 0
    inbound.drain(0, () => ++looks >= 2)
    expect(heard.map(({ from }) => from)).toEqual([2])
    expect(counters.blamedOf(replicaIndex(3))).toBe(1)
  })

  it('pay for bad signatures until they have no more to pay with, and wait while others do not', () => {
    const { inbound, heard, verifier, counters } = entrance()
    const bad = voteFrame(3, 1, signature(new Uint8Array(64).fill(9)))
    for (let i = 0; i < 2 * PEER_CHECKS_BURST; i++) inbound.push(peer(3), bad)
    expect(inbound.drain(0, forever)).toBe('throttled')
    expect(verifier.checks).toBeLessThanOrEqual(PEER_CHECKS_BURST / BAD_FRAME_FACTOR)
    expect(counters.blamed.get('3 bad-signature')).toBe(verifier.checks)
    inbound.push(peer(2), voteFrame(2, 1))
    inbound.drain(0, forever)
    expect(heard.map(({ from }) => from)).toEqual([2])
    const before = verifier.checks
    inbound.drain(1000, forever)
    expect(verifier.checks - before).toBeLessThanOrEqual(PEER_CHECKS_BURST / BAD_FRAME_FACTOR)
    expect(verifier.checks).toBeGreaterThan(before)
  })

  it('cost bounded memory however much they send', () => {
    const { inbound } = entrance()
    const frame = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 100; i++) inbound.push(peer(3), frame)
    expect(inbound.dropped).toBeGreaterThanOrEqual(100 - PEER_QUEUE_BYTES / frame.length)
  })

  it('that send what does not decode are counted, and nothing else happens', () => {
    const { inbound, heard, counters } = entrance()
    for (const bytes of [[], [0], [1], [1, 255, 255, 255], [2, 3, 4]]) inbound.push(peer(0), Uint8Array.from(bytes))
    expect(inbound.drain(0, forever)).toBe('empty')
    expect(heard).toEqual([])
    expect(counters.blamed.get('0 malformed-frame')).toBe(5)
  })

  it('that send more requests than the cluster puts into a batch are stopped before anything of it is hashed', () => {
    const { inbound, heard, counters, verifier } = entrance()
    const { clusterId } = membership
    const count = genesis.parameters.maxBatchRequests + 1
    const requests = Array.from({ length: count }, (_, i) => request(clusterId, 'x', i + 1))
    inbound.push(peer(3), encodeMessage({ kind: 'requests', requests }, epoch(0)))
    inbound.drain(0, forever)
    expect(heard).toEqual([])
    expect(verifier.checks).toBe(0)
    expect([...counters.blamed]).toEqual([['3 malformed-frame', 1]])
  })

  it('are served what they fetch for a part of the time, however much they ask for, and heard all the same', () => {
    const { inbound, heard, counters, time } = entrance()
    const served = (from: number) => heard.filter((each) => each.from === from && each.message.kind.startsWith('fetch'))
    const ask = (from: number, times: number) => {
      const entries: Message = { kind: 'fetch-entries', from: slot(1), to: slot(64) }
      const bodies: Message = { kind: 'fetch-bodies', digests: [{ slot: slot(1), digest: bytesFor('a') }] }
      for (let i = 0; i < times; i++) inbound.push(peer(from), encodeMessage(i % 2 === 0 ? entries : bodies, epoch(0)))
      inbound.drain(time.nowMs, forever)
    }
    time.answerMs = 50
    ask(3, 100)
    // Each answer gives back a part of the time that it takes.
    const burst = served(3).length
    expect(burst).toBeGreaterThanOrEqual(FETCH_MS_BURST / 50)
    expect(burst).toBeLessThan(1.5 * (FETCH_MS_BURST / 50))
    expect(counters.ignored.get('fetch-too-often')).toBe(100 - burst)
    // Votes of the same peer are not held up, and others have what they need.
    inbound.push(peer(3), voteFrame(3, 1))
    inbound.drain(time.nowMs, forever)
    expect(heard.at(-1)).toMatchObject({ from: 3, message: { kind: 'vote' } })
    ask(2, 1)
    expect(served(2)).toHaveLength(1)
    time.nowMs += 1000
    ask(3, 100)
    const second = served(3).length - burst
    expect(second).toBeGreaterThanOrEqual(FETCH_MS_PER_SECOND / 50)
    expect(second).toBeLessThan(2 * (FETCH_MS_PER_SECOND / 50))
  })

  it('that ask for little now and then are served each time', () => {
    const { inbound, heard, time } = entrance()
    time.answerMs = 10
    for (let i = 0; i < 100; i++) {
      const frame = encodeMessage({ kind: 'fetch-entries', from: slot(1), to: slot(64) }, epoch(0))
      inbound.push(peer(3), frame)
      inbound.drain(time.nowMs, forever)
      time.nowMs += 125
    }
    expect(heard).toHaveLength(100)
  })

  it('have the same vote checked once, however often it comes', () => {
    const { inbound, verifier } = entrance()
    for (const by of [0, 2, 3]) for (let i = 0; i < 3; i++) inbound.push(peer(by), voteFrame(2, 1))
    inbound.drain(0, forever)
    expect(verifier.checks).toBe(1)
  })
})

describe('clients', () => {
  const signer = signerNamed('client writer-1')
  const client = new TestClient(genesis, cluster.network.client(signer.publicKey), signer)
  const requests = client.bundle(Array.from({ length: 64 }, (_, i) => client.put(`k${i}`, 'v')))
  const frame = (some: readonly SignedRequest[]) => encodeClientFrame({ kind: 'requests', requests: some })

  it('have a bundle checked once, whoever brings its requests in how many frames, and all go to the core together', () => {
    const { door, asked, verifier, inbound } = entrance()
    const { link } = linkOf(signer.publicKey)
    for (let i = 0; i < 64; i += 8) door.push(link, frame(requests.slice(i, i + 8)))
    expect(door.drain(0, forever)).toBe('empty')
    expect(asked.map(({ length }) => length)).toEqual([64])
    expect(verifier.checks).toBe(1)
    inbound.push(peer(2), encodeMessage({ kind: 'requests', requests }, epoch(0)))
    inbound.drain(0, forever)
    expect(verifier.checks).toBe(1)
  })

  it('are told that it is busy once one of them asks for more than its session tells apart, within one turn too', () => {
    const { door, core } = entrance()
    const { link, frames } = linkOf(signer.publicKey)
    const many = client.bundle(Array.from({ length: 1100 }, () => client.put('k', 'v')))
    for (let i = 0; i < 1100; i += 100) door.push(link, frame(many.slice(i, i + 100)))
    door.drain(0, forever)
    expect(core.pending).toBe(1024)
    expect(frames.map((each) => each.kind === 'refusal' && each.code)).toEqual(Array.from({ length: 76 }, () => 'busy'))
  })

  it('get no second look at what waits already', () => {
    const { door, asked, verifier } = entrance()
    const { link, frames } = linkOf(signer.publicKey)
    door.push(link, frame(requests))
    door.drain(0, forever)
    door.push(link, frame(requests))
    door.drain(0, forever)
    expect(asked).toHaveLength(1)
    expect(verifier.checks).toBe(1)
    expect(frames).toEqual([])
  })

  it('that nobody lists are refused, and their requests in a peer’s message are passed over', () => {
    const { door, inbound, counters, heard } = entrance()
    const stranger = signerNamed('a stranger')
    const unlisted = new TestClient(genesis, cluster.network.client(stranger.publicKey), stranger)
    const asks = unlisted.bundle([unlisted.put('a', 'b')])
    const { link, frames } = linkOf(stranger.publicKey)
    door.push(link, frame(asks))
    door.drain(0, forever)
    expect(frames).toMatchObject([{ kind: 'refusal', code: 'unknown-client' }])
    inbound.push(peer(2), encodeMessage({ kind: 'requests', requests: asks }, epoch(0)))
    inbound.drain(0, forever)
    expect(heard).toEqual([])
    expect(counters.ignored.get('nothing-new')).toBe(1)
  })

  it('are told in one frame what all of their requests of a slot came to', () => {
    const { door, host } = entrance()
    const { link, frames } = linkOf(signer.publicKey)
    door.up(link)
    const entry = batchEntry(slot(1), membership.epoch, 1000, requests)
    const { resultsRoot } = host.execute(entry, 1000, certificateOf(entry))
    const said = { clusterId: membership.clusterId, membership: membership.digest, view: view(0), slot: slot(1) }
    const statement = { kind: 'receipt', ...said, justification: ZERO_DIGEST, digest: resultsRoot } as const
    door.receipt(slot(1), signVote(statement, self, signerNamed('consensus 1')))
    expect(frames).toEqual([])
    door.flush()
    expect(frames).toHaveLength(1)
    const [answer] = frames
    expect(answer?.kind === 'replies' && answer.replies.map(({ items }) => items.length)).toEqual([64])
    door.down(link)
    expect(door.clients).toBe(0)
  })
})

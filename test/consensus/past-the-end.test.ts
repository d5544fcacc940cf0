// What is answered, heard and proved where an epoch ends: M4, M10, M11, and what a core takes along (succeed.ts).

import { describe, expect, it } from 'vitest'
import {
  assembleCertificate,
  type Digest,
  replicaIndex,
  type Slot,
  signVote,
  slot,
  type Vote,
  view,
} from '../../crypto/index.ts'
import {
  batchEntry,
  type CheckpointVote,
  type CoreState,
  checkpointBytes,
  evidenceFault,
  init,
  leaseIndex,
  type Message,
  readIndex,
  step,
  succeed,
} from '../../src/consensus/index.ts'
import { signerOf } from '../support/chain.ts'
import { bytesFor } from '../support/cluster.ts'
import { EpochCluster } from '../support/epoch-cluster.ts'
import { epochFault } from '../support/epoch-faults.ts'
import type { EpochPlan } from '../support/epoch-machine.ts'
import { changed, FOUR, LAST, THREE } from '../support/epoch-power.ts'

/** Where all have executed the last slot, and nobody has anybody else's note of it. */
function ended(plan: EpochPlan): EpochCluster {
  const cluster = changed(plan)
  cluster.filter = ({ message }) => !(message.kind === 'checkpoint' && message.vote.slot === LAST)
  cluster.run(100)
  return cluster
}

describe('reads', () => {
  it('are answered in an epoch until its last slot was executed, and not after, though the hand-over is still to come', () => {
    const cluster = changed(FOUR)
    const seen = new Map<number, boolean>()
    cluster.filter = ({ to, message }) => {
      const state = cluster.core(to.key)
      if (to.chain.links.length === 0) seen.set(state.executed, readIndex(state) !== undefined)
      return !(message.kind === 'checkpoint' && message.vote.slot === LAST)
    }
    cluster.run(100)
    for (const [executed, answered] of seen) expect([executed, answered]).toEqual([executed, executed < LAST])
    expect(cluster.status(1)).toMatchObject({ phase: 'active', lastSlot: LAST, ended: true })
    cluster.filter = () => true
    cluster.run(500)
    expect(cluster.status(1)).toMatchObject({ lastSlot: undefined, ended: false })
    expect(readIndex(cluster.core(1))).toBe(LAST)
    expect(readIndex(cluster.process(1).cores.get(0) ?? none())).toBeUndefined()
  })

  it('are answered by a leader alone until it has proposed the last slot (b = 0)', () => {
    const cluster = new EpochCluster(THREE, THREE)
    cluster.run(300)
    const lease = (state: CoreState) => leaseIndex(state, state.nowMs, state.wallMs)
    expect(lease(cluster.core(0))).toBe(0)
    // What it proposes is decided by nobody.
    cluster.filter = ({ message }) => !(message.kind === 'propose' && message.entry.header.slot > 2)
    cluster.submit('change')
    cluster.run(50)
    expect(cluster.core(0)).toMatchObject({ executed: 2, nextSlot: 7 })
    expect(lease(cluster.core(0))).toBe(6)
    cluster.filter = ({ message }) => !(message.kind === 'propose' && message.entry.header.slot > 5)
    expect(cluster.runUntil(() => cluster.core(0).nextSlot > LAST, 500)).toBe(true)
    expect(cluster.core(0).executed).toBeLessThan(LAST)
    expect(lease(cluster.core(0))).toBeUndefined()
  })
})

describe('while notes of the last slot are missing', () => {
  it('nobody gives a leader up for what has to wait for the next epoch', () => {
    const cluster = ended(FOUR)
    cluster.submit('b')
    cluster.run(5000)
    expect(cluster.processes.flatMap(({ views }) => views)).toEqual([])
    cluster.filter = () => true
    cluster.run(500)
    expect(cluster.processes.map(({ chain }) => chain.links.length)).toEqual([1, 1, 1, 1])
    expect(epochFault(cluster)).toBeUndefined()
  })
})

describe('who ends an epoch and speaks about a later slot in it', () => {
  /** Signs as member 3 of the first epoch, whatever a test wants. */
  const pen = (cluster: EpochCluster) => {
    const { membership } = cluster.process(1).cores.get(0)?.config ?? none()
    const self = replicaIndex(3)
    const vote = (at: number, kind: 'prepare' | 'accept' = 'accept'): Vote => {
      const { clusterId, digest } = membership
      const basis = { clusterId, membership: digest, view: view(0), justification: bytesFor('none') }
      const { justification } = cluster.process(1).cores.get(0)?.config.start ?? none()
      return signVote({ kind, ...basis, justification, slot: slot(at), digest: bytesFor('value') }, self, signerOf(3))
    }
    const note = (at: number, next?: Digest): CheckpointVote => {
      const content = { slot: slot(at), logRoot: bytesFor('log'), stateRoot: bytesFor('state'), next }
      return { ...content, replica: self, signature: signerOf(3).sign(checkpointBytes(content, membership, 'test')) }
    }
    return { vote, note }
  }
  const says = (cluster: EpochCluster, ...messages: readonly Message[]) => {
    for (const message of messages)
      cluster.deliver({ from: cluster.process(3), to: cluster.process(1), epoch: 0, message })
    return cluster.process(1).evidence
  }
  const next = bytesFor('next membership')
  const asVote = (vote: Vote): Message => ({ kind: 'vote', vote })
  const asNote = (vote: CheckpointVote): Message => ({ kind: 'checkpoint', vote })

  it('is convicted in either order, by a vote and by a note', () => {
    for (const late of [
      (p: ReturnType<typeof pen>) => asVote(p.vote(6)),
      (p: ReturnType<typeof pen>) => asNote(p.note(8)),
    ]) {
      for (const swap of [false, true]) {
        const cluster = new EpochCluster(FOUR, FOUR)
        cluster.run(50)
        const made = [asNote(pen(cluster).note(4, next)), late(pen(cluster))]
        expect(says(cluster, ...(swap ? made.reverse() : made))).toEqual(['past-the-end 3'])
      }
    }
  })

  it('is convicted of two ends at different slots', () => {
    const cluster = new EpochCluster(FOUR, FOUR)
    cluster.run(50)
    expect(says(cluster, asNote(pen(cluster).note(8, next)), asNote(pen(cluster).note(4, next)))).toEqual([
      'two-checkpoints 3',
    ])
  })

  it('is convicted though its vote is beyond all windows, or of a view to come, or the epoch is over here', () => {
    const far = new EpochCluster(FOUR, FOUR)
    far.run(50)
    expect(says(far, asNote(pen(far).note(4, next)), asVote(pen(far).vote(1_000_000)))).toEqual(['past-the-end 3'])
    const over = changed(FOUR)
    over.run(400)
    expect(over.process(1).cores.get(0)?.phase).toBe('over')
    expect(says(over, asVote(pen(over).vote(LAST + 1)))).toEqual(['past-the-end 3'])
    const [persisted] = over
      .process(1)
      .records.flatMap((record) => (record.kind === 'evidence' ? [record.evidence] : []))
    expect(evidenceFault(persisted ?? none(), over.process(1).chain.at(slot(LAST)).verify)).toBeUndefined()
  })

  it('is not convicted by what it said about slots up to the end', () => {
    const cluster = new EpochCluster(FOUR, FOUR)
    cluster.run(50)
    const { note, vote } = pen(cluster)
    expect(says(cluster, asVote(vote(4)), asNote(note(4)), asNote(note(8, next)), asVote(vote(8)))).toEqual([])
  })
})

describe('a core of an epoch that has ended', () => {
  it('executes nothing after its last slot, though a quorum signed that it was decided: more than b lied', () => {
    const cluster = ended(FOUR)
    const { config } = cluster.core(1)
    const { clusterId, digest: members, epoch } = config.membership
    const entry = batchEntry(slot(LAST + 1), epoch, 1_000_000, [])
    const basis = { clusterId, membership: members, view: view(0), justification: config.start.justification }
    const statement = { kind: 'accept', ...basis, slot: slot(LAST + 1), digest: entry.digest } as const
    const votes = [0, 2, 3].map((key) => signVote(statement, replicaIndex(key), signerOf(key)))
    const certificate = assembleCertificate(statement, votes, config.membership) ?? none()
    const message: Message = { kind: 'entries', entries: [{ entry, certificate }] }
    cluster.deliver({ from: cluster.process(3), to: cluster.process(1), epoch: 0, message })
    expect(cluster.core(1)).toMatchObject({ chosen: LAST, executing: LAST })
    expect(cluster.faults).toEqual([])
  })

  it('is over from its start where the hand-over is on disk, says so, and signs nothing', () => {
    const cluster = changed(FOUR)
    cluster.run(400)
    const process = cluster.process(1)
    const { config } = process.cores.get(0) ?? none()
    const { frontier, timestampMs } = process.machine
    const position = { slot: slot(LAST), frontier, timestampMs, dueMs: undefined, succession: undefined }
    const { state, effects } = init(config, process.records, position)
    const [handOver] = process.handOvers
    expect(effects).toEqual([{ kind: 'hand-over', handOver }])
    const said = [1000, 2000, 60_000].flatMap((nowMs) => step(state, { kind: 'tick', nowMs, wallMs: nowMs }))
    expect(new Set(said.map((effect) => (effect.kind === 'send' ? effect.message.kind : effect.kind)))).toEqual(
      new Set(['heartbeat']),
    )
    expect(readIndex(state)).toBeUndefined()
  })
})

describe('the core of the next epoch', () => {
  it('takes along requests, clocks and whom it hears, and nothing that was said, promised or heard', () => {
    const cluster = ended(FOUR)
    cluster.submit('b', 'x'.repeat(600))
    const old = cluster.core(1)
    expect(old.pending.size).toBe(2)
    const { charter } = old.succession ?? none()
    const config = {
      ...old.config,
      membership: { ...old.config.membership, epoch: charter.epoch },
      parameters: { ...old.config.parameters, maxRequestBytes: 512 },
      start: { ...old.config.start, slot: slot(LAST) as Slot },
    }
    const { frontier, timestampMs } = old
    const { records } = cluster.process(1)
    const position = { slot: slot(LAST), frontier, timestampMs, dueMs: undefined, succession: undefined }
    const { state, effects } = succeed(old, { ...config, membership: renamed(config) }, records, position)
    expect(effects).toEqual([])
    expect([...state.pending.values()].map(({ request }) => request.request.command.length)).toEqual([1])
    expect([state.nowMs, state.wallMs]).toEqual([old.nowMs, old.wallMs])
    expect(state.peers.map(({ heardAt }) => heardAt)).toEqual(old.peers.map(({ heardAt }) => heardAt))
    expect(state.peers.every(({ heartbeat, checkpoints }) => heartbeat === undefined && checkpoints.size === 0)).toBe(
      true,
    )
    expect([state.lastRecord, state.durable, state.lease.freeFrom]).toEqual([
      old.lastRecord,
      old.durable,
      old.lease.freeFrom,
    ])
    expect(state).toMatchObject({ view: 0, phase: 'active', executed: LAST, chosen: LAST, succession: undefined })
    expect([state.slots.size, state.tail.size, state.ownCheckpoints.size, state.viewChanges.size]).toEqual([0, 0, 0, 0])
    expect(state.stable.signatures).toEqual([])
  })
})

/** The membership under another digest, as that of another epoch is. */
function renamed({ membership }: CoreState['config']): CoreState['config']['membership'] {
  return { ...membership, digest: bytesFor('another membership') }
}

function none(): never {
  throw new Error('nothing there')
}

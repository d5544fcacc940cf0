// What peers can cost: memory stays within what the parameters allow, and laggards come back (pitfalls P51, P53, P55, P56, P58, P59;
// scenarios S22, S25).

import { describe, expect, it } from 'vitest'
import { epoch, markVerified, replicaIndex, slot, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import {
  AHEAD_PER_PEER,
  checkpointsPerPeer,
  EVIDENCE_PER_REPLICA,
  logWindow,
  type Message,
  noopEntry,
  PENDING_PER_CLIENT,
  step,
} from '../../src/consensus/index.ts'
import { honestOf, liarOf, load, memoryOf, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { testCluster } from '../support/cluster.ts'
import { EPOCHS } from '../support/epochs.ts'
import { commands, miniCluster, PARAMETERS, request } from '../support/mini-cluster.ts'

const L = logWindow(PARAMETERS)

describe('one message', () => {
  const sizeOf = (entries: readonly { requests: readonly { request: { command: Uint8Array } }[] }[]) =>
    entries.flatMap(({ requests }) => requests).reduce((sum, { request }) => sum + request.command.length, 0)

  it('passes on no more requests than a batch holds bytes of, and the others in later ones', () => {
    const cluster = miniCluster({ parameters: { maxBatchRequests: 64 } })
    const passed: number[] = []
    cluster.filter = (from, _to, message) => {
      if (from === 1 && message.kind === 'requests') passed.push(sizeOf([message]))
      return true
    }
    cluster.run(50)
    const texts = Array.from({ length: 20 }, (_, i) => `${i} ${'x'.repeat(990)}`)
    cluster.submit([1], ...texts)
    runUntilDone(cluster, texts)
    expect(missing(cluster, texts)).toEqual([])
    expect(passed.length).toBeGreaterThanOrEqual(5)
    expect(Math.max(...passed)).toBeLessThanOrEqual(PARAMETERS.maxBatchBytes)
  })

  it('answers a fetch with no more requests, small as they are, than fit beside what each needs of its own', () => {
    // A batch of so many takes nearly all that one answer may hold, though its commands are two bytes each.
    const count = 40_000
    const cluster = miniCluster({ parameters: { maxBatchRequests: 65_536, maxBatchBytes: 1024 * 1024 } })
    const state = cluster.replicas[1]?.state ?? none()
    const one = request(cluster.context.membership.clusterId, 'xy', 1)
    const requests = Array.from({ length: count }, () => one)
    const entry = { ...noopEntry(slot(1), epoch(0)), requests }
    const certificate = markVerified({ statement: testCluster().statement({ kind: 'accept' }), signatures: [] })
    for (const at of [1, 2, 3]) state.tail.set(at, { entry, certificate })
    const effects = step(state, {
      kind: 'message',
      from: replicaIndex(2),
      message: markVerified({ kind: 'fetch-entries', from: slot(1), to: slot(3) }),
    })
    const answers = effects.flatMap((each) =>
      each.kind === 'send' && each.message.kind === 'entries' ? [each.message.entries.length] : [],
    )
    expect(answers).toEqual([1])
  })
})

describe('memory', () => {
  it.each(['flood:40', 'future:100'])('stays within its bounds under %s, and the others go on (P51, S22)', (name) => {
    const cluster = miniCluster({ liars: { 3: name } })
    cluster.run(50)
    const texts = load(cluster, 10, 25)
    cluster.run(1000)
    runUntilDone(cluster, texts)
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, texts)).toEqual([])
    for (const { state } of honestOf(cluster)) {
      const sizes = memoryOf(state)
      expect(sizes.slots).toBeLessThanOrEqual(L)
      expect(sizes.tail).toBeLessThanOrEqual(PARAMETERS.checkpointInterval)
      expect(sizes.pending).toBeLessThanOrEqual(PENDING_PER_CLIENT)
      expect(sizes.viewChanges).toBeLessThanOrEqual(4)
      expect(sizes.ahead).toBeLessThanOrEqual(AHEAD_PER_PEER)
      expect(sizes.checkpoints).toBeLessThanOrEqual(checkpointsPerPeer(PARAMETERS))
      expect(sizes.prepares).toBeLessThanOrEqual(4)
      expect(sizes.accepts).toBeLessThanOrEqual(4)
      expect(sizes.bodies).toBeLessThanOrEqual(8)
      expect(sizes.evidence).toBeLessThanOrEqual(EVIDENCE_PER_REPLICA)
      expect(sizes.outbox).toBe(0)
      expect(sizes.replay).toBe(0)
    }
  })

  it('is not taken by far views, slots and digests, one by one (P51)', () => {
    const cluster = miniCluster()
    const pen = liarOf(cluster, 3)
    cluster.run(50)
    const before = memoryOf(cluster.replicas[1]?.state ?? none())
    for (let i = 1; i <= 1500; i++) {
      const far = 2 ** 40 + i
      const digest = nonsense(`${i}`)
      const lies: Message[] = [
        { kind: 'vote', vote: pen.vote('accept', { slot: slot(L + i), digest }) },
        { kind: 'vote', vote: pen.vote('prepare', { view: view(far), slot: slot(1), digest }) },
        { kind: 'checkpoint', vote: pen.checkpoint({ slot: slot(8 * far), logRoot: digest, stateRoot: digest }) },
      ]
      for (const message of lies) cluster.inject(3, 1, message)
    }
    const after = memoryOf(cluster.replicas[1]?.state ?? none())
    expect(after).toEqual({ ...before, ahead: AHEAD_PER_PEER, checkpoints: checkpointsPerPeer(PARAMETERS) })
  })

  it('of a slot holds one vote a replica and phase, whatever a liar signs, and eight proofs against it', () => {
    const cluster = miniCluster()
    const pen = liarOf(cluster, 3)
    cluster.run(50)
    for (let i = 0; i < 200; i++) {
      const said = { slot: slot(1), digest: nonsense(`${i}`) }
      cluster.inject(3, 1, { kind: 'vote', vote: pen.vote('prepare', said) })
      cluster.inject(3, 1, { kind: 'vote', vote: pen.vote('accept', said) })
    }
    expect(memoryOf(cluster.replicas[1]?.state ?? none())).toMatchObject({
      slots: 1,
      prepares: 1,
      accepts: 1,
      evidence: EVIDENCE_PER_REPLICA,
    })
  })
})

describe.each(EPOCHS)('a replica that fell behind $name', (epoch) => {
  it('is not left behind for ever by a leader that shuts it out: it can be needed at any moment (P55)', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'selective-silent:3' } })
    cluster.run(50)
    const texts = load(cluster, 60, 25)
    runUntilDone(cluster, texts)
    expect(missing(cluster, texts)).toEqual([])
    cluster.crash(0)
    cluster.submit([1, 2, 3], 'needs all three')
    cluster.run(5000)
    for (const i of [1, 2, 3]) expect(commands(cluster.replicas[i] ?? none())).toEqual([...texts, 'needs all three'])
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it.each(['sync-liar', 'bad-snapshot', 'forge-certificate'])('comes back although one peer is a %s (P58)', (liar) => {
    for (const length of [6, 40]) {
      const cluster = miniCluster({ epoch, liars: { 1: liar } })
      cluster.run(50)
      cluster.filter = (from, to) => from !== 3 && to !== 3
      const texts = load(cluster, length, 25)
      cluster.filter = () => true
      const took = runUntilDone(cluster, texts, 10_000)
      expect(missing(cluster, texts)).toEqual([])
      expect(took).toBeLessThan(3000)
      expect(safetyFault(cluster)).toBeUndefined()
    }
  })

  it('comes back with no new request, also when it missed the notes of the last checkpoint', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    // Replica 3 sees everything but notes; the slots end in the middle of an interval.
    cluster.filter = (_, to, message) => !(to === 3 && message.kind === 'checkpoint')
    const texts = load(cluster, 16, 25)
    cluster.filter = (from, to) => from !== 3 && to !== 3
    texts.push(...load(cluster, 6, 25, 'more'))
    cluster.filter = () => true
    runUntilDone(cluster, texts, 5000)
    cluster.run(1000)
    expect(missing(cluster, texts)).toEqual([])
    expect(cluster.status(3).stable.slot).toBe(cluster.slot(16))
  })
})

describe.each(EPOCHS)('a checkpoint $name', (epoch) => {
  it('is stable only with q equal notes: b + 1 free nothing (P56)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (from, _, message) => !(message.kind === 'checkpoint' && from !== 1)
    load(cluster, 10, 25)
    expect(cluster.status(1)).toMatchObject({ executed: cluster.slot(10), stable: { slot: cluster.slot(0) } })
    expect(cluster.status(2)).toMatchObject({ executed: cluster.slot(10), stable: { slot: cluster.slot(0) } })
    cluster.filter = () => true
    cluster.run(500)
    expect(cluster.status(2).stable.slot).toBe(cluster.slot(8))
    expect(cluster.status(2).stable.signatures).toHaveLength(3)
  })

  it('is stable only with q notes that name one epoch to follow, or none', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (_, __, message) => message.kind !== 'checkpoint'
    load(cluster, 8, 25)
    const own = cluster.replicas[1]?.state.ownCheckpoints.get(cluster.slot(8)) ?? none()
    for (const from of [2, 3]) {
      const vote = liarOf(cluster, from).checkpoint({ ...own, next: nonsense('next') })
      expect(cluster.inject(from, 1, { kind: 'checkpoint', vote })).toBeUndefined()
    }
    cluster.inject(0, 1, { kind: 'checkpoint', vote: liarOf(cluster, 0).checkpoint(own) })
    expect(cluster.status(1).stable.slot).toBe(cluster.slot(0))
  })

  it.each(['past', 'future', 'split'])('that a liar signs in the %s moves no watermark (S25)', (kind) => {
    const cluster = miniCluster({ epoch, liars: { 2: `checkpoint-liar:${kind}` } })
    cluster.run(50)
    const texts = load(cluster, 20, 25)
    cluster.run(500)
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, texts)).toEqual([])
    const stable = honestOf(cluster).map(({ index }) => cluster.status(index).stable.slot)
    expect(stable).toEqual(Array(3).fill(cluster.slot(16)))
  })

  it('is signed once for a slot, whatever a restart executes again (P59)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (_, __, message) => message.kind !== 'checkpoint' && message.kind !== 'stable'
    const texts = load(cluster, 12, 25)
    for (let i = 0; i < 4; i++) {
      cluster.crash(i)
      cluster.restart(i)
    }
    cluster.run(300)
    cluster.filter = () => true
    cluster.run(1000)
    // safetyFault compares all notes that ever left a replica.
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, texts)).toEqual([])
    expect(cluster.status(1).stable.slot).toBe(cluster.slot(8))
  })

  it('whose state is not ours is an alarm, and theirs is fetched (bit rot)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    load(cluster, 5, 25)
    const rotten = cluster.replicas[3] ?? none()
    rotten.root = nonsense('rot')
    load(cluster, 5, 25, 'x')
    cluster.run(500)
    expect(rotten.alarms).toEqual(['state-diverged'])
    expect(rotten.root).toEqual(cluster.replicas[1]?.root)
    expect(cluster.status(3).stable.slot).toBe(cluster.slot(8))
  })
})

function none(): never {
  throw new Error('no such replica')
}

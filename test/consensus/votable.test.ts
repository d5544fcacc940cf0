// M1: what a replica does not vote for while it cannot know whether the epoch goes on that far.

import { describe, expect, it } from 'vitest'
import { appendLeaf, frontierRoot, markVerified, type Slot } from '../../crypto/index.ts'
import { batchEntry, type DurableRecord, type Effect, init } from '../../src/consensus/index.ts'
import { liarOf } from '../support/attack.ts'
import { bytesFor } from '../support/cluster.ts'
import { EPOCHS, type TestEpoch } from '../support/epochs.ts'
import { type MiniCluster, miniCluster, PARAMETERS } from '../support/mini-cluster.ts'

const { checkpointInterval: K, window: W } = PARAMETERS

const outlook = { dueMs: undefined, succession: undefined }

/** Replica 1 after a restart with the checkpoint of slot K on its disk, and without the snapshot. */
function restarted(epoch: TestEpoch) {
  const cluster = miniCluster({ epoch })
  cluster.run(25)
  const replica = cluster.replicas[1] ?? none()
  const { config } = replica.state
  let frontier = epoch.frontier
  for (let number = 1; number <= K; number++) frontier = appendLeaf(frontier, entryOf(cluster, number).digest)
  const content = {
    slot: cluster.slot(K),
    logRoot: frontierRoot(frontier),
    stateRoot: bytesFor('state'),
    next: undefined,
  }
  const signatures = [0, 1, 2].map((i) => liarOf(cluster, i).checkpoint(content))
  const checkpoint = markVerified({ ...content, signatures })
  const records: DurableRecord[] = [{ kind: 'stable', checkpoint, frontier }]
  const { timestampMs } = epoch
  const { state } = init(config, records, { slot: cluster.slot(0), frontier: epoch.frontier, timestampMs, ...outlook })
  replica.state = state
  const votes = new Set<Slot>()
  replica.behaviour = (effects) => {
    for (const slot of votedFor(effects)) votes.add(slot)
    return effects
  }
  cluster.run(25)
  return { cluster, checkpoint, frontier, votes: () => [...votes].map((slot) => slot - epoch.start.slot) }
}

function votedFor(effects: readonly Effect[]): readonly Slot[] {
  return effects.flatMap((effect) =>
    effect.kind === 'persist'
      ? effect.records.flatMap((record) => (record.kind === 'vote' ? [record.vote.statement.slot] : []))
      : [],
  )
}

function entryOf(cluster: MiniCluster, number: number) {
  return batchEntry(cluster.slot(number), cluster.context.membership.epoch, 1_000_000 + number, [])
}

/** The leader offers everything that the log window holds. */
function offer(cluster: MiniCluster) {
  for (let number = K + 1; number <= 2 * K + W; number++)
    cluster.inject(0, 1, liarOf(cluster, 0).propose(entryOf(cluster, number)))
}

describe.each(EPOCHS)('a replica whose checkpoint is ahead of its machine $name', (epoch) => {
  it('votes for nothing that may be after the end of the epoch, though its log window holds it', () => {
    const { cluster, votes } = restarted(epoch)
    offer(cluster)
    const numbers = Array.from({ length: W }, (_, i) => K + 1 + i)
    expect(votes()).toEqual(numbers)
    cluster.run(200)
    expect(votes()).toEqual(numbers)
  })

  it('accepts nothing there either, whatever was prepared', () => {
    const { cluster, votes } = restarted(epoch)
    offer(cluster)
    for (let number = K + 1; number <= 2 * K + W; number++) {
      const { header, digest } = entryOf(cluster, number)
      for (const from of [0, 2, 3])
        cluster.inject(from, 1, {
          kind: 'vote',
          vote: liarOf(cluster, from).vote('prepare', { slot: header.slot, digest }),
        })
    }
    expect(Math.max(...votes())).toBe(K + W)
  })

  it('votes for it once it has the state of the checkpoint', () => {
    const { cluster, votes, checkpoint, frontier } = restarted(epoch)
    offer(cluster)
    cluster.input(1, { kind: 'installed', checkpoint, frontier, timestampMs: 1_000_000 + K, ...outlook })
    cluster.run(25)
    expect(votes()).toEqual(Array.from({ length: K + W }, (_, i) => K + 1 + i))
  })
})

function none(): never {
  throw new Error('nothing there')
}

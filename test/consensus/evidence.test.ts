// Evidence: lies that the cluster itself must notice, and accusations that convict nobody (pitfalls P26, P31, P32; scenario S25).

import { describe, expect, it } from 'vitest'
import { replicaIndex, slot, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import {
  type CheckpointVote,
  checkpointConflictOf,
  conflictOf,
  type Evidence,
  evidenceFault,
  type LateStatement,
  pastTheEndOf,
} from '../../src/consensus/index.ts'
import { accusations, liarOf, load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { EPOCHS, type TestEpoch } from '../support/epochs.ts'
import { type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

/** A liar's run in which the leaders of the first views crash for a while, so that it has to change views and to lead. */
function throughViews(epoch: TestEpoch, liars: Record<number, string>): MiniCluster {
  const cluster = miniCluster({ epoch, liars })
  cluster.run(300)
  // Slots are prepared and accepted, and nobody hears of it in time: they go into the next view as prepared.
  cluster.filter = (from, __, message) =>
    !(message.kind === 'vote' && message.vote.statement.kind === 'accept' && from !== 2)
  const texts = ['a', 'b', 'c']
  cluster.submit([0, 1, 2, 3], ...texts)
  cluster.run(100)
  cluster.crash(0)
  cluster.filter = () => true
  cluster.run(3000)
  cluster.restart(0)
  texts.push(...load(cluster, 16, 50, 'more'))
  runUntilDone(cluster, texts)
  expect(safetyFault(cluster)).toBeUndefined()
  expect(missing(cluster, texts)).toEqual([])
  return cluster
}

describe.each(EPOCHS)('evidence names the liar $name', (epoch) => {
  it.each([
    ['equivocate', 0, 'two-votes 0'],
    ['double-vote', 2, 'two-votes 2'],
    ['wrong-digest', 2, 'against-new-view 2'],
    ['disobey', 2, 'against-new-view 2'],
    ['hide-prepared', 2, 'hidden-prepared 2'],
    ['two-new-views', 1, 'two-votes 1'],
    ['checkpoint-liar:split', 2, 'two-checkpoints 2'],
    ['checkpoint-liar:split', 1, 'two-checkpoints 1'],
  ])('that does as %s says (replica %i): %s', (name, liar, expected) => {
    expect(accusations(throughViews(epoch, { [liar]: name }))).toContain(expected)
  })

  it('among seven with two liars of different kinds, and nobody else', () => {
    const cluster = miniCluster({ epoch, replicas: 7, byzantine: 2, liars: { 0: 'equivocate', 3: 'double-vote' } })
    cluster.run(300)
    const texts = load(cluster, 10)
    runUntilDone(cluster, texts)
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, texts)).toEqual([])
    expect(accusations(cluster)).toEqual(expect.arrayContaining(['two-votes 0', 'two-votes 3']))
  })

  it('also to replicas that were told only one side: evidence reaches every honest one', () => {
    const cluster = throughViews(epoch, { 0: 'equivocate' })
    for (const { evidence } of cluster.replicas.slice(1)) expect(evidence.length).toBeGreaterThan(0)
  })
})

describe('evidence does not convict', () => {
  const cluster = miniCluster()
  const first = liarOf(cluster, 0)
  const second = liarOf(cluster, 1)
  const at = { slot: slot(3), digest: nonsense('a') } as const

  it.each<[string, () => Evidence]>([
    ['two votes that agree', () => twoVotes(0, first.vote('prepare', at), first.vote('prepare', at))],
    ['a Prepare and an Accept for one value', () => twoVotes(0, first.vote('prepare', at), first.vote('accept', at))],
    [
      'votes in two views',
      () =>
        twoVotes(0, first.vote('prepare', at), first.vote('prepare', { ...at, view: view(4), digest: nonsense('b') })),
    ],
    [
      'votes of two replicas',
      () => twoVotes(0, first.vote('prepare', at), second.vote('prepare', { ...at, digest: nonsense('b') })),
    ],
    [
      "another replica than the votes' signer",
      () => twoVotes(1, first.vote('prepare', at), first.vote('prepare', { ...at, digest: nonsense('b') })),
    ],
    [
      'a vote that somebody else signed in its name',
      () => {
        const forged = { ...second.vote('prepare', { ...at, digest: nonsense('b') }), replica: replicaIndex(0) }
        return twoVotes(0, first.vote('prepare', at), forged)
      },
    ],
    [
      'a vote from another cluster',
      () => twoVotes(0, first.vote('prepare', at), first.vote('prepare', { ...at, clusterId: nonsense('other') })),
    ],
  ])('where there are %s', (_, make) => {
    const evidence = make()
    expect(evidenceFault(evidence, cluster.context)).toBeDefined()
    expect(cluster.inject(1, 2, { kind: 'evidence', evidence })).toBe('bad-evidence')
    expect(cluster.replicas[2]?.evidence).toEqual([])
  })

  const note = { slot: slot(8), logRoot: nonsense('log'), stateRoot: nonsense('state') }

  it('against a replica whose notes for two slots are of one epoch, of which one at most ends it', () => {
    const notes = [note, { ...note, slot: slot(16), next: nonsense('next') }].map((each) => first.checkpoint(each))
    expect(evidenceFault(twoCheckpoints(...notes), cluster.context)).toBeDefined()
  })

  it.each([
    ['say of one slot that other epochs follow', { ...note, next: nonsense('a') }, { ...note, next: nonsense('b') }],
    ['say of one slot that an epoch follows, and that none does', note, { ...note, next: nonsense('a') }],
    ['end the epoch twice', { ...note, next: nonsense('a') }, { ...note, slot: slot(16), next: nonsense('a') }],
  ])('convicts where two notes %s', (_, one, other) => {
    const [a, b] = [first.checkpoint(one), first.checkpoint(other)]
    expect(evidenceFault(twoCheckpoints(a, b), cluster.context)).toBeUndefined()
    expect(checkpointConflictOf(a, b)).toEqual(twoCheckpoints(a, b))
  })

  describe('of what was said after the end of an epoch', () => {
    const next = nonsense('next')
    const end = first.checkpoint({ ...note, next })
    const accused = replicaIndex(0)
    const ended = { ...cluster.context, lastSlot: end.slot }
    const said = { slot: slot(9), digest: nonsense('a') }
    const laterNote = first.checkpoint({ ...note, slot: slot(16) })

    it.each<[string, LateStatement]>([
      ['a Prepare', { kind: 'vote', vote: first.vote('prepare', said) }],
      ['an Accept', { kind: 'vote', vote: first.vote('accept', said) }],
      ['a receipt', { kind: 'vote', vote: first.vote('receipt', said) }],
      ['a note', { kind: 'checkpoint', vote: laterNote }],
    ])('%s convicts, also where everybody knows of the end', (_, late) => {
      const evidence: Evidence = { kind: 'past-the-end', accused, end, late }
      expect(pastTheEndOf(end, late)).toEqual(evidence)
      expect(evidenceFault(evidence, cluster.context)).toBeUndefined()
      expect(evidenceFault(evidence, ended)).toBeUndefined()
    })

    it.each<[string, CheckpointVote, LateStatement]>([
      ['the last slot itself', end, { kind: 'vote', vote: first.vote('prepare', { ...said, slot: slot(8) }) }],
      ['a note that ends nothing', first.checkpoint(note), { kind: 'checkpoint', vote: laterNote }],
      ['a vote of another', end, { kind: 'vote', vote: second.vote('prepare', said) }],
      ['a vote of another epoch', end, { kind: 'vote', vote: first.vote('prepare', { ...said, membership: next }) }],
      ['a note under a bad signature', { ...end, next: nonsense('other') }, { kind: 'checkpoint', vote: laterNote }],
    ])('%s convicts nobody', (_, by, late) => {
      expect(evidenceFault({ kind: 'past-the-end', accused, end: by, late }, cluster.context)).toBeDefined()
    })

    it('is not hidden by an end that is known: two notes about a slot after it convict as well', () => {
      const other = first.checkpoint({ ...note, slot: slot(16), logRoot: nonsense('other') })
      expect(evidenceFault(twoCheckpoints(laterNote, other), ended)).toBeUndefined()
    })
  })

  it('convicts where the same votes differ in the digest alone', () => {
    const evidence = twoVotes(0, first.vote('prepare', at), first.vote('prepare', { ...at, digest: nonsense('b') }))
    expect(evidenceFault(evidence, cluster.context)).toBeUndefined()
  })

  it('against a replica that accepted in one view and reports a certificate of that view or a later one', () => {
    const honest = miniCluster()
    honest.run(50)
    load(honest, 5)
    honest.crash(0)
    honest.submit([1, 2, 3], 'x')
    honest.run(3000)
    // safetyFault compares every Accept that ever left with every ViewChange after it.
    expect(safetyFault(honest)).toBeUndefined()
    expect(conflictOf(first.vote('accept', at), first.vote('accept', at))).toBeUndefined()
  })
})

function twoCheckpoints(...notes: readonly CheckpointVote[]): Evidence {
  const [a, b] = notes
  if (a === undefined || b === undefined) throw new Error('expected two notes')
  return { kind: 'two-checkpoints', accused: replicaIndex(0), first: a, second: b }
}

function twoVotes(accused: number, a: ReturnType<ReturnType<typeof liarOf>['vote']>, b: typeof a): Evidence {
  return { kind: 'two-votes', accused: replicaIndex(accused), first: a, second: b }
}

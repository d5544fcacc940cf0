// Each invariant is fed what breaks it, and must refuse; and the same without the break, and must not.

import { describe, expect, it } from 'vitest'
import {
  assembleCertificate,
  batchTree,
  type Certificate,
  EMPTY_ROOT,
  replicaIndex,
  slot,
  type Vote,
  type VoteStatement,
  view,
} from '../../../crypto/index.ts'
import {
  batchEntry,
  type DurableRecord,
  type Effect,
  genesisStart,
  type Message,
  type NewView,
  type ViewChange,
} from '../../../src/consensus/index.ts'
import {
  AgreementCheck,
  BoundsCheck,
  CALM,
  CheckpointsCheck,
  EvidenceCheck,
  ExecutionCheck,
  HistoryCheck,
  type Operation,
  OwnWordCheck,
  PromisesCheck,
  type ReplicaView,
  Violation,
  VotesCheck,
} from '../../../src/simulation/index.ts'
import { bytesFor, testCluster } from '../../support/cluster.ts'

const cluster = testCluster()
const { membership, verifier, quorums } = cluster
const one = bytesFor('one')
const other = bytesFor('other')

function replica(index: number, honest = true): ReplicaView {
  return { address: index, index: replicaIndex(index), identity: index, honest, up: true, status: () => undefined }
}

function certificate(change: Partial<VoteStatement>, signers = [0, 1, 2]): Certificate {
  const votes = signers.map((signer) => cluster.vote(signer, change))
  const statement = cluster.statement(change)
  if (statement.kind !== 'accept' && statement.kind !== 'prepare') throw new Error('no certificate of this kind')
  const made = assembleCertificate({ ...statement, kind: statement.kind }, votes, membership)
  if (made !== undefined) return made
  return { statement, signatures: votes.map(({ replica: by, signature }) => ({ replica: by, signature })) }
}

const persist = (...records: DurableRecord[]): Effect => ({ kind: 'persist', number: 1, records })
const recordsOf = (effect: Effect): readonly DurableRecord[] => (effect.kind === 'persist' ? effect.records : [])
const chosen = (change: Partial<VoteStatement>, signers?: number[]) =>
  persist({ kind: 'chosen', certificate: certificate({ kind: 'accept', ...change }, signers) })
const prepared = (change: Partial<VoteStatement>) =>
  persist({ kind: 'prepared', certificate: certificate({ kind: 'prepare', ...change }) })

/** The invariant that `act` breaks; undefined where it breaks none. */
function broken(act: () => void): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof Violation) return error.invariant
    throw error
  }
}

describe('I1 and I2', () => {
  it('hold where all decide the same, in whatever view', () => {
    const check = new AgreementCheck(() => ({ membership, verifier }))
    expect(broken(() => check.effect(replica(0), chosen({ digest: one })))).toBeUndefined()
    expect(broken(() => check.effect(replica(1), chosen({ digest: one, view: view(4) })))).toBeUndefined()
  })

  it('are broken by two decisions for one slot', () => {
    const check = new AgreementCheck(() => ({ membership, verifier }))
    check.effect(replica(0), chosen({ digest: one }))
    expect(broken(() => check.effect(replica(1), chosen({ digest: other, view: view(1) })))).toBe('I1 agreement')
  })

  it('are not broken by what a liar decides', () => {
    const check = new AgreementCheck(() => ({ membership, verifier }))
    check.effect(replica(0), chosen({ digest: one }))
    expect(broken(() => check.effect(replica(1, false), chosen({ digest: other })))).toBeUndefined()
  })

  it('are broken by a decision on one vote too few', () => {
    const check = new AgreementCheck(() => ({ membership, verifier }))
    expect(broken(() => check.effect(replica(0), chosen({ digest: one }, [0, 1])))).toBe('I1 agreement')
  })

  it('are broken by two prepared values of one view and slot, and not by those of two views', () => {
    const check = new AgreementCheck(() => ({ membership, verifier }))
    check.durable(replica(0), recordsOf(prepared({ digest: one })))
    expect(
      broken(() => check.durable(replica(1), recordsOf(prepared({ digest: other, view: view(4) })))),
    ).toBeUndefined()
    expect(broken(() => check.durable(replica(1), recordsOf(prepared({ digest: other }))))).toBe(
      'I2 one prepared value',
    )
  })

  it('are not broken by a prepared value that was lost before it was durable, but by one that a restart finds', () => {
    const check = new AgreementCheck(() => ({ membership, verifier }))
    check.effect(replica(0), prepared({ digest: one }))
    check.durable(replica(0), recordsOf(prepared({ digest: other })))
    expect(broken(() => check.started(replica(0), recordsOf(prepared({ digest: one }))))).toBe('I2 one prepared value')
  })
})

describe('I3 and I11', () => {
  const entry = batchEntry(slot(1), membership.epoch, 1, [])
  const voteOf = (change: Partial<VoteStatement>): Vote => cluster.vote(1, { digest: entry.digest, ...change })
  const message = (vote: Vote): Message => ({ kind: 'vote', vote })

  it('hold for a vote that is on disk with all it relies on, sent again and again', () => {
    const check = new VotesCheck()
    const vote = voteOf({})
    check.durable(replica(1), [
      { kind: 'entry', entry },
      { kind: 'vote', vote },
    ])
    expect(broken(() => check.sent(replica(1), 0, message(vote)))).toBeUndefined()
    expect(broken(() => check.sent(replica(1), 2, message(vote)))).toBeUndefined()
  })

  it('are broken by a vote that is not on disk', () => {
    const check = new VotesCheck()
    check.durable(replica(1), [{ kind: 'entry', entry }])
    expect(broken(() => check.sent(replica(1), 0, message(voteOf({}))))).toBe('I11 durable before sent')
  })

  it('are broken by a Prepare whose body is not on disk', () => {
    const check = new VotesCheck()
    const vote = voteOf({})
    check.durable(replica(1), [{ kind: 'vote', vote }])
    expect(broken(() => check.sent(replica(1), 0, message(vote)))).toBe('I11 durable before sent')
  })

  it('are broken by an Accept whose certificate is not on disk', () => {
    const check = new VotesCheck()
    const vote = voteOf({ kind: 'accept' })
    check.durable(replica(1), [{ kind: 'vote', vote }])
    expect(broken(() => check.sent(replica(1), 0, message(vote)))).toBe('I11 durable before sent')
  })

  it('are broken by a second vote for the slot, also after a restart that forgot the first', () => {
    const check = new VotesCheck()
    const [first, second] = [voteOf({ kind: 'accept', digest: one }), voteOf({ kind: 'accept', digest: other })]
    const both: DurableRecord[] = [first, second].flatMap((vote): DurableRecord[] => [
      { kind: 'vote', vote },
      { kind: 'prepared', certificate: certificate({ kind: 'prepare', digest: vote.statement.digest }) },
    ])
    check.durable(replica(1), both)
    check.sent(replica(1), 0, message(first))
    check.started(replica(1), [])
    expect(broken(() => check.sent(replica(1), 0, message(second)))).toBe('I3 one vote')
  })

  it('say nothing of votes that are only relayed', () => {
    const check = new VotesCheck()
    expect(broken(() => check.sent(replica(2), 0, message(voteOf({}))))).toBeUndefined()
  })
})

describe('I4 and I5', () => {
  const accept = (by: number, change: Partial<VoteStatement>): Message => ({
    kind: 'vote',
    vote: cluster.vote(by, { kind: 'accept', ...change }),
  })
  const genesis = { slot: slot(0), logRoot: EMPTY_ROOT, stateRoot: one, next: undefined, signatures: [] }
  const viewChange = (by: number, at: number, ...certificates: Certificate[]): ViewChange => ({
    view: view(at),
    stable: genesis,
    prepared: certificates,
    vote: cluster.vote(by, { kind: 'view-change', view: view(at), slot: slot(0) }),
  })
  const newView = (at: number, digest: typeof one | undefined): NewView => ({
    view: view(at),
    viewChanges: [],
    vote: cluster.vote(at, { kind: 'new-view', view: view(at), slot: slot(0) }),
    proposals: digest === undefined ? [] : [cluster.vote(at, { view: view(at), digest })],
  })
  const check = (...liars: readonly number[]) =>
    new PromisesCheck(
      () => quorums,
      () => new Set(liars),
    )

  it('hold where a ViewChange reports what was accepted', () => {
    const promises = check()
    promises.sent(replica(1), 0, accept(1, { digest: one }))
    const report = viewChange(1, 1, certificate({ kind: 'prepare', digest: one }))
    expect(broken(() => promises.sent(replica(1), 0, { kind: 'view-change', viewChange: report }))).toBeUndefined()
  })

  it('are broken by a ViewChange that hides an Accept', () => {
    const promises = check()
    promises.sent(replica(1), 0, accept(1, { digest: one }))
    const report: Message = { kind: 'view-change', viewChange: viewChange(1, 1) }
    expect(broken(() => promises.sent(replica(1), 0, report))).toBe('I4 prepared is kept')
  })

  it('are broken by a report that goes back to an earlier view', () => {
    const promises = check()
    const [early, late] = [0, 4].map((v) => certificate({ kind: 'prepare', digest: one, view: view(v) }))
    if (early === undefined || late === undefined) throw new Error('two certificates')
    promises.sent(replica(1), 0, { kind: 'view-change', viewChange: viewChange(1, 5, late) })
    const report: Message = { kind: 'view-change', viewChange: viewChange(1, 6, early) }
    expect(broken(() => promises.sent(replica(1), 0, report))).toBe('I4 prepared is kept')
  })

  it.each([
    ['leaves out', undefined],
    ['replaces', other],
  ])('are broken by a NewView that %s what a quorum accepted', (_, digest) => {
    const promises = check()
    for (const by of [0, 1, 2]) promises.sent(replica(by), 3, accept(by, { digest: one }))
    const record = persist({ kind: 'new-view', newView: newView(1, digest) })
    expect(broken(() => promises.effect(replica(3), record))).toBe('I5 decided is carried over')
  })

  it('hold for a NewView that carries it over, and for one where too few accepted', () => {
    const promises = check()
    for (const by of [0, 1]) promises.sent(replica(by), 3, accept(by, { digest: one }))
    expect(
      broken(() => promises.effect(replica(3), persist({ kind: 'new-view', newView: newView(1, undefined) }))),
    ).toBeUndefined()
    promises.sent(replica(2), 3, accept(2, { digest: one }))
    expect(
      broken(() => promises.effect(replica(3), persist({ kind: 'new-view', newView: newView(2, one) }))),
    ).toBeUndefined()
  })

  it('count a replica that lost its memory since among the liars, and not once more for what it accepted before', () => {
    const leftOut = (promises: PromisesCheck, ...voters: readonly number[]) => {
      for (const by of voters) promises.sent(replica(by), 3, accept(by, { digest: one }))
      return broken(() => promises.effect(replica(3), persist({ kind: 'new-view', newView: newView(1, undefined) })))
    }
    expect(leftOut(check(0), 0, 2)).toBeUndefined()
    expect(leftOut(check(0), 1, 2)).toBe('I5 decided is carried over')
  })
})

describe('I6', () => {
  const context = {
    membership,
    clusterName: 'test',
    parameters: { maxRequestBytes: 4096 },
    start: genesisStart(one),
    verifier,
    admit: () => undefined,
  } as unknown as ReturnType<ConstructorParameters<typeof ExecutionCheck>[0]>
  const results = (at: number, root = one) => ({ slot: at, records: [], tree: batchTree([]), root, changes: [] })

  it('holds for slots in order, and is broken by one twice or one left out', () => {
    const check = new ExecutionCheck(() => context)
    check.started(replica(0), [], slot(0))
    expect(broken(() => check.executed(replica(0), slot(1), results(1), undefined))).toBeUndefined()
    expect(broken(() => check.executed(replica(0), slot(1), results(1), undefined))).toBe('I6 one execution')
    expect(broken(() => check.executed(replica(0), slot(3), results(3), undefined))).toBe('I6 one execution')
  })

  it('is broken by other results, and by another state', () => {
    const check = new ExecutionCheck(() => context)
    check.executed(replica(0), slot(1), results(1), one)
    expect(broken(() => check.executed(replica(1), slot(1), results(1, other), one))).toBe('I6 one execution')
    expect(broken(() => check.executed(replica(2), slot(1), results(1), other))).toBe('I6 one execution')
  })

  it('starts anew from the snapshot of a restart', () => {
    const check = new ExecutionCheck(() => context)
    check.executed(replica(0), slot(1), results(1), undefined)
    check.started(replica(0), [], slot(0))
    expect(broken(() => check.executed(replica(0), slot(1), results(1), undefined))).toBeUndefined()
  })
})

describe('I7', () => {
  const entry = batchEntry(slot(1), membership.epoch, 1, [])
  const execute: Effect = { kind: 'execute', entry, certificate: certificate({ kind: 'accept' }), timestampMs: 1 }
  const note = (logRoot: typeof one, stateRoot: typeof one): Message => ({
    kind: 'checkpoint',
    vote: { ...{ slot: slot(1), logRoot, stateRoot, next: undefined }, ...cluster.vote(0) },
  })

  it('is broken by a checkpoint of another log, or of another state', () => {
    const check = new CheckpointsCheck(() => membership, 'test', verifier)
    check.effect(replica(0), execute)
    expect(broken(() => check.sent(replica(0), 1, note(entry.digest, one)))).toBeUndefined()
    expect(broken(() => check.sent(replica(0), 1, note(entry.digest, other)))).toBe('I7 one log')
    expect(broken(() => check.sent(replica(0), 1, note(other, one)))).toBe('I7 one log')
  })

  it('is broken by a stable checkpoint without a quorum of signatures, and by an alarm', () => {
    const check = new CheckpointsCheck(() => membership, 'test', verifier)
    check.effect(replica(0), execute)
    const checkpoint = { slot: slot(1), logRoot: entry.digest, stateRoot: one, next: undefined, signatures: [] }
    const effect = { kind: 'stabilize', checkpoint } as unknown as Effect
    expect(broken(() => check.effect(replica(0), effect))).toBe('I7 one log')
    const alarm: Effect = { kind: 'alarm', code: 'state-diverged', slot: slot(1) }
    expect(broken(() => check.effect(replica(0), alarm))).toBe('I7 one log')
  })
})

describe('I8 and I13', () => {
  const operation = (change: Partial<Operation>): Operation => ({
    client: 0,
    sequence: 1,
    command: { kind: 'get', key: 'k' },
    invokedUs: 0,
    returnedUs: 10,
    outcome: 'done',
    answer: { kind: 'get', value: undefined },
    slot: 1,
    index: 0,
    givenUp: false,
    ...change,
  })

  it('are broken by a read of what nobody wrote', () => {
    const check = new HistoryCheck(Number.POSITIVE_INFINITY)
    check.invoked(operation({ answer: { kind: 'get', value: 'ghost' } }))
    expect(broken(() => check.finished())).toBe('I8 linearizable')
  })

  it('are broken by a log out of order with what clients saw, even where the answers would fit', () => {
    const check = new HistoryCheck(Number.POSITIVE_INFINITY)
    check.invoked(operation({ slot: 2 }))
    check.invoked(operation({ sequence: 2, invokedUs: 20, returnedUs: 30, slot: 1 }))
    expect(broken(() => check.finished())).toBe('I8 linearizable')
  })

  it('are broken by a request that waited too long with nothing wrong', () => {
    const check = new HistoryCheck(1000)
    expect(broken(() => check.returned(operation({ returnedUs: 1000 })))).toBeUndefined()
    expect(broken(() => check.returned(operation({ returnedUs: 1001 })))).toBe('I13 fairness')
  })
})

describe('I16', () => {
  const held = cluster.vote(1, { kind: 'accept', slot: slot(3) })
  /** Replica 1 starts again among others that hold its vote; it knows of it where `knows`. */
  const restart = ({ knows, honest = true, epoch = 0 }: { knows: boolean; honest?: boolean; epoch?: number }) => {
    const core = (found: Vote | undefined) => ({
      heldOf: () => ({ promise: undefined, vote: held, note: undefined }),
      forgotten: () => found,
    })
    const self = { ...replica(1, honest), epoch, coreIn: () => core(knows ? undefined : held) }
    const peer = { ...replica(2), epoch: 0, coreIn: (of: number) => (of === 0 ? core(undefined) : undefined) }
    return () => new OwnWordCheck([self, peer]).started(self, [])
  }

  it('holds where a replica that starts again knows of what others hold, and is broken where it does not', () => {
    expect(restart({ knows: true })).not.toThrow()
    expect(restart({ knows: false })).toThrow('replica 1 has forgotten its accept of slot 3, which 2 holds')
  })

  it('is not broken by what a liar has forgotten, nor by what is held in another epoch', () => {
    expect(restart({ knows: false, honest: false })).not.toThrow()
    expect(restart({ knows: false, epoch: 1 })).not.toThrow()
  })
})

describe('I9', () => {
  const parameters = [{ ...CALM.parameters, window: 2, checkpointInterval: 2 }]
  const check = (memory: object) =>
    new BoundsCheck(() => [{ address: 0, honest: true, memory }], parameters, 4, { clients: 1, requests: 1 })

  it('is broken by a collection that grows past its bound, however deep', () => {
    const votes = new Map(Array.from({ length: 1000 }, (_, i) => [i, i]))
    expect(broken(() => check({ slots: new Map([[1, { accepts: new Map([[0, 1]]) }]]) }).finished())).toBeUndefined()
    expect(broken(() => check({ slots: votes }).finished())).toBe('I9 bounds')
    expect(broken(() => check({ slots: new Map([[1, { accepts: votes }]]) }).finished())).toBe('I9 bounds')
    expect(broken(() => check({ outbox: Array.from({ length: 1000 }, () => 0) }).finished())).toBe('I9 bounds')
  })
})

describe('I10', () => {
  const check = new EvidenceCheck((index) => index !== 3)
  const accuse = (accused: number): Effect => {
    const [first, second] = [cluster.vote(accused, { digest: one }), cluster.vote(accused, { digest: other })]
    return { kind: 'evidence', evidence: { kind: 'two-votes', accused: replicaIndex(accused), first, second } }
  }

  it('holds for evidence against a liar and is broken by evidence against the honest', () => {
    expect(broken(() => check.effect(replica(0), accuse(3)))).toBeUndefined()
    expect(broken(() => check.effect(replica(0), accuse(1)))).toBe('I10 evidence')
    expect(broken(() => check.effect(replica(3, false), accuse(1)))).toBeUndefined()
  })

  it('is broken where an honest message is taken for a lie, and not by what is merely of no use', () => {
    const fault = { class: 'blame', code: 'wrong-selection' } as const
    expect(broken(() => check.refused(replica(0), replicaIndex(1), fault))).toBe('I10 evidence')
    expect(broken(() => check.refused(replica(0), replicaIndex(3), fault))).toBeUndefined()
    expect(broken(() => check.refused(replica(0), replicaIndex(1), { class: 'ignore', code: 'late' }))).toBeUndefined()
  })
})

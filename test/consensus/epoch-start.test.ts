// Where an epoch begins and what belongs to it (M6, M7; pitfall P05). The clusters here share their keys: what tells their statements
// apart is what is said, not who says it.

import { describe, expect, it } from 'vitest'
import { assembleCertificate, equalBytes, slot, type VoteKind, type VoteStatement, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import {
  batchEntry,
  type EpochStart,
  evidenceFault,
  init,
  type Message,
  type StableCheckpoint,
  startCheckpoint,
  type VerifyContext,
  verifyMessage,
} from '../../src/consensus/index.ts'
import { liarOf, load } from '../support/attack.ts'
import { EPOCHS, LATER_EPOCH, type TestEpoch } from '../support/epochs.ts'
import { miniCluster } from '../support/mini-cluster.ts'

const { start } = LATER_EPOCH

/** One message of each kind from a run of the epoch, by name; those that name a view are of its view 0, but for two of view 1. */
function said(epoch: TestEpoch): ReadonlyMap<string, Message> {
  const cluster = miniCluster({ epoch })
  const found = new Map<string, Message>()
  cluster.filter = (_, __, message) => {
    const name = message.kind === 'vote' ? message.vote.statement.kind : message.kind
    if (!found.has(name)) found.set(name, message)
    return true
  }
  cluster.run(50)
  load(cluster, 3)
  cluster.crash(0)
  cluster.submit([1, 2, 3], 'to the next view')
  cluster.run(1000)
  const [entry] = cluster.replicas[1]?.executed ?? []
  const certificate = cluster.replicas[1]?.state.slots.get(cluster.slot(1))?.chosen
  if (entry === undefined || certificate === undefined) throw new Error('nothing was decided')
  found.set('entries', { kind: 'entries', entries: [{ entry, certificate }] })
  found.set('bodies', { kind: 'bodies', entries: [entry] })
  load(cluster, 10, 50, 'more')
  const { stable } = cluster.status(1)
  found.set('stable', { kind: 'stable', checkpoint: stable })
  return found
}

const messages = said(LATER_EPOCH)
const { context } = miniCluster({ epoch: LATER_EPOCH })

function faultOf(message: Message, by: VerifyContext): string | undefined {
  const checked = verifyMessage(message, by)
  return checked.ok ? undefined : checked.fault.code
}

function message(name: string): Message {
  const found = messages.get(name)
  if (found === undefined) throw new Error(`no ${name} was sent`)
  return found
}

const begun = (change: Partial<EpochStart>): VerifyContext => ({ ...context, start: { ...start, ...change } })
const inEpoch = (number: number) => miniCluster({ epoch: { ...LATER_EPOCH, number } }).context
const RANGE = 'wrong-epoch-range'
const UNFOUNDED = 'wrong-justification'

describe('what is said in one epoch', () => {
  it.each([...messages.keys()])('is taken in that epoch: %s', (name) => {
    expect(faultOf(message(name), context)).toBeUndefined()
  })

  it.each([
    ['propose', 'wrong-membership'],
    ['prepare', 'wrong-membership'],
    ['accept', 'wrong-membership'],
    ['view-change', 'wrong-membership'],
    ['new-view', 'wrong-membership'],
    ['checkpoint', 'bad-checkpoint-signature'],
    ['stable', 'bad-checkpoint-signature'],
    ['entries', 'wrong-epoch'],
    ['bodies', 'wrong-epoch'],
  ])('is refused in one of another number: %s', (name, code) => {
    for (const number of [0, 2, 4]) expect(faultOf(message(name), inEpoch(number))).toBe(code)
  })

  it.each([
    ['propose', RANGE],
    ['prepare', RANGE],
    ['accept', RANGE],
    ['view-change', RANGE],
    ['new-view', RANGE],
    ['checkpoint', RANGE],
    ['stable', RANGE],
    ['entries', RANGE],
    ['bodies', RANGE],
    ['fetch-entries', 'bad-range'],
  ])('is refused in one that begins after it: %s', (name, code) => {
    const asked: Message = { kind: 'fetch-entries', from: slot(start.slot + 1), to: slot(start.slot + 64) }
    const heard = name === 'fetch-entries' ? asked : message(name)
    expect(faultOf(heard, context)).toBeUndefined()
    expect(faultOf(heard, begun({ slot: slot(start.slot + 800) }))).toBe(code)
  })

  it.each([
    ['propose', UNFOUNDED],
    ['prepare', UNFOUNDED],
    ['accept', UNFOUNDED],
    ['entries', `certificate: ${UNFOUNDED}`],
  ])('is refused where something else opened it: %s of view 0', (name, code) => {
    expect(faultOf(message(name), begun({ justification: nonsense('hand-over') }))).toBe(code)
  })

  it.each(['view-change', 'new-view'])('is refused where it began with other roots: %s', (name) => {
    const code = 'wrong-start-checkpoint'
    expect(faultOf(message(name), begun({ stateRoot: nonsense('state') }))).toBe(code)
    expect(faultOf(message(name), begun({ logRoot: nonsense('log') }))).toBe(code)
  })
})

describe.each(EPOCHS)('an epoch $name', (epoch) => {
  const cluster = miniCluster({ epoch })
  const pen = liarOf(cluster, 0)
  const faultHere = (heard: Message) => faultOf(heard, cluster.context)
  const digest = nonsense('value')

  it.each<VoteKind>(['prepare', 'accept'])('has no %s for its start, nor for a slot before', (kind) => {
    const code = epoch.number === 0 ? 'not-canonical' : RANGE
    const vote = (at: number) => ({ kind: 'vote', vote: pen.vote(kind, { slot: slot(at), digest }) }) as const
    expect(faultHere(vote(cluster.slot(0)))).toBe(code)
    if (epoch.number > 0) expect(faultHere(vote(cluster.slot(-1)))).toBe(code)
    expect(faultHere(vote(cluster.slot(1)))).toBeUndefined()
  })

  it('has no entry and no checkpoint note for its start, however well signed', () => {
    const at = cluster.slot(0)
    const entry = batchEntry(at, cluster.context.membership.epoch, 1_000_000, [])
    expect(faultHere({ kind: 'bodies', entries: [entry] })).toBe(RANGE)
    const { logRoot, stateRoot } = epoch.start
    expect(faultHere({ kind: 'checkpoint', vote: pen.checkpoint({ slot: at, logRoot, stateRoot }) })).toBe(RANGE)
    const vote = pen.checkpoint({ slot: cluster.slot(8), logRoot, stateRoot })
    expect(faultHere({ kind: 'checkpoint', vote })).toBeUndefined()
  })

  it('has a start that stands for itself: no signatures, and no other roots', () => {
    const checkpoint = startCheckpoint(cluster.context)
    const stable = (change: Partial<StableCheckpoint>) =>
      faultHere({ kind: 'stable', checkpoint: { ...checkpoint, ...change } })
    expect(stable({})).toBeUndefined()
    const notes = [0, 1, 2].map((i) => liarOf(cluster, i).checkpoint(checkpoint))
    expect(stable({ signatures: notes })).toBe('wrong-start-checkpoint')
    expect(stable({ stateRoot: digest })).toBe('wrong-start-checkpoint')
    expect(stable({ logRoot: digest })).toBe('wrong-start-checkpoint')
  })

  it('changes no view by a checkpoint that ends it: who has one is through with it', () => {
    const run = miniCluster({ epoch })
    run.run(50)
    load(run, 8)
    const { logRoot, stateRoot, slot: at } = run.status(1).stable
    const next = nonsense('next')
    const notes = [0, 1, 2].map((i) => liarOf(run, i).checkpoint({ slot: at, logRoot, stateRoot, next }))
    const checkpoint = { slot: at, logRoot, stateRoot, next, signatures: notes }
    expect(faultHere({ kind: 'stable', checkpoint })).toBeUndefined()
    const liar = liarOf(run, 3)
    const viewChange = liar.viewChange(liar.emptyViewChange(view(1)) ?? none(), { stable: checkpoint })
    expect(faultHere({ kind: 'view-change', viewChange })).toBe('view-change-past-the-end')
  })

  it('has no certificate of view 0 that relies on something else, though q signed it', () => {
    const at = cluster.slot(1)
    const entry = batchEntry(at, cluster.context.membership.epoch, 1_000_000, [])
    const decided = (change: Partial<VoteStatement>): Message => {
      const votes = [0, 1, 2].map((i) =>
        liarOf(cluster, i).vote('accept', { slot: at, digest: entry.digest, ...change }),
      )
      const statement = { ...(votes[0] ?? none()).statement, kind: 'accept' } as const
      const certificate = assembleCertificate(statement, votes, cluster.context.membership) ?? none()
      return { kind: 'entries', entries: [{ entry, certificate }] }
    }
    const justification = nonsense('NewView')
    expect(faultHere(decided({}))).toBeUndefined()
    expect(faultHere(decided({ justification }))).toBe(`certificate: ${UNFOUNDED}`)
    // From view 1 on it is the NewView that says so, and a certificate shows no NewView.
    expect(faultHere(decided({ justification, view: view(1) }))).toBeUndefined()
  })

  it('opens view 0 without a NewView: its first leader proposes, and everybody names what opened it', () => {
    const run = miniCluster({ epoch })
    const named = new Set<boolean>()
    run.filter = (_, __, heard) => {
      if (heard.kind === 'vote' || heard.kind === 'propose')
        named.add(equalBytes(heard.vote.statement.justification, epoch.start.justification))
      return true
    }
    run.run(50)
    load(run, 3)
    expect([...named]).toEqual([true])
    expect(run.replicas.map(({ executed }) => executed.map(({ header }) => header.slot))).toEqual(
      Array(4).fill([1, 2, 3].map(run.slot)),
    )
  })

  it('still convicts who votes twice in view 0, relying on two things', () => {
    const first = pen.vote('prepare', { slot: cluster.slot(1), digest })
    const second = pen.vote('prepare', { slot: cluster.slot(1), digest, justification: nonsense('NewView') })
    expect(
      evidenceFault({ kind: 'two-votes', accused: pen.context.self, first, second }, cluster.context),
    ).toBeUndefined()
  })
})

describe('a core whose machine has not come to the start', () => {
  it('asks anybody for the state there, executes nothing before, and goes on from it', () => {
    const cluster = miniCluster({ epoch: LATER_EPOCH })
    const { config } = (cluster.replicas[1] ?? none()).state
    const { frontier, timestampMs } = LATER_EPOCH
    const outlook = { dueMs: undefined, succession: undefined }
    const behind = { slot: slot(start.slot - 8), frontier, timestampMs, ...outlook }
    const { state, effects } = init(config, [], behind)
    const checkpoint = startCheckpoint(config)
    expect(effects).toEqual([{ kind: 'transfer', checkpoint, sources: [], reason: 'behind' }])
    const replica = cluster.replicas[1] ?? none()
    replica.state = state
    cluster.input(1, { kind: 'installed', checkpoint, frontier, timestampMs, ...outlook })
    cluster.run(50)
    load(cluster, 3)
    expect(cluster.status(1)).toMatchObject({ view: 0, executed: cluster.slot(3), stable: { slot: start.slot } })
  })
})

function none(): never {
  throw new Error('nothing there')
}

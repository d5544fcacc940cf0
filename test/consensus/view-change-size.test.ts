// S36: the worst ViewChange and NewView of ten replicas, b = 3: how large, how many signatures, and what is too large is dropped
// before any signature is looked at (pitfall P19).

import { describe, expect, it } from 'vitest'
import { type Certificate, encodeCertificate, type SignatureVerifier, slot } from '../../crypto/index.ts'
import {
  logWindow,
  type Message,
  type NewView,
  type VerifyContext,
  type ViewChange,
  verifyMessage,
} from '../../src/consensus/index.ts'
import { type Fault, Simulation, scenarioOf } from '../../src/simulation/index.ts'

const GROUP = { replicas: 10, byzantine: 3, crash: 0 }
const PARAMETERS = { window: 8, checkpointInterval: 8, maxBatchRequests: 1 }
const QUORUM = 7
/** Signature lines in the stable checkpoint of a ViewChange; the genesis has none. */
const CHECKPOINT_BYTES = 8 + 32 + 32 + QUORUM * 66
/** A vote: statement, signer, signature. */
const VOTE_BYTES = 161 + 2 + 64

// In three views in a row everything is prepared by everybody, nothing is accepted, and the window fills.
const faults = [0, 1, 2].map((view): Fault => ({ do: 'drop', messages: { kind: 'accept', view } }))
const liars = [7, 8, 9].map((replica) => ({ replica, behaviour: 'relabel' }))
const { newViews, viewChanges, context } = recorded()

function recorded() {
  const messages = new Set<Message>()
  const scenario = scenarioOf({
    seed: 'S36',
    group: GROUP,
    parameters: PARAMETERS,
    liars,
    faults,
    clients: [{ operations: 60, outstanding: 30, bundle: 1, retryMs: 200 }],
  })
  const simulation = new Simulation(scenario, {
    observers: () => [{ sent: (replica, _to, message) => void (replica.honest && messages.add(message)) }],
  })
  expect(simulation.run().failure).toBeUndefined()
  const newViews: NewView[] = []
  const viewChanges: ViewChange[] = []
  for (const message of messages) {
    if (message.kind === 'new-view') newViews.push(message.newView)
    if (message.kind === 'view-change') viewChanges.push(message.viewChange)
  }
  return { newViews, viewChanges, context: simulation.group.context }
}

/** How many signatures are checked for `message`, and whether it is good. */
function cost(message: Message): { checks: number; ok: boolean } {
  let checks = 0
  const verifier: SignatureVerifier = {
    verify: (key, bytes, signature) => {
      checks++
      return context.verifier.verify(key, bytes, signature)
    },
  }
  const counting: VerifyContext = { ...context, verifier }
  const { ok } = verifyMessage(message, counting)
  return { checks, ok }
}

function sizeOf({ prepared }: ViewChange): number {
  return VOTE_BYTES + CHECKPOINT_BYTES + prepared.reduce((sum, each) => sum + encodeCertificate(each).length, 0)
}

const fullest = viewChanges.reduce((a, b) => (b.prepared.length > a.prepared.length ? b : a))
const largest = newViews.reduce((a, b) => (b.proposals.length > a.proposals.length ? b : a))
const bound = logWindow({ ...context.parameters })

describe('S36: with ten replicas and a full window prepared, three views in a row', () => {
  it('views 1 to 3 began, each by a NewView over full ViewChanges', () => {
    expect(new Set(newViews.map(({ view }) => Number(view)))).toEqual(new Set([1, 2, 3]))
    expect(fullest.prepared.length).toBe(PARAMETERS.window)
    expect(largest.proposals.length).toBe(PARAMETERS.window)
    expect(largest.viewChanges).toHaveLength(QUORUM)
  })

  it('a ViewChange has at most a certificate for each slot of the log window, and a NewView q of them', () => {
    const certificate = 161 + 2 + QUORUM * 66
    for (const each of viewChanges) {
      expect(each.prepared.length).toBeLessThanOrEqual(bound)
      expect(sizeOf(each)).toBeLessThanOrEqual(VOTE_BYTES + CHECKPOINT_BYTES + bound * certificate)
    }
    const total =
      largest.viewChanges.reduce((sum, each) => sum + sizeOf(each), 0) + largest.proposals.length * VOTE_BYTES
    expect(total).toBeLessThanOrEqual(
      QUORUM * (VOTE_BYTES + CHECKPOINT_BYTES + bound * certificate) + bound * VOTE_BYTES,
    )
    expect(total).toBeLessThan(64 * 1024)
  })

  it('costs one signature check for each signature in it, and no more', () => {
    const inViewChange = (each: ViewChange) =>
      1 + each.stable.signatures.length + each.prepared.reduce((sum, { signatures }) => sum + signatures.length, 0)
    expect(cost({ kind: 'view-change', viewChange: fullest })).toEqual({ ok: true, checks: inViewChange(fullest) })
    const all = largest.viewChanges.reduce((sum, each) => sum + inViewChange(each), 0)
    const expected = { ok: true, checks: 1 + all + largest.proposals.length }
    expect(cost({ kind: 'new-view', newView: largest })).toEqual(expected)
    expect(expected.checks).toBeLessThanOrEqual(QUORUM * (1 + QUORUM + bound * QUORUM) + 1 + bound)
  })

  it('what is padded beyond the window, repeated or out of order is dropped before any signature is checked', () => {
    const [one] = fullest.prepared
    if (one === undefined) throw new Error('nothing prepared')
    const at = (number: number): Certificate => ({ ...one, statement: { ...one.statement, slot: slot(number) } })
    const padded = Array.from({ length: bound + 1 }, (_, i) => at(fullest.stable.slot + 1 + i))
    const cases: ViewChange[] = [
      { ...fullest, prepared: padded },
      { ...fullest, prepared: [one, one] },
      { ...fullest, prepared: [at(fullest.stable.slot + bound + 1)] },
      { ...fullest, prepared: [...fullest.prepared].reverse() },
    ]
    for (const viewChange of cases) {
      expect(cost({ kind: 'view-change', viewChange })).toEqual({ ok: false, checks: 0 })
    }
    const crowded = { ...largest, viewChanges: [...largest.viewChanges, ...largest.viewChanges] }
    expect(cost({ kind: 'new-view', newView: crowded })).toEqual({ ok: false, checks: 0 })
    const hollow = { ...largest, viewChanges: largest.viewChanges.slice(1) }
    expect(cost({ kind: 'new-view', newView: hollow })).toEqual({ ok: false, checks: 0 })
  })
})

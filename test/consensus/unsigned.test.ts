// Crash mode without signatures under votes (`signedVotes: false`): replicas believe their channels, nobody outside believes anything.

import { describe, expect, it } from 'vitest'
import { UNSIGNED, unsignedVerifier } from '../../crypto/index.ts'
import {
  type DurableRecord,
  type Message,
  replicaVerifiers,
  unsignedVotesReason,
  type VerifyContext,
  verifyMessage,
} from '../../src/consensus/index.ts'
import { type RunReport, runScenario, type Scenario, Simulation, scenarioOf } from '../../src/simulation/index.ts'

const GROUP = { replicas: 3, byzantine: 0, crash: 1 }
const SETTINGS = {
  group: GROUP,
  parameters: { signedVotes: false, window: 2, checkpointInterval: 2, maxBatchRequests: 2 },
  clients: [{ operations: 40, outstanding: 4, bundle: 2, thinkUs: 2000, retryMs: 200 }],
}

function expectSound({ failure, operations }: RunReport): void {
  expect(failure).toBeUndefined()
  expect(operations.answered).toBe(operations.asked)
}

/** All messages and records of one run, and the context of its verifiers. */
function recorded(scenario: Scenario): { messages: Message[]; records: DurableRecord[]; context: VerifyContext } {
  const messages: Message[] = []
  const records: DurableRecord[] = []
  const simulation = new Simulation(scenario, {
    observers: () => [
      {
        sent: (_replica, _to, message) => void messages.push(message),
        durable: (_replica, written) => void records.push(...written),
      },
    ],
  })
  expect(simulation.run().failure).toBeUndefined()
  return { messages, records, context: simulation.group.context }
}

const crashed = scenarioOf({
  ...SETTINGS,
  seed: 'unsigned',
  faults: [{ do: 'crash', replica: 0, when: { record: 'chosen', of: 1, nth: 3 }, until: { afterMs: 600 } }],
})
const { messages, records, context } = recorded(crashed)
const { voteVerifier: _, ...thirdParty } = context

describe('votes that are not signed', () => {
  it('decide, survive a leader and a restart, and lead to checkpoints and snapshots', () => {
    const report = runScenario(crashed)
    expectSound(report)
    expect(report.witnesses['view changed']).toBeGreaterThan(0)
    expect(report.witnesses['restart with votes']).toBeGreaterThan(0)
    expect(report.witnesses['checkpoint stable']).toBeGreaterThan(0)
    const away = { do: 'crash', replica: 2, until: { atMs: 300 } }
    const behind = runScenario(scenarioOf({ ...SETTINGS, seed: 'behind', faults: [away] }))
    expectSound(behind)
    expect(behind.witnesses['snapshot installed']).toBeGreaterThan(0)
  })

  it('carry zeros, and so do the certificates and NewViews made of them; checkpoints and requests are signed', () => {
    const votes = messages.flatMap((message) =>
      message.kind === 'vote' || message.kind === 'propose' ? message.vote : [],
    )
    expect(votes.length).toBeGreaterThan(20)
    expect(votes.every(({ signature }) => signature === UNSIGNED)).toBe(true)
    const newViews = messages.filter(({ kind }) => kind === 'new-view')
    expect(newViews.length).toBeGreaterThan(0)
    const notes = messages.flatMap((message) => (message.kind === 'checkpoint' ? message.vote : []))
    expect(notes.length).toBeGreaterThan(0)
    expect(notes.some(({ signature }) => signature === UNSIGNED)).toBe(false)
  })

  it('are taken by replicas, and by nobody else, who is told why', () => {
    for (const kind of ['vote', 'propose', 'view-change', 'new-view'] as const) {
      const message = messages.find((each) => each.kind === kind)
      if (message === undefined) throw new Error(`no ${kind}`)
      expect(verifyMessage(message, context).ok).toBe(true)
      expect(verifyMessage(message, thirdParty)).toMatchObject({ ok: false, fault: { code: 'unsigned-votes' } })
    }
    expect(unsignedVotesReason(context.parameters)).toMatch(/signedVotes: false/)
    expect(unsignedVotesReason({ ...context.parameters, signedVotes: true })).toBeUndefined()
  })

  it('make certificates that prove a decision to replicas alone', () => {
    const chosen = records.find((record) => record.kind === 'chosen')
    const body = records.find(
      (record) =>
        record.kind === 'entry' &&
        chosen?.kind === 'chosen' &&
        record.entry.header.slot === chosen.certificate.statement.slot,
    )
    if (chosen?.kind !== 'chosen' || body?.kind !== 'entry') throw new Error('nothing was decided')
    const answer: Message = { kind: 'entries', entries: [{ entry: body.entry, certificate: chosen.certificate }] }
    expect(verifyMessage(answer, context).ok).toBe(true)
    expect(verifyMessage(answer, thirdParty)).toMatchObject({
      ok: false,
      fault: { code: 'certificate: unsigned-votes' },
    })
  })

  it('are refused with anything but zeros under them, and zeros are refused where votes are signed', () => {
    const message = messages.find((each) => each.kind === 'vote')
    if (message?.kind !== 'vote') throw new Error('no vote')
    const other = UNSIGNED.slice()
    other[7] = 1
    const forged = { ...message, vote: { ...message.vote, signature: other as typeof UNSIGNED } }
    expect(verifyMessage(forged, context).ok).toBe(false)
    const signed = { ...context.parameters, signedVotes: true }
    const strict = { ...thirdParty, parameters: signed, ...replicaVerifiers(signed, context.verifier) }
    expect(strict.voteVerifier).toBeUndefined()
    expect(verifyMessage(message, strict)).toMatchObject({ ok: false, fault: { code: 'bad-signature' } })
    expect(replicaVerifiers(context.parameters, context.verifier).voteVerifier).toBe(unsignedVerifier)
  })

  it('leave requests and checkpoints to their signatures', () => {
    const note = messages.find((each) => each.kind === 'checkpoint')
    if (note?.kind !== 'checkpoint') throw new Error('no checkpoint')
    expect(verifyMessage(note, context).ok).toBe(true)
    expect(verifyMessage(note, thirdParty).ok).toBe(true)
    expect(verifyMessage({ ...note, vote: { ...note.vote, signature: UNSIGNED } }, context).ok).toBe(false)
    const propose = messages.find((each) => each.kind === 'propose')
    const request = propose?.kind === 'propose' ? propose.entry.requests[0] : undefined
    if (request === undefined) throw new Error('no request')
    const stripped = { ...request, proof: { ...request.proof, signature: UNSIGNED } }
    expect(verifyMessage({ kind: 'requests', requests: [request] }, context).ok).toBe(true)
    expect(verifyMessage({ kind: 'requests', requests: [stripped] }, context).ok).toBe(false)
  })
})

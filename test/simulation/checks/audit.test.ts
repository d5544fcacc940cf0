// The auditor over a whole run: what honest replicas kept passes, and each thing that a liar could have put there does not.

import { beforeAll, describe, expect, it } from 'vitest'
import { sha256, slot, utf8 } from '../../../crypto/index.ts'
import type { Effect } from '../../../src/consensus/index.ts'
import type { EntryResults } from '../../../src/machine/index.ts'
import {
  AuditCheck,
  allChecks,
  auditOf,
  type Observer,
  type ReplicaView,
  Simulation,
  scenarioOf,
  Violation,
} from '../../../src/simulation/index.ts'

type Heard =
  | { readonly replica: ReplicaView; readonly effect: Effect }
  | { readonly replica: ReplicaView; readonly slot: number; readonly results: EntryResults }

/** A run of which the first leader equivocates, and all that an auditor could hear of it. */
const scenario = scenarioOf({
  parameters: { window: 2, checkpointInterval: 4, maxBatchRequests: 2 },
  clients: [{ operations: 40, outstanding: 4, bundle: 4 }],
  liars: [{ replica: 0, behaviour: 'equivocate' }],
})
const heard: Heard[] = []
let simulation: Simulation

beforeAll(() => {
  const listener: Observer = {
    effect: (replica, effect) => void heard.push({ replica, effect }),
    executed: (replica, at, results) => void heard.push({ replica, slot: at, results }),
  }
  simulation = new Simulation(scenario, { observers: (running) => [...allChecks(running), listener] })
  expect(simulation.run().failure).toBeUndefined()
})

interface Tampering {
  readonly effect?: (effect: Effect) => Effect | undefined
  readonly records?: (at: number, records: readonly Uint8Array[]) => readonly Uint8Array[]
  readonly isHonest?: (replica: number) => boolean
}

/** What the auditor says to the run, told again with something changed. */
function audited({ effect: change, records, isHonest }: Tampering = {}): string | undefined {
  const check = new AuditCheck(() => auditOf(simulation.group), isHonest ?? ((replica) => replica !== 0))
  for (const each of heard) {
    if ('effect' in each) {
      const effect = change === undefined ? each.effect : change(each.effect)
      if (effect !== undefined) check.effect(each.replica, effect)
    } else {
      const { results } = each
      const changed = records === undefined ? results.records : records(each.slot, results.records)
      check.executed(each.replica, each.slot, { ...results, records: changed })
    }
  }
  try {
    check.finished()
    return undefined
  } catch (error) {
    if (error instanceof Violation) return `${error.invariant}: ${error.message}`
    throw error
  }
}

describe('I14', () => {
  it('holds for what the honest replicas of a run with a liar kept, which convicts the liar', () => {
    expect(heard.some((each) => 'effect' in each && each.effect.kind === 'evidence')).toBe(true)
    expect(heard.some((each) => 'effect' in each && each.effect.kind === 'stabilize')).toBe(true)
    expect(audited()).toBeUndefined()
  })

  it('is broken by a certificate of which one signature is another', () => {
    const effect = (each: Effect): Effect => {
      if (each.kind !== 'execute' || each.entry.header.slot !== 5) return each
      const [first, ...others] = each.certificate.signatures
      if (first === undefined || others[0] === undefined) return each
      const signatures = [{ ...first, signature: others[0].signature }, ...others]
      return { ...each, certificate: { ...each.certificate, signatures } }
    }
    expect(audited({ effect })).toMatch(/^I14 audit: slot 5: certificate: nothing shows that it was chosen/)
  })

  it('is broken by a slot that nobody kept', () => {
    const effect = (each: Effect) => (each.kind === 'execute' && each.entry.header.slot === 3 ? undefined : each)
    expect(audited({ effect })).toMatch(/^I14 audit: slot 3 is missing/)
  })

  it('is broken by results that are not those that were signed', () => {
    const records = (at: number, kept: readonly Uint8Array[]) => (at === 6 ? kept.slice(0, -1) : kept)
    expect(audited({ records })).toMatch(/^I14 audit: slot 6: result: /)
  })

  it.each(['logRoot', 'stateRoot'])('is broken by a stable checkpoint with another %s', (field) => {
    const effect = (each: Effect): Effect =>
      each.kind === 'stabilize' && each.checkpoint.slot === 8
        ? { ...each, checkpoint: Object.assign({ ...each.checkpoint }, { [field]: sha256(utf8('another')) }) }
        : each
    expect(audited({ effect })).toBe("I14 audit: checkpoint 8 can't be exported")
  })

  it('is broken by evidence that convicts nobody, and by evidence that convicts somebody honest', () => {
    const effect = (each: Effect): Effect =>
      each.kind === 'evidence' && each.evidence.kind === 'two-votes'
        ? { ...each, evidence: { ...each.evidence, second: each.evidence.first } }
        : each
    expect(audited({ effect })).toBe('I14 audit: evidence (two-votes) does not convict r0')
    expect(audited({ isHonest: () => true })).toBe('I14 audit: convicts 0, who are honest')
  })

  it('is broken by an entry in place of another, whose certificate is that of its own slot', () => {
    const effect = (each: Effect): Effect =>
      each.kind === 'execute' && each.entry.header.slot === 7
        ? { ...each, entry: { ...each.entry, header: { ...each.entry.header, slot: slot(6) } } }
        : each
    expect(audited({ effect })).toMatch(/^I14 audit: slot 7 is missing/)
  })
})

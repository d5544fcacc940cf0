// One scenario, run with all checks and witnesses, and what there is to say about it afterwards.

import { allChecks } from './checks/index.ts'
import type { CoreFactory } from './core.ts'
import type { Operation } from './history.ts'
import type { NetworkCounts } from './kernel/index.ts'
import type { Scenario } from './scenario.ts'
import { type SignatureSuite, simulatedSuite } from './signatures.ts'
import { type Excuse, type Failure, Simulation } from './simulation.ts'
import { type Witness, Witnesses } from './witnesses.ts'

export interface RunOptions {
  /** Real Ed25519, for the scenarios that ask for it; without it they too are run with simulated signatures. */
  readonly realSuite?: SignatureSuite
  readonly coreFactory?: CoreFactory
}

/** The report of one run: plain data, so that it may cross threads. */
export interface RunReport {
  readonly failure: Failure | undefined
  /** Fingerprint of everything that happened; equal for equal runs. */
  readonly hash: string
  readonly events: number
  readonly simulatedMs: number
  /** From the healing until all was answered and alike. */
  readonly recoveryMs: number
  readonly operations: { readonly asked: number; readonly answered: number; readonly givenUp: number }
  /** Which suite signed: `simulated` or that of real Ed25519. */
  readonly signatures: string
  /** Replicas that lied, twins and wiped ones among them. */
  readonly liars: number
  /** Faults that were really done, by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly network: Readonly<NetworkCounts>
  readonly witnesses: Readonly<Partial<Record<Witness, number>>>
  /** Why less was asked of this run than of others, by name. */
  readonly excuses: readonly Excuse[]
}

/** Runs `scenario` from its first event to its verdict. Never throws but for a scenario that makes no sense. */
export function runScenario(scenario: Scenario, options: RunOptions = {}): RunReport {
  const witnesses = new Witnesses(scenario.group.byzantine === 0, scenario.parameters.maxBatchBytes)
  const operations: Operation[] = []
  const listener = { invoked: (operation: Operation) => void operations.push(operation) }
  const { realSuite, coreFactory } = options
  const suite = scenario.signatures === 'real' && realSuite !== undefined ? realSuite : simulatedSuite
  const simulation = new Simulation(scenario, {
    suite,
    ...(coreFactory !== undefined && { coreFactory }),
    observers: (running) => [...allChecks(running), witnesses, listener],
  })
  const { ledger, ...verdict } = simulation.run()
  return {
    ...verdict,
    operations: {
      asked: operations.length,
      answered: operations.filter(({ outcome }) => outcome !== 'unknown').length,
      givenUp: operations.filter(({ givenUp }) => givenUp).length,
    },
    signatures: suite.name,
    liars: simulation.replicas.filter(({ honest }) => !honest).length,
    faults: Object.fromEntries(ledger),
    witnesses: Object.fromEntries(witnesses.counts),
    excuses: simulation.excuses,
  }
}

// Makes a failing scenario small: takes away faults, then changes of the members, requests and clients, then liars, then what disturbs the network, as
// long as the same invariant still fails. Each part of a run draws from a stream of its own, so what stays behaves as it did.

import { identitiesIn } from './cast.ts'
import type { Scenario } from './scenario.ts'
import type { Failure } from './simulation.ts'

export interface Shrunk {
  readonly scenario: Scenario
  readonly failure: Failure
  readonly runs: number
}

/** How a scenario ends. */
export type Attempt = (scenario: Scenario) => Failure | undefined

/**
 * The smallest scenario found that fails the same invariant as `scenario`, which fails with `failure`, within so many runs.
 * Deterministic where `attempt` is.
 */
export function shrink(scenario: Scenario, failure: Failure, attempt: Attempt, runs = 200): Shrunk {
  const budget = { left: runs }
  let best: Best = { scenario, failure }
  for (;;) {
    const before = best
    for (const pass of PASSES) best = pass(best, (candidate) => tryOne(candidate, failure.invariant, attempt, budget))
    if (best === before || budget.left <= 0) return { ...best, runs: runs - Math.max(0, budget.left) }
  }
}

interface Best {
  readonly scenario: Scenario
  readonly failure: Failure
}

type Try = (candidate: Scenario) => Best | undefined
type Pass = (best: Best, attempt: Try) => Best

const PASSES: readonly Pass[] = [
  withoutSome('faults'),
  fewerChanges,
  fewerRequests,
  withoutSome('clients'),
  withoutSome('liars'),
  withoutSome('twins'),
  simplerSurroundings,
]

function tryOne(scenario: Scenario, invariant: string, attempt: Attempt, budget: { left: number }): Best | undefined {
  if (budget.left-- <= 0) return undefined
  const failure = attempt(scenario)
  return failure?.invariant === invariant ? { scenario, failure } : undefined
}

/** Takes away halves of a list, then quarters, and so on down to single items. Ref: Zeller, delta debugging, 2002. */
function withoutSome(name: 'faults' | 'clients' | 'liars' | 'twins'): Pass {
  return (start, attempt) => {
    let best = start
    for (let size = Math.ceil(best.scenario[name].length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < best.scenario[name].length; ) {
        const left = [...best.scenario[name].slice(0, from), ...best.scenario[name].slice(from + size)]
        const found = attempt({ ...best.scenario, [name]: left })
        if (found === undefined) from += size
        else best = found
      }
    }
    return best
  }
}

/** Without the last changes of the members, and without those that only they bring. */
function fewerChanges(start: Best, attempt: Try): Best {
  let best = start
  while (best.scenario.changes.length > 0) {
    const { scenario } = best
    const changes = scenario.changes.slice(0, -1)
    const left = identitiesIn({ ...scenario, changes })
    const found = attempt({
      ...{ ...scenario, changes },
      core: scenario.core.filter((replica) => replica < left),
      liars: scenario.liars.filter(({ replica }) => replica < left),
      clocks: scenario.clocks.slice(0, left + scenario.twins.length),
    })
    if (found === undefined) return best
    best = found
  }
  return best
}

function fewerRequests(start: Best, attempt: Try): Best {
  let best = start
  best.scenario.clients.forEach((_, i) => {
    for (;;) {
      const client = best.scenario.clients[i]
      if (client === undefined || client.operations <= 1) return
      const operations = Math.floor(client.operations / 2)
      const clients = best.scenario.clients.map((each, j) => (j === i ? { ...each, operations } : each))
      const found = attempt({ ...best.scenario, clients })
      if (found === undefined) return
      best = found
    }
  })
  return best
}

/** A network that loses and doubles nothing, exact clocks, a fast disk, one request at a time. */
function simplerSurroundings(start: Best, attempt: Try): Best {
  const changes: ((scenario: Scenario) => Partial<Scenario>)[] = [
    ({ network }) => ({ network: { ...network, lossProbability: 0 } }),
    ({ network }) => ({ network: { ...network, duplicateProbability: 0 } }),
    ({ network }) => ({ network: { ...network, slowProbability: 0 } }),
    ({ network }) => ({ network: { ...network, ordered: true } }),
    () => ({ clocks: [] }),
    ({ disk }) => ({ disk: { ...disk, slowProbability: 0, keepUnsyncedProbability: 0 } }),
    ({ clients }) => ({ clients: clients.map((client) => ({ ...client, outstanding: 1, bundle: 1 })) }),
    ({ clients }) => ({ clients: clients.map(({ deadlineMs: _, ...client }) => client) }),
    ({ workload }) => ({ workload: { ...workload, reads: 0, deletes: 0, swaps: 0 } }),
  ]
  let best = start
  for (const change of changes) {
    const candidate = { ...best.scenario, ...change(best.scenario) }
    if (JSON.stringify(candidate) === JSON.stringify(best.scenario)) continue
    best = attempt(candidate) ?? best
  }
  return best
}

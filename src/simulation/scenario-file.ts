// Scenarios in files. A file names what matters and leaves the rest to the calm defaults below; what it names is checked against
// them, member by member, so that a misspelt setting is refused and not ignored.

import { quorumFault } from '../../crypto/index.ts'
import { parseBehaviour } from '../byzantine/index.ts'
import { MUTATIONS } from '../consensus/index.ts'
import { identitiesIn, membersByEpoch } from './cast.ts'
import { SHELL_DEFECTS } from './core.ts'
import { DAMAGES, type FaultAction, type MembershipChange, SCENARIO_FORMAT, type Scenario } from './scenario.ts'

/** What is wrong with a scenario, in one sentence that begins with the member's path. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'
}

/** Four replicas, a quick and sound network, one client; nothing goes wrong. */
export const CALM: Scenario = {
  format: SCENARIO_FORMAT,
  about: '',
  seed: 'calm',
  group: { replicas: 4, byzantine: 1, crash: 0 },
  parameters: {
    window: 8,
    checkpointInterval: 16,
    maxBatchRequests: 64,
    maxBatchBytes: 65_536,
    maxRequestBytes: 4096,
    clockDriftMs: 5000,
    viewTimeoutMs: 100,
    viewTimeoutCapMs: 800,
    clockRatePercent: 10,
    rotation: { policy: 'sticky' },
    signedVotes: true,
  },
  signatures: 'simulated',
  network: {
    minDelayUs: 100,
    meanExtraUs: 400,
    slowProbability: 0,
    slowUs: 0,
    lossProbability: 0,
    duplicateProbability: 0,
    ordered: false,
  },
  disk: { meanSyncUs: 300, slowProbability: 0, keepUnsyncedProbability: 0 },
  clocks: [],
  shell: { tickMs: 5, executeUs: 20, truncates: true, keptResults: 64 },
  clients: [{ operations: 40, outstanding: 4, bundle: 4, thinkUs: 0, retryMs: 200 }],
  workload: { keys: 2, reads: 40, deletes: 5, swaps: 10 },
  liars: [],
  twins: [],
  faults: [],
  changes: [],
  safetyMs: 5000,
  core: [],
  livenessMs: 12_000,
  defects: [],
}

/** Members that need not be in the defaults, by path; their values are of these types. */
const OPTIONAL: Readonly<Record<string, string>> = {
  'clients[].deadlineMs': 'number',
  'clients[].fault': 'string',
  'clients[].reads': 'string',
  'parameters.rotation.slots': 'number',
  'workload.leases': 'number',
  'workload.leaseTtlMs': 'number',
}

/** Lists whose items have no default to be checked against here. */
const FREE = new Set(['faults', 'changes', 'liars', 'twins', 'core', 'defects', 'clocks'])

const ACTIONS: Readonly<Record<FaultAction['do'], readonly string[]>> = {
  cut: ['links'],
  clog: ['links'],
  crash: ['replica'],
  'fail-disk': ['replica'],
  pause: ['replica'],
  'slow-disk': ['replica', 'factor'],
  clock: ['replica', 'byMs'],
  drop: ['messages'],
  delay: ['messages', 'byMs'],
}

/** The scenario that `value`, parsed JSON, describes. @throws {ScenarioError} where it makes no sense. */
export function scenarioOf(value: unknown): Scenario {
  if (!isRecord(value)) throw new ScenarioError('scenario: expected an object')
  if (value.format !== undefined && value.format !== SCENARIO_FORMAT) {
    throw new ScenarioError(`format: expected ${SCENARIO_FORMAT}, got ${JSON.stringify(value.format)}`)
  }
  const merged = merge('', CALM, value)
  // The shape is that of the defaults, member by member, and the lists are checked below.
  const scenario = merged as unknown as Scenario
  scenario.changes.forEach(checkChange)
  checkGroup(scenario)
  checkEpochs(scenario)
  scenario.faults.forEach(checkFault)
  for (const liar of scenario.liars) checkLiar(liar)
  const core = scenario.core.length > 0 ? scenario.core : defaultCore(scenario)
  return { ...scenario, core }
}

/** `defaults` with what `given` says; every member of it must have one like it in the defaults. */
function merge(path: string, defaults: object, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    const at = path === '' ? name : `${path}.${name}`
    const known: unknown = Reflect.get(defaults, name)
    const type = known === undefined ? OPTIONAL[at.replace(/\[\d+\]/g, '[]')] : undefined
    if (known === undefined && type === undefined) throw new ScenarioError(`${at}: no such setting`)
    if (Array.isArray(known)) merged[name] = list(at, known, value)
    else if (isRecord(known)) {
      if (!isRecord(value)) throw new ScenarioError(`${at}: expected an object`)
      merged[name] = merge(at, known, value)
    } else {
      const wanted = type ?? typeof known
      if (typeof value !== wanted) throw new ScenarioError(`${at}: expected a ${wanted}, got ${JSON.stringify(value)}`)
      merged[name] = value
    }
  }
  return merged
}

function list(path: string, defaults: readonly unknown[], value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new ScenarioError(`${path}: expected a list`)
  const [example] = defaults
  if (FREE.has(path) || !isRecord(example)) return value
  return value.map((item: unknown, i) => {
    if (!isRecord(item)) throw new ScenarioError(`${path}[${i}]: expected an object`)
    return merge(`${path}[${i}]`, example, item)
  })
}

function checkGroup({ group, core, twins, clocks, defects, changes }: Scenario): void {
  const fault = quorumFault(group)
  if (fault !== undefined) throw new ScenarioError(`group: ${fault}`)
  if (changes.length > 0 && twins.length > 0) throw new ScenarioError('changes: none where there are twins')
  const all = identitiesIn({ group, changes })
  if (core.some((replica) => !isReplica(replica, all))) throw new ScenarioError('core: no such replica')
  if (twins.some((replica) => !isReplica(replica, group.replicas))) throw new ScenarioError('twins: no such replica')
  if (clocks.length > all + twins.length) throw new ScenarioError('clocks: more than replicas')
  const known: readonly string[] = [...MUTATIONS, ...SHELL_DEFECTS]
  const unknown = defects.find((defect) => !known.includes(defect))
  if (unknown !== undefined) throw new ScenarioError(`defects: no defect ${JSON.stringify(unknown)}`)
}

function checkChange(change: unknown, i: number): void {
  const path = `changes[${i}]`
  if (!isRecord(change)) throw new ScenarioError(`${path}: expected an object`)
  for (const name of ['afterMs', 'add']) {
    if (!Number.isSafeInteger(change[name])) throw new ScenarioError(`${path}.${name}: expected a whole number`)
  }
  if (!Array.isArray(change.remove)) throw new ScenarioError(`${path}.remove: expected a list`)
  for (const name of ['replace', 'rotate']) {
    if (change[name] !== undefined && !Array.isArray(change[name]))
      throw new ScenarioError(`${path}.${name}: expected a list`)
  }
  for (const name of ['quorum', 'parameters']) {
    if (change[name] !== undefined && !isRecord(change[name]))
      throw new ScenarioError(`${path}.${name}: expected an object`)
  }
}

/** Every epoch must be one that the members may decide on. */
function checkEpochs({ group, changes, parameters }: Scenario): void {
  const members = membersByEpoch({ group, changes })
  let quorum: NonNullable<MembershipChange['quorum']> = group
  changes.forEach((change, i) => {
    quorum = change.quorum ?? quorum
    const fault = quorumFault({ ...quorum, replicas: members[i + 1]?.length ?? 0 })
    if (fault !== undefined) throw new ScenarioError(`changes[${i}]: ${fault}`)
    const unknown = Object.keys(change.parameters ?? {}).find((name) => !Object.hasOwn(parameters, name))
    if (unknown !== undefined) throw new ScenarioError(`changes[${i}].parameters.${unknown}: no such setting`)
  })
}

function checkFault(fault: unknown, i: number): void {
  const path = `faults[${i}]`
  if (!isRecord(fault)) throw new ScenarioError(`${path}: expected an object`)
  const members = Object.entries(ACTIONS).find(([name]) => name === fault.do)?.[1]
  if (members === undefined) {
    throw new ScenarioError(
      `${path}.do: expected one of ${Object.keys(ACTIONS).join(', ')}, got ${JSON.stringify(fault.do)}`,
    )
  }
  const missing = members.find((name) => fault[name] === undefined)
  if (missing !== undefined) throw new ScenarioError(`${path}.${missing}: missing`)
  const damages: readonly unknown[] = DAMAGES
  if (fault.damaged !== undefined && !damages.includes(fault.damaged)) {
    throw new ScenarioError(`${path}.damaged: expected one of ${DAMAGES.join(', ')}`)
  }
  if (fault.told !== undefined && fault.told !== true)
    throw new ScenarioError(`${path}.told: expected true, or nothing`)
  for (const name of ['when', 'until']) {
    if (fault[name] !== undefined && !isRecord(fault[name]))
      throw new ScenarioError(`${path}.${name}: expected an object`)
  }
}

function checkLiar(liar: unknown): void {
  if (!isRecord(liar) || typeof liar.replica !== 'number' || typeof liar.behaviour !== 'string') {
    throw new ScenarioError('liars: expected {"replica": I, "behaviour": NAME}')
  }
  parseBehaviour(liar.behaviour)
}

/** All that are honest. Those that are no members at the end serve the others, and finish nothing. */
function defaultCore({ group, liars, twins, changes }: Scenario): number[] {
  const lying = new Set([...twins, ...liars.map(({ replica }) => replica)])
  return Array.from({ length: identitiesIn({ group, changes }) }, (_, i) => i).filter((each) => !lying.has(each))
}

function isReplica(value: unknown, replicas: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < replicas
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

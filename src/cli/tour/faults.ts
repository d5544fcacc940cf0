// The tour's first half: a cluster under load, and one fault at a time, as b = 1 allows.

import { checkLinearizability, logOrderFault } from '../../simulation/index.ts'
import type { LocalCluster } from '../launch/local-cluster.ts'
import type { ReplicaReport } from '../launch/messages.ts'
import type { Load } from './load.ts'
import { ClaimFailed, claim, counted, type Progress, type Shown, seconds } from './story.ts'

/** No step takes so long on a machine that is not broken. */
export const STEP_WITHIN_MS = 40_000
/** How long the load runs before anything goes wrong, and the least that it must get done. */
const WORK_MS = 4_000
const LEAST_REQUESTS = 100
/** Answers after a fault that show that the cluster goes on. */
const MORE_REQUESTS = 100
/** How often the progress is redrawn. */
const LOOK_EVERY_MS = 50

/** What the steps share. */
export interface Scene {
  readonly cluster: LocalCluster
  readonly load: Load
  readonly signal: AbortSignal
}

export async function workUnderLoad({ load, signal }: Scene, progress: Progress): Promise<Shown> {
  const begun = performance.now()
  await answers(load, 1, signal, progress)
  while (performance.now() < begun + WORK_MS) {
    progress((performance.now() - begun) / WORK_MS, `${counted(load.done)} requests answered`)
    await answers(load, 1, signal, () => {})
  }
  await answers(load, Math.max(0, LEAST_REQUESTS - load.done), signal, progress)
  const requests = load.done
  const perSecond = Math.round((1000 * requests) / (performance.now() - begun))
  return {
    text: `${counted(requests)} puts, gets and deletes, ${counted(perSecond)} a second; each has a receipt of two replicas`,
    facts: { requests, perSecond },
  }
}

export interface Killed {
  readonly index: number
  /** The last slot that it had executed. */
  readonly slot: number
}

export async function killLeader(scene: Scene, progress: Progress): Promise<Shown & Killed> {
  const { cluster, load, signal } = scene
  const index = cluster.leader() ?? 0
  const slot = cluster.report(index)?.executed ?? 0
  const ending = cluster.kill(index)
  load.mark()
  const { text } = await ending
  claim(text === 'killed by SIGKILL', `replica ${index} was to be killed, and it ended so: ${text}`)
  await answers(load, MORE_REQUESTS, signal, progress)
  const pauseMs = load.longestPauseMs()
  const leader = cluster.leader()
  claim(leader !== undefined && leader !== index, `replica ${index} is dead, and still counts as the leader`)
  return {
    text: `replica ${index} led; answers paused for ${seconds(pauseMs)}, then went on under replica ${leader}`,
    facts: { killed: index, pauseMs: Math.round(pauseMs), leader },
    ...{ index, slot },
  }
}

export async function comeBack(scene: Scene, { index, slot }: Killed, progress: Progress): Promise<Shown> {
  const { cluster, signal } = scene
  const begun = performance.now()
  const target = highest(cluster.reports(), 'executed')
  await cluster.start(index)
  const own = () => cluster.report(index)
  const ticking = every(() => progress(((own()?.executed ?? slot) - slot) / Math.max(1, target - slot), 'catching up'))
  try {
    await cluster.until(
      `replica ${index} catches up with slot ${target} and agrees on the state`,
      (reports) => (own()?.executed ?? 0) >= target && reports.length === 4 && sameState(reports),
      { timeoutMs: STEP_WITHIN_MS, signal },
    )
  } finally {
    clearInterval(ticking)
  }
  const { stable = 0, stateRoot = '' } = own() ?? {}
  const tookMs = performance.now() - begun
  return {
    text: `it caught up ${counted(target - slot)} slots in ${seconds(tookMs)}; all four have state ${stateRoot.slice(0, 8)} at slot ${stable}`,
    facts: { index, slots: target - slot, tookMs: Math.round(tookMs), stable, stateRoot },
  }
}

/** Restarts a replica as a liar: the one whose turn to lead is furthest off, so that it is up when it comes. */
export async function hireLiar(
  { cluster, load, signal }: Scene,
  progress: Progress,
): Promise<Shown & { index: number }> {
  const index = ((cluster.leader() ?? 0) + 3) % 4
  await cluster.stop(index)
  await cluster.start(index, ['--liar', 'equivocate'])
  await answers(load, MORE_REQUESTS, signal, progress)
  claim(cluster.report(index)?.liar === 'equivocate', `replica ${index} should say that it lies`)
  return {
    text: `replica ${index} runs again with --liar equivocate: different entries for different replicas`,
    facts: { liar: index },
    index,
  }
}

/** Waits for the liar's turn to lead, and for the proof. */
export async function catchLiar({ cluster, load, signal }: Scene, liar: number, progress: Progress): Promise<Shown> {
  const begun = performance.now()
  const start = highest(cluster.reports(), 'executed')
  const ticking = every(() => {
    const slot = highest(cluster.reports(), 'executed')
    progress((performance.now() - begun) / STEP_WITHIN_MS, `slot ${slot}, led by ${cluster.leader() ?? 'nobody'}`)
  })
  const caughtBy = () =>
    cluster.reports().filter(({ replica, lies }) => replica !== liar && lies.some(({ accused }) => accused === liar))
  // As a follower it lies too, wherever it passes proposals on; the step is about what it does with the lead.
  let led = false
  const ledAndCaught = (reports: readonly ReplicaReport[]) => {
    led ||= reports.some(({ replica, active, leader }) => replica !== liar && active && leader === liar)
    return led && caughtBy().length > 0
  }
  try {
    await cluster.until(`replica ${liar} leads and is caught`, ledAndCaught, { timeoutMs: STEP_WITHIN_MS, signal })
    await answers(load, MORE_REQUESTS, signal, () => {})
  } finally {
    clearInterval(ticking)
  }
  const lies = caughtBy().flatMap((report) => report.lies)
  const kinds = [...new Set(lies.filter(({ accused }) => accused === liar).map(({ kind }) => kind))]
  const wronged = lies.filter(({ accused }) => accused !== liar)
  claim(wronged.length === 0, `an honest replica was accused: ${JSON.stringify(wronged)}`)
  return {
    text: `it led, and was caught by replica ${caughtBy()
      .map(({ replica }) => replica)
      .join(', ')} (${kinds.join(', ')}); requests go on`,
    facts: { liar, kinds, slots: highest(cluster.reports(), 'executed') - start },
  }
}

/** Ends the load and judges all that the clients were told. */
export async function judgeHistory({ cluster, load, signal }: Scene, liar: number): Promise<Shown> {
  await load.stop()
  const { operations } = load
  const unknown = operations.filter(({ outcome }) => outcome !== 'done').length
  claim(unknown === 0, `${unknown} requests have no outcome`)
  const order = logOrderFault(operations)
  claim(order === undefined, order ?? '')
  const { kind } = checkLinearizability(operations)
  claim(kind === 'linearizable', `the history of the clients is ${kind}`)
  const honest = (reports: readonly ReplicaReport[]) => reports.filter(({ replica }) => replica !== liar)
  await cluster.until(
    'the honest replicas agree',
    (reports) => {
      const executed = new Set(honest(reports).map((report) => report.executed))
      return honest(reports).length === 3 && executed.size === 1 && sameState(honest(reports))
    },
    { timeoutMs: STEP_WITHIN_MS, signal },
  )
  const last = highest(cluster.reports(), 'executed')
  return {
    text: `all ${counted(operations.length)} requests have an outcome, in an order that explains every answer; ${counted(last)} slots`,
    facts: { requests: operations.length, slots: last },
  }
}

/** Waits until `count` more requests were answered. @throws {ClaimFailed} where that takes too long; the signal's reason. */
export async function answers(load: Load, count: number, signal: AbortSignal, progress: Progress): Promise<void> {
  const [from, deadline] = [load.done, performance.now() + STEP_WITHIN_MS]
  while (load.done < from + count) {
    signal.throwIfAborted()
    if (load.failure !== undefined) throw load.failure
    if (performance.now() > deadline) {
      throw new ClaimFailed(
        `only ${load.done - from} of ${count} requests were answered within ${seconds(STEP_WITHIN_MS)}`,
      )
    }
    progress((load.done - from) / count, `${counted(load.done)} requests answered`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

function sameState(reports: readonly ReplicaReport[]): boolean {
  const [first] = reports
  return reports.every(({ stable, stateRoot }) => stable === first?.stable && stateRoot === first.stateRoot)
}

function highest(reports: readonly ReplicaReport[], what: 'executed' | 'stable'): number {
  return Math.max(0, ...reports.map((report) => report[what]))
}

function every(look: () => void): NodeJS.Timeout {
  return setInterval(look, LOOK_EVERY_MS)
}

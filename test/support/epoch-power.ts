// Small changes of the membership, and power cuts at any point of them.

import { EpochCluster } from './epoch-cluster.ts'
import { epochFault } from './epoch-faults.ts'
import { commandsOf, type EpochPlan } from './epoch-machine.ts'

const SMALL = { window: 4, checkpointInterval: 4 }
export const FOUR: EpochPlan = { keys: [0, 1, 2, 3], byzantine: 1, crash: 0, parameters: SMALL }
export const THREE: EpochPlan = { keys: [0, 1, 2], byzantine: 0, crash: 1, parameters: SMALL }
/** The last slot of an epoch that `changed` changes: the change comes in slot 1. */
export const LAST = 8

/** A cluster in the first step of a change to the same members. */
export function changed(plan: EpochPlan, prepare: (cluster: EpochCluster) => void = () => {}): EpochCluster {
  const cluster = new EpochCluster(plan, plan)
  prepare(cluster)
  cluster.run(100)
  cluster.submit('change', 'a')
  return cluster
}

/** All processes are in the next epoch, and have executed `texts`. */
export function allArrived(cluster: EpochCluster, ...texts: string[]): boolean {
  return cluster.processes.every((process) => {
    const done = commandsOf(process)
    return process.up && process.chain.links.length === 1 && texts.every((text) => done.includes(text))
  })
}

/**
 * What goes wrong where each of `victims` loses power with one of its appends, for every `stride`-th append up to the first ones of the
 * next epoch; undefined where nothing does.
 */
export function lossOfPower(plan: EpochPlan, victims: readonly number[], stride: number): string | undefined {
  const whole = changed(plan)
  goOn(whole)
  const appends = Math.max(...victims.map((key) => whole.process(key).appends))
  if (appends < 2 * LAST) return `a change of ${appends} appends is none`
  for (let at = 1; at <= appends; at += stride) {
    const cluster = changed(plan, ({ processes }) => {
      for (const process of processes) if (victims.includes(process.key)) process.cutAt = at
    })
    goOn(cluster)
    for (const process of cluster.processes) {
      process.cutAt = undefined
      if (!process.up) cluster.restart(process.key)
    }
    // What waited at who lost power is asked for again, as clients do.
    cluster.submit('change', 'a', 'b')
    if (!cluster.runUntil(() => allArrived(cluster, 'change', 'a', 'b'))) return `append ${at}: they do not go on`
    const fault = epochFault(cluster)
    if (fault !== undefined) return `append ${at}: ${fault}`
  }
  return undefined
}

function goOn(cluster: EpochCluster): void {
  cluster.run(200)
  cluster.submit('b')
  cluster.run(200)
}

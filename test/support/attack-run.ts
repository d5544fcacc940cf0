// One run under attack, as the tests of behaviours make it.

import { expect } from 'vitest'
import { BEHAVIOURS } from '../../src/byzantine/index.ts'
import { load, missing, runUntilDone, safetyFault } from './attack.ts'
import type { TestEpoch } from './epochs.ts'
import { type MiniCluster, miniCluster } from './mini-cluster.ts'

/** Every behaviour, and the variants that do something else. */
export const ATTACKS: readonly string[] = [
  ...Object.keys(BEHAVIOURS),
  'bad-new-view:noop',
  'bad-new-view:duplicate',
  'bad-new-view:old',
  'checkpoint-liar:past',
  'checkpoint-liar:future',
]

export interface AttackedGroup {
  readonly liars: Readonly<Record<number, string>>
  readonly replicas?: number
  readonly byzantine?: number
  readonly seed?: string
  readonly epoch?: TestEpoch
}

/** Honest clients ask for `count` things; afterwards all of them are executed everywhere and nothing contradicts itself. */
export function attack(group: AttackedGroup, count = 16): MiniCluster {
  const cluster = miniCluster(group)
  cluster.run(50)
  finish(cluster, load(cluster, count))
  return cluster
}

/** As `attack`, but the first leader loses power for a while, so that the liar may have to lead. */
export function attackThroughCrash(group: AttackedGroup): MiniCluster {
  const cluster = miniCluster(group)
  cluster.run(50)
  const texts = load(cluster, 6)
  cluster.crash(0)
  texts.push(...load(cluster, 4, 50, 'during'))
  cluster.run(600)
  cluster.restart(0)
  texts.push(...load(cluster, 12, 100, 'after'))
  finish(cluster, texts)
  return cluster
}

function finish(cluster: MiniCluster, texts: readonly string[]): void {
  runUntilDone(cluster, texts)
  expect(safetyFault(cluster)).toBeUndefined()
  expect(missing(cluster, texts)).toEqual([])
}

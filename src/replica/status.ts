// A replica's account of itself, for operators and clients.

import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { type ReplicaIndex, type Slot, slot } from '../../crypto/index.ts'
import type { Evidence } from '../consensus/index.ts'
import type { Store } from '../storage/index.ts'
import type { ReplicaStatus } from '../wire/index.ts'
import type { KeptForAudit } from './journal.ts'
import { ALARMS } from './limits.ts'
import type { MachineHost } from './machine-host.ts'
import type { Network } from './network.ts'
import type { Reigns } from './reign.ts'

export interface StatusSources {
  readonly reigns: Reigns
  readonly host: MachineHost
  readonly store: Store
  readonly network: Pick<Network, 'connected'>
  readonly kept: KeptForAudit
  readonly alarms: Alarms
  readonly startedMs: number
}

/** What an operator has to know, the newest last; the same alarm counts once. */
export class Alarms {
  readonly texts: string[] = []

  constructor(texts: readonly string[] = []) {
    for (const text of texts) this.raise(text)
  }

  raise(text: string): void {
    if (this.texts.includes(text)) return
    this.texts.push(text)
    if (this.texts.length > ALARMS) this.texts.shift()
  }
}

export function statusOf(sources: StatusSources): ReplicaStatus {
  const { reigns, host, store, network, kept, alarms, startedMs } = sources
  const { self, seats, peers, core, lies } = reigns.current
  const { view, leader, phase, chosen, executed, stable, pending, transferring } = core.status()
  return {
    replica: self,
    epoch: core.epoch,
    view,
    leader,
    active: phase === 'active',
    chosen,
    executed,
    stable: stable.slot,
    stateRoot: stable.stateRoot,
    firstSlot: firstSlotOf(store),
    pending,
    transferring,
    requests: host.requests,
    uptimeMs: Math.round(performance.now() - startedMs),
    connected: peers.filter((peer) => network.connected(seats[peer] ?? '')),
    lies: liesIn(kept.evidence.items),
    liar: lies?.name ?? '',
    alarms: [...alarms.texts],
    version: VERSION,
  }
}

function firstSlotOf({ firstSlot }: Store): Slot {
  return slot(Math.max(1, firstSlot))
}

function liesIn(evidence: readonly Evidence[]): ReplicaStatus['lies'] {
  const counts = new Map<string, { accused: ReplicaIndex; kind: string; count: number }>()
  for (const { accused, kind } of evidence) {
    const name = `${accused} ${kind}`
    const known = counts.get(name)
    if (known === undefined) counts.set(name, { accused, kind, count: 1 })
    else known.count++
  }
  return [...counts.values()]
}

const VERSION = versionText()

function versionText(): string {
  const manifest: unknown = createRequire(import.meta.url)('quorate/package.json')
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return known ? String(manifest.version) : 'unknown'
}

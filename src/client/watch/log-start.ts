// The state from which a replica's log is executed: of a stable checkpoint, chunk by chunk, each held against the root that a quorum
// signed; or, where the replica has none that is old enough, that of the genesis.

import { sha256, slot } from '../../../crypto/index.ts'
import { type AuditContext, verifyArchivedCheckpoint } from '../../audit/verify/index.ts'
import { createExecutor, type Executor, FIRST_PATH, MapRestoration, resumeExecutor } from '../../machine/index.ts'
import type { StatePart } from '../../wire/index.ts'
import { notTheStore } from '../reading.ts'

export interface LogStartParts {
  readonly context: AuditContext
  /** Asks the replica for a chunk of its newest state up to a slot; undefined where it has none. */
  readonly ask: (atMost: number, path: Uint8Array) => Promise<StatePart | undefined>
  /** Waits a little. */
  readonly pause: () => Promise<void>
}

/** An executor that stands at the slot `atMost` or before; or what the replica said that no honest one says, in words. */
export async function stateUpTo(atMost: number, { context, ask, pause }: LogStartParts): Promise<Executor | string> {
  for (;;) {
    const first = await ask(atMost, FIRST_PATH)
    if (first === undefined) {
      const { machine, genesis, executes } = context
      const { clients, cluster } = genesis
      return createExecutor({ machine, clients, cluster, hash: sha256, track: true, verifier: executes })
    }
    const { checkpoint } = first
    if (checkpoint.slot > atMost) return `it gives the state of slot ${checkpoint.slot} for one up to slot ${atMost}`
    const fault = verifyArchivedCheckpoint(first, context)
    if (fault !== undefined) return fault.message
    const executor = await restored(first, context, ask)
    if (executor !== undefined) return executor
    // It went while we fetched it.
    await pause()
  }
}

/** Undefined where the state is not there any more. */
async function restored(
  first: StatePart,
  context: AuditContext,
  ask: LogStartParts['ask'],
): Promise<Executor | string | undefined> {
  const at = first.checkpoint.slot
  const restoration = new MapRestoration(first.checkpoint.stateRoot, sha256)
  for (let part: StatePart | undefined = first; part?.checkpoint.slot === at; ) {
    const taken = restoration.offer(part.chunk)
    if (!taken.ok) return `a part of its state of slot ${at} is not what a quorum signed (${taken.fault})`
    if (restoration.next === undefined) return resumed(restoration, context)
    part = await ask(slot(at), restoration.next)
  }
  return undefined
}

function resumed(restoration: MapRestoration, { machine, executes }: AuditContext): Executor {
  try {
    return resumeExecutor({ machine, track: true, verifier: executes }, restoration.finish())
  } catch {
    throw notTheStore()
  }
}

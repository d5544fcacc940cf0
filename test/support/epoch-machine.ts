// The machine of an epoch cluster: a running hash, which takes the command `change` for what the next of the planned epochs begins with.

import {
  appendLeaf,
  type Digest,
  EMPTY_FRONTIER,
  epoch,
  equalBytes,
  type Frontier,
  hex,
  sha256,
  slot,
  utf8,
} from '../../crypto/index.ts'
import { type Charter, lastSlotAfter, membershipOf, type Succession } from '../../keys/charter/index.ts'
import type { Parameters } from '../../keys/genesis/index.ts'
import type { ChainParts, Entry, MachinePosition } from '../../src/consensus/index.ts'
import { chainParts, membersOf } from './chain.ts'
import { bytesFor } from './cluster.ts'
import { PARAMETERS } from './mini-cluster.ts'

export interface EpochPlan {
  /** Numbers of the members' keys, by position. */
  readonly keys: readonly number[]
  readonly byzantine: number
  readonly crash: number
  readonly parameters?: Partial<Parameters>
}

export interface MachineState {
  readonly executed: readonly Entry[]
  readonly root: Digest
  readonly frontier: Frontier
  readonly timestampMs: number
  readonly charter: Charter
  readonly successor: Succession | undefined
}

const CHANGE = utf8('change')
const CLUSTER_ID = bytesFor('cluster test')

/** What a cluster begins with whose first epoch is this one. */
export function partsOf(plan: EpochPlan): ChainParts {
  return { ...chainParts(plan.keys), charter: charterOf(plan) }
}

/** The state before the first entry. */
export function firstState({ charter, stateRoot: root }: ChainParts): MachineState {
  return { executed: [], root, frontier: EMPTY_FRONTIER, timestampMs: 0, charter, successor: undefined }
}

/** The state after one entry more. */
export function stateAfter(
  before: MachineState,
  entry: Entry,
  timestampMs: number,
  plans: readonly EpochPlan[],
): MachineState {
  const { slot: at } = entry.header
  const asked = entry.requests.some(({ request: { command } }) => equalBytes(command, CHANGE))
  const successor = before.successor ?? (asked ? successorOf(before.charter, at, plans) : undefined)
  const over = successor?.lastSlot === at
  return {
    executed: [...before.executed, entry],
    root: sha256(Uint8Array.of(...before.root, ...entry.digest)),
    frontier: appendLeaf(before.frontier, entry.digest),
    timestampMs,
    charter: over ? successor.charter : before.charter,
    successor: over ? undefined : successor,
  }
}

/** What the machine says of times to come. */
export function outlookOf({
  executed,
  charter,
  successor,
}: MachineState): Pick<MachinePosition, 'dueMs' | 'succession'> {
  const begun = executed.length > 0 && charter.start === executed.length
  const membership = membershipOf(charter, CLUSTER_ID).digest
  const succession = successor ?? (begun ? { lastSlot: charter.start, charter, membership } : undefined)
  return { dueMs: undefined, succession }
}

export function positionOf(machine: MachineState): MachinePosition {
  const { executed, frontier, timestampMs } = machine
  return { slot: slot(executed.length), frontier, timestampMs, ...outlookOf(machine) }
}

/** The commands executed, in order; one that was agreed twice counts once, as sessions see to. */
export function commandsOf({ machine }: { readonly machine: MachineState }): string[] {
  const decoder = new TextDecoder()
  const seen = new Set<string>()
  return machine.executed.flatMap(({ requests }) =>
    requests.flatMap(({ id, request: { command } }) => {
      if (seen.has(hex(id))) return []
      seen.add(hex(id))
      return [decoder.decode(command)]
    }),
  )
}

function charterOf({ keys, byzantine, crash, parameters }: EpochPlan): Charter {
  const { charter } = chainParts(keys)
  return {
    ...charter,
    members: membersOf(keys),
    quorum: { byzantine, crash },
    parameters: { ...charter.parameters, ...PARAMETERS, ...parameters },
  }
}

function successorOf(charter: Charter, at: number, plans: readonly EpochPlan[]): Succession | undefined {
  const plan = plans[charter.epoch + 1]
  if (plan === undefined) return undefined
  const lastSlot = lastSlotAfter(slot(at), charter)
  const previous = membershipOf(charter, CLUSTER_ID).digest
  const next = { ...charterOf(plan), epoch: epoch(charter.epoch + 1), previous, start: lastSlot }
  return { lastSlot, charter: next, membership: membershipOf(next, CLUSTER_ID).digest }
}

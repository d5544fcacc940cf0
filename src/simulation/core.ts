// The core as the simulator runs it: the only file here that names functions of src/consensus. Tests put other cores in its
// place to show that the checkers see what those do wrong.

import type { ReplicaIndex, Result, Slot, Verified, Vote } from '../../crypto/index.ts'
import {
  type CheckpointVote,
  type CoreConfig,
  type CoreState,
  type CoreStatus,
  type DurableRecord,
  type Effect,
  forgotten,
  type HeldStatements,
  heldOf,
  type Input,
  ignoreReason,
  init,
  leaseIndex,
  type MachinePosition,
  type Message,
  type MessageFault,
  MUTATIONS,
  type Mutation,
  readIndex,
  sayings,
  status,
  step,
  succeed,
  type VerifyContext,
  verifyMessage,
} from '../consensus/index.ts'

export type { CoreStatus }

/** Deliberate mistakes that checkers must catch: of the core, and of the shell around it. */
export type Defect = Mutation | ShellDefect

export type ShellDefect =
  | 'accept-torsion'
  | 'reset-sessions'
  /** A change counts from the next checkpoint on: slots above that may have votes already (P60). */
  | 'effective-at-once'
  /** All statements name the membership of the first epoch (P05, P60). */
  | 'epoch-missing-from-statement'
  /** Where votes were unsigned once, they may be so from then on (P62). */
  | 'unsigned-votes-across-modes'

export const SHELL_DEFECTS: readonly ShellDefect[] = [
  'accept-torsion',
  'reset-sessions',
  'effective-at-once',
  'epoch-missing-from-statement',
  'unsigned-votes-across-modes',
]

export interface Core {
  step(input: Input): readonly Effect[]
  /** Why a message is of no use any more, before anybody spends time on its signatures. */
  ignoreReason(from: ReplicaIndex, message: Message): string | undefined
  verify(message: Message): Result<Verified<Message>, MessageFault>
  status(): CoreStatus
  readIndex(): Slot | undefined
  leaseIndex(nowMs: number, wallMs: number): Slot | undefined
  /** What it holds of a replica's word, and what of that a replica that starts again does not know of. */
  heldOf(replica: ReplicaIndex): HeldStatements
  forgotten(held: HeldStatements, records: readonly DurableRecord[]): Vote | CheckpointVote | undefined
  /** All that it remembers, to be measured and never changed. */
  readonly memory: object
}

export interface StartedCore {
  readonly core: Core
  /** To be carried out before any input. */
  readonly effects: readonly Effect[]
}

export interface CoreStart {
  readonly config: CoreConfig
  readonly context: VerifyContext
  readonly records: readonly DurableRecord[]
  readonly machine: MachinePosition
  /** That of the epoch before, where it ended in this process. */
  readonly old?: Core | undefined
}

/** Builds a core from what is on its disk. */
export type CoreFactory = (start: CoreStart) => StartedCore

/** The defects that are the core's. */
export function coreMutations(defects: ReadonlySet<Defect>): ReadonlySet<Mutation> {
  return new Set(MUTATIONS.filter((each) => defects.has(each)))
}

const states = new WeakMap<Core, CoreState>()

export const realCore: CoreFactory = ({ config, context, records, machine, old }) => {
  const before = old && states.get(old)
  const { state, effects } =
    before === undefined ? init(config, records, machine) : succeed(before, config, records, machine)
  const broken = { ...context, mutations: config.mutations }
  const core: Core = {
    step: (input) => step(state, input),
    ignoreReason: (from, message) => ignoreReason(state, from, message),
    verify: (message) => verifyMessage(message, broken),
    status: () => status(state),
    readIndex: () => readIndex(state),
    leaseIndex: (nowMs, wallMs) => leaseIndex(state, nowMs, wallMs),
    heldOf: (replica) => heldOf(state, replica),
    forgotten(held, records) {
      const { self, view, stable } = status(state)
      return forgotten(held, { self, view, settled: stable.slot, said: sayings(records, self) }, context)
    },
    memory: state,
  }
  states.set(core, state)
  return { core, effects }
}

// The core as the shell drives it: its state, and the functions that look at it or change it, in one place.

import { performance } from 'node:perf_hooks'
import {
  type AdmittedKey,
  admitKey,
  type Epoch,
  hex,
  type PublicKey,
  type ReplicaIndex,
  type Result,
  type Slot,
  type Verified,
  type Vote,
} from '../../crypto/index.ts'
import {
  type CheckpointVote,
  type CoreConfig,
  type CoreState,
  type CoreStatus,
  type DurableRecord,
  digestKey,
  type Effect,
  forgotten,
  type HeldStatements,
  heldOf,
  type Input,
  ignoreReason,
  leaseIndex,
  type MachinePosition,
  type Message,
  type MessageFault,
  type OwnWord,
  type ProtocolParameters,
  readIndex,
  requestKey,
  type SignedRequest,
  type StableCheckpoint,
  status,
  step,
  succeed,
  type VerifyContext,
  verifyMessage,
  verifyRequest,
} from '../consensus/index.ts'
import { ADMITTED_KEYS } from './limits.ts'

/** What a core begins from. */
export interface CoreStart {
  /** What it verifies with. */
  readonly context: VerifyContext
  readonly records: readonly DurableRecord[]
  readonly machine: MachinePosition
  /** That of the epoch before, where it ended in this process. */
  readonly old?: Core | undefined
}

export class Core {
  private readonly state: CoreState
  private readonly context: VerifyContext

  constructor(state: CoreState, context: VerifyContext) {
    this.state = state
    this.context = context
  }

  /** A core and its first effects; see {@link succeed}. */
  static begin(config: CoreConfig, start: CoreStart): { readonly core: Core; readonly effects: readonly Effect[] } {
    const { context, records, machine, old } = start
    const { state, effects } = succeed(old?.state, config, records, machine)
    return { core: new Core(state, context), effects }
  }

  get epoch(): Epoch {
    return this.context.membership.epoch
  }

  get parameters(): ProtocolParameters {
    return this.context.parameters
  }

  step(input: Input): readonly Effect[] {
    return step(this.state, input)
  }

  status(): CoreStatus {
    return status(this.state)
  }

  /** See {@link readIndex}. */
  readIndex(): Slot | undefined {
    return readIndex(this.state)
  }

  /** See {@link leaseIndex}; by the clocks as they are now. */
  leaseIndex(): Slot | undefined {
    return leaseIndex(this.state, performance.now(), Date.now())
  }

  /** True where the state of this checkpoint would be installed. */
  awaits({ slot }: StableCheckpoint): boolean {
    return this.state.transferring && slot >= this.state.stable.slot
  }

  /** See {@link heldOf}. */
  heldOf(replica: ReplicaIndex): HeldStatements {
    return heldOf(this.state, replica)
  }

  /** See {@link forgotten}. */
  forgotten(held: HeldStatements, own: OwnWord): Vote | CheckpointVote | undefined {
    return forgotten(held, own, this.context)
  }

  /** Requests that wait to be executed. */
  get pending(): number {
    return this.state.pending.size
  }

  isPending(request: SignedRequest): boolean {
    return this.state.pending.has(requestKey(request))
  }

  pendingOf(client: PublicKey): number {
    return this.state.pendingOf.get(digestKey(client)) ?? 0
  }

  ignoreReason(from: ReplicaIndex, message: Message): string | undefined {
    return ignoreReason(this.state, from, message)
  }

  verify(message: Message): Result<Verified<Message>, MessageFault> {
    return verifyMessage(message, this.context)
  }

  verifyRequest(request: SignedRequest): Result<Verified<SignedRequest>, MessageFault> {
    return verifyRequest(request, this.context)
  }
}

/**
 * Admission of clients' keys, which costs as much as ten signature checks and is remembered: for good of those known from the start,
 * for a while of others.
 */
export function admission(known: Iterable<AdmittedKey>): (key: PublicKey) => AdmittedKey | undefined {
  const fixed = new Map<string, AdmittedKey>()
  for (const key of known) fixed.set(hex(key), key)
  const others = new Map<string, AdmittedKey | undefined>()
  return (key) => {
    const name = hex(key)
    const found = fixed.get(name) ?? others.get(name)
    if (found !== undefined || others.has(name)) return found
    const admitted = admitKey(key)
    const [oldest] = others.keys()
    if (others.size >= ADMITTED_KEYS && oldest !== undefined) others.delete(oldest)
    others.set(name, admitted)
    return admitted
  }
}

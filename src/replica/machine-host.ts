// The replicated machine inside a replica: executes entries, keeps their results for clients that ask again, and the states of
// checkpoints for restarts and for peers.

import {
  appendLeaf,
  type BatchTree,
  type Certificate,
  type Digest,
  EMPTY_FRONTIER,
  equalBytes,
  type Frontier,
  frontierRoot,
  type MemberId,
  type Slot,
  sha256,
  slot,
} from '../../crypto/index.ts'
import type { Genesis } from '../../keys/genesis/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { Entry, MachinePosition, SignedRequest } from '../consensus/index.ts'
import {
  type AuthenticatedMap,
  createExecutor,
  type Executor,
  type ReadResult,
  resumeExecutor,
  type StateMachine,
  type StateSnapshot,
  stateGenesis,
} from '../machine/index.ts'
import { AnswerIndex } from './answer-index.ts'
import { ChangeLog, type ChangeLogLimits } from './change-log.ts'
import {
  BACKLOG_COMMIT_KEYS,
  BACKLOG_ENTRIES,
  COMMIT_KEYS,
  KEPT_RESULT_BYTES,
  KEPT_RESULTS,
  KEPT_TREES,
} from './limits.ts'
import { SlotResults } from './slot-results.ts'

/** The state after a checkpoint's slot, and the log up to it. */
export interface KeptSnapshot {
  readonly slot: Slot
  readonly frontier: Frontier
  readonly timestampMs: number
  readonly state: StateSnapshot
}

/** Where a request was answered. */
export interface Answered {
  readonly slot: Slot
  readonly index: number
}

export interface Executed {
  readonly slot: Slot
  readonly resultsRoot: Digest
  /** At checkpoint slots. */
  readonly stateRoot: Digest | undefined
}

export interface HostOptions {
  readonly machine: StateMachine
  readonly genesis: Genesis
  readonly changes?: ChangeLogLimits
}

export class MachineHost {
  /** Requests executed since the start. */
  requests = 0
  /** The slot of the change by which the epoch ends, or the last one did; undefined where its entry was not executed here. */
  changedAt: Slot | undefined
  /** What was changed lately, for watches. */
  readonly changes: ChangeLog
  private behind = false
  private readonly options: HostOptions
  private executor: Executor
  private frontier: Frontier = EMPTY_FRONTIER
  private readonly results = new Map<number, SlotResults>()
  private resultBytes = 0
  private readonly answers = new AnswerIndex()
  private readonly snapshots = new Map<number, KeptSnapshot>()

  constructor(options: HostOptions) {
    this.options = options
    this.changes = new ChangeLog(options.changes)
    this.executor = this.fresh()
  }

  get position(): MachinePosition {
    const { slot: at, timestampMs } = this.executor
    return { slot: slot(at), frontier: this.frontier, timestampMs, ...this.outlook }
  }

  /** What the machine says of times to come: when it has something to do by itself, and where the epoch ends. */
  get outlook(): Pick<MachinePosition, 'dueMs' | 'succession'> {
    return { dueMs: this.executor.due(), succession: this.executor.succession() }
  }

  /** Executes the next entry and keeps its results for clients; so many more entries `wait` for it. */
  execute(entry: Entry, timestampMs: number, certificate: Certificate, wait = 0): Executed {
    const { slot: at } = entry.header
    // Before: after the last slot of an epoch the charter of the next one is in office.
    const interval = intervalOf(this.executor)
    // Until it has caught up.
    if (wait >= BACKLOG_ENTRIES || wait === 0) this.behind = wait > 0
    const commitKeys = this.behind ? BACKLOG_COMMIT_KEYS : COMMIT_KEYS
    const { records, root, tree } = this.apply(entry, timestampMs, { certificate, commitKeys })
    this.requests += records.length
    this.keepResults(entry, records, tree)
    if (at % interval !== 0) return { slot: at, resultsRoot: root, stateRoot: undefined }
    const kept = this.keep()
    return { slot: at, resultsRoot: root, stateRoot: kept.state.root }
  }

  /** Executes the next entry as it was executed before the restart: nobody waits for its results. */
  replay(entry: Entry, certificate: Certificate): void {
    const at = Math.max(this.executor.timestampMs, entry.header.timestampMs)
    this.apply(entry, at, { certificate, commitKeys: BACKLOG_COMMIT_KEYS })
  }

  /** Where this request was answered lately in this epoch, with a receipt. */
  answerTo(request: SignedRequest): Answered | undefined {
    const found = this.answers.find(request.id)
    if (found === undefined) return undefined
    const results = this.results.get(found.slot)
    const identity = results?.identity(found.index)
    if (results?.receipt === undefined || identity === undefined || !equalBytes(identity, request.id)) return undefined
    return { slot: slot(found.slot), index: found.index }
  }

  /**
   * Another epoch begins. Clients that ask again from now on take no receipt of the one before, whose keys may be stolen by now: a
   * request that was answered there is ordered anew, and the session table answers it.
   */
  beginEpoch(): void {
    this.answers.clear()
  }

  /** Whether the machine has this client listed, in the state executed so far. */
  knows(client: Uint8Array): boolean {
    return this.executor.roleOf(client) !== undefined
  }

  /** Where a member is dialled, in the state executed so far; empty for who is none. */
  addressesOf(member: MemberId): readonly string[] {
    return this.executor.addressesOf(member)
  }

  /** What a command that only reads answers in the state executed so far. */
  read(command: Uint8Array, client: Uint8Array): ReadResult {
    return this.executor.read(command, client)
  }

  resultsOf(at: number): SlotResults | undefined {
    return this.results.get(at)
  }

  snapshotAt(at: number): KeptSnapshot | undefined {
    return this.snapshots.get(at)
  }

  /** Slots of the snapshots kept, ascending. */
  snapshotSlots(): number[] {
    return [...this.snapshots.keys()].sort((a, b) => a - b)
  }

  release(at: number): void {
    this.snapshots.get(at)?.state.close()
    this.snapshots.delete(at)
  }

  /** Keeps the state as it is now. */
  keep(): KeptSnapshot {
    const { timestampMs } = this.executor
    const state = this.executor.snapshot()
    const kept = { slot: slot(state.slot), frontier: this.frontier, timestampMs, state }
    this.release(kept.slot)
    this.snapshots.set(kept.slot, kept)
    return kept
  }

  /** Root of the state as it is now. */
  stateRoot(): Digest {
    return this.executor.stateRoot()
  }

  /** True where the machine stands in exactly this state. */
  isAt(checkpoint: { readonly logRoot: Digest; readonly stateRoot: Digest }): boolean {
    const { logRoot, stateRoot } = checkpoint
    return equalBytes(frontierRoot(this.frontier), logRoot) && equalBytes(this.executor.stateRoot(), stateRoot)
  }

  /**
   * Goes on from a state whose chunks were verified; snapshots in `pinned` stay open, for whoever is reading them to close.
   * @throws {Error} where it is the state of another machine.
   */
  install(map: AuthenticatedMap, frontier: Frontier, pinned: readonly number[] = []): KeptSnapshot {
    for (const at of pinned) this.snapshots.delete(at)
    this.forgetAll()
    this.executor = resumeExecutor({ machine: this.options.machine, track: true, verifier: nativeVerifier }, map)
    this.frontier = frontier
    this.changes.restart(this.executor.slot)
    return this.keep()
  }

  /** Back to the state before the first entry. */
  reset(): void {
    this.forgetAll()
    this.executor = this.fresh()
    this.frontier = EMPTY_FRONTIER
    this.changes.restart(0)
  }

  private fresh(): Executor {
    const { machine, genesis } = this.options
    const options = { machine, hash: sha256, track: true, verifier: nativeVerifier }
    return createExecutor({ ...options, ...stateGenesis(genesis) })
  }

  private apply(
    entry: Entry,
    timestampMs: number,
    { certificate, commitKeys }: { readonly certificate: Certificate; readonly commitKeys: number },
  ) {
    const { slot: at } = entry.header
    const wasEnding = this.executor.succession() !== undefined
    const results = this.executor.execute({ slot: at, timestampMs, requests: entry.requests })
    if (!wasEnding && this.executor.succession() !== undefined) this.changedAt = at
    const { changes } = results
    this.changes.append({ entry, certificate, timestampMs: this.executor.timestampMs, changes })
    this.frontier = appendLeaf(this.frontier, entry.digest)
    // The root is a function of the content alone, so it does not matter when it is brought up to date in between.
    if (this.executor.uncommitted >= commitKeys) this.executor.prepareRoot(2 * commitKeys)
    return results
  }

  private keepResults({ header, requests }: Entry, records: readonly Uint8Array[], tree: BatchTree): void {
    const { slot: at } = header
    const clients = requests.map(({ request }) => request.client)
    const made = new SlotResults(clients, records, tree)
    this.results.set(at, made)
    this.resultBytes += made.bytes
    this.answers.add(at, requests)
    this.results.get(at - KEPT_TREES)?.pack()
    this.forgetResults(at)
  }

  private forgetAll(): void {
    this.changedAt = undefined
    for (const at of this.snapshots.keys()) this.release(at)
    this.results.clear()
    this.resultBytes = 0
    this.answers.clear()
  }

  private forgetResults(newest: number): void {
    for (const at of this.results.keys()) {
      if (at === newest || (at > newest - KEPT_RESULTS && this.resultBytes <= KEPT_RESULT_BYTES)) return
      const known = this.results.get(at)
      this.results.delete(at)
      if (known === undefined) continue
      this.resultBytes -= known.bytes
    }
  }
}

/** Slots between checkpoints in the epoch of the next slot. */
function intervalOf(executor: Executor): number {
  const charter = executor.charter()
  if (charter === undefined) throw new Error('state: expected that of a cluster')
  return charter.parameters.checkpointInterval
}

/** True where `frontier` is that of the log with this root and size. */
export function isFrontierOf(frontier: Frontier, size: number, root: Digest): boolean {
  return frontier.size === size && equalBytes(frontierRoot(frontier), root)
}

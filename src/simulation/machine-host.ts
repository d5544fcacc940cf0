// The replicated machine inside a simulated replica: executes entries, keeps their results for clients, and snapshots of
// checkpoints for its own restarts and for others.

import {
  appendLeaf,
  type BatchTree,
  type Digest,
  EMPTY_FRONTIER,
  type Epoch,
  equalBytes,
  type Frontier,
  frontierRoot,
  type SignatureVerifier,
  type Slot,
  slot,
  type VoteStatement,
} from '../../crypto/index.ts'
import { membershipOf, type Succession } from '../../keys/charter/index.ts'
import {
  type DurableRecord,
  digestKey,
  type Entry,
  type MachinePosition,
  noopEntry,
  type SignedRequest,
} from '../consensus/index.ts'
import {
  type AuthenticatedMap,
  type EntryResults,
  type Executor,
  kv,
  MapRestoration,
  prefixed,
  type ReadResult,
  resumeExecutor,
  SESSION_SPACE,
  type StateSnapshot,
} from '../machine/index.ts'
import type { World } from './world.ts'

/** The state after a checkpoint's slot, and the log up to it. */
export interface KeptSnapshot {
  readonly slot: Slot
  readonly frontier: Frontier
  readonly timestampMs: number
  readonly state: StateSnapshot
}

/** Where a request was answered, and how. */
export interface Answered {
  readonly slot: Slot
  readonly index: number
}

export interface ProvableResults {
  readonly count: number
  prove(index: number): { readonly record: Uint8Array; readonly path: readonly Digest[] }
}

interface SlotResults {
  readonly requests: readonly SignedRequest[]
  readonly records: readonly Uint8Array[]
  readonly tree: BatchTree
}

/** Snapshots kept for others below the newest stable one. */
const KEPT_SNAPSHOTS = 1

export class MachineHost {
  private executor: Executor
  private frontier: Frontier
  private readonly verifier: SignatureVerifier
  /** Clients whose sessions are lost with every restored state: the defect `reset-sessions`. */
  private readonly forgets: readonly Uint8Array[]
  private readonly keptResults: number
  private readonly results = new Map<number, SlotResults>()
  private readonly answered = new Map<string, Answered>()
  private readonly snapshots = new Map<number, KeptSnapshot>()

  private readonly clusterId: Digest
  private readonly hurries: boolean
  private hurriedTo: Slot | undefined
  private readonly epochOf: (membership: Digest) => Epoch | undefined

  constructor({ group, scenario, defects, epochs }: World, from: KeptSnapshot | undefined) {
    this.clusterId = group.cluster.clusterId
    this.hurries = defects.has('effective-at-once')
    this.epochOf = (membership) => epochs.of(membership)?.membership.epoch
    this.verifier = group.suite.verifier
    this.keptResults = scenario.shell.keptResults
    this.forgets = defects.has('reset-sessions') ? group.clientSigners.map(({ publicKey }) => publicKey) : []
    this.executor = from === undefined ? group.machine() : this.resumed(restored(from.state))
    this.frontier = from?.frontier ?? EMPTY_FRONTIER
    if (from !== undefined) this.snapshots.set(from.slot, from)
  }

  get position(): MachinePosition {
    const { slot: at, timestampMs } = this.executor
    return { slot: slot(at), frontier: this.frontier, timestampMs, ...this.outlook }
  }

  /** What the machine says of times to come: when it has something to do by itself, and where the epoch ends. */
  get outlook(): Pick<MachinePosition, 'dueMs' | 'succession'> {
    const succession = this.executor.succession()
    return { dueMs: this.executor.due(), succession: this.hurries ? this.hurried(succession) : succession }
  }

  /** The defect `effective-at-once`: the first checkpoint from here on ends the epoch, and not the second. */
  private hurried(succession: Succession | undefined): Succession | undefined {
    const office = this.executor.charter()
    if (succession === undefined || office === undefined || succession.charter.epoch === office.epoch) return succession
    const { checkpointInterval: interval } = office.parameters
    this.hurriedTo ??= slot(Math.ceil(this.executor.slot / interval) * interval)
    const charter = { ...succession.charter, start: this.hurriedTo }
    return { lastSlot: this.hurriedTo, charter, membership: membershipOf(charter, this.clusterId).digest }
  }

  /**
   * Executes again what was chosen up to the newest stable checkpoint: a core that begins with that has forgotten those slots, and where
   * everybody lost power before a snapshot of it was written, nobody else has the state.
   */
  replay(records: readonly DurableRecord[]): void {
    const bodies = new Map<string, Entry>()
    const chosen = new Map<number, VoteStatement>()
    let stable = 0
    for (const record of records) {
      if (record.kind === 'entry') bodies.set(digestKey(record.entry.digest), record.entry)
      else if (record.kind === 'chosen') chosen.set(record.certificate.statement.slot, record.certificate.statement)
      else if (record.kind === 'stable') stable = Math.max(stable, record.checkpoint.slot)
    }
    const first = this.executor.slot
    for (let at = first + 1; at <= stable; at++) {
      const statement = chosen.get(at)
      const entry = statement && (bodies.get(digestKey(statement.digest)) ?? this.noop(statement))
      if (entry === undefined) return
      const { stateRoot } = this.execute(entry, entry.header.timestampMs)
      // No more are open at once than while it runs.
      if (stateRoot !== undefined) this.release(at, [first])
    }
  }

  /** The entry that everybody knows and nobody keeps, where it is the one that was chosen. */
  private noop({ slot: at, membership, digest }: VoteStatement): Entry | undefined {
    const epoch = this.epochOf(membership)
    const entry = epoch === undefined ? undefined : noopEntry(at, epoch)
    return entry !== undefined && equalBytes(entry.digest, digest) ? entry : undefined
  }

  /** Executes the next entry; the state root comes at checkpoint slots. */
  execute(entry: Entry, timestampMs: number): { results: EntryResults; stateRoot: Digest | undefined } {
    const { slot: at } = entry.header
    // Before: after the last slot of an epoch the charter of the next one is in office.
    const interval = this.executor.charter()?.parameters.checkpointInterval
    if (interval === undefined) throw new Error('state: expected that of a cluster')
    const results = this.executor.execute({ slot: at, timestampMs, requests: entry.requests })
    this.frontier = appendLeaf(this.frontier, entry.digest)
    this.results.set(at, { requests: entry.requests, records: results.records, tree: results.tree })
    entry.requests.forEach(({ id }, index) => {
      this.answered.set(digestKey(id), { slot: at, index })
    })
    this.forget(at - this.keptResults)
    if (at % interval !== 0) return { results, stateRoot: undefined }
    const stateRoot = this.executor.stateRoot()
    this.snapshots.set(at, this.keep())
    return { results, stateRoot }
  }

  /** What the command would answer now. */
  read(command: Uint8Array, client: Uint8Array): ReadResult {
    return this.executor.read(command, client)
  }

  /** Where this request was answered lately. */
  answerTo(id: Digest): Answered | undefined {
    return this.answered.get(digestKey(id))
  }

  /** Whether the machine has this client listed, in the state executed so far. */
  knows(client: Uint8Array): boolean {
    return this.executor.roleOf(client) !== undefined
  }

  requestsOf(at: number): readonly SignedRequest[] {
    return this.results.get(at)?.requests ?? []
  }

  /** The records of a slot, each with its proof under the results root; undefined where they were forgotten. */
  resultsOf(at: number): ProvableResults | undefined {
    const known = this.results.get(at)
    if (known === undefined) return undefined
    const { records, tree } = known
    const count = records.length
    return {
      count,
      prove(index) {
        const record = records[index]
        if (record === undefined) throw new RangeError(`slot ${at}: expected a record below ${count}, got ${index}`)
        return { record, path: tree.path(index) }
      },
    }
  }

  snapshotAt(at: number): KeptSnapshot | undefined {
    return this.snapshots.get(at)
  }

  /** Keeps the snapshots from `stable` on, the last few before it, and those that the disk still refers to. */
  release(stable: number, pinned: readonly number[]): void {
    const old = [...this.snapshots.keys()].filter((at) => at < stable && !pinned.includes(at)).sort((a, b) => b - a)
    for (const at of old.slice(KEPT_SNAPSHOTS)) {
      this.snapshots.get(at)?.state.close()
      this.snapshots.delete(at)
    }
  }

  /** Goes on from a state that was fetched from others, whose chunks were verified. */
  install(map: AuthenticatedMap, frontier: Frontier): KeptSnapshot {
    this.executor = this.resumed(map)
    this.frontier = frontier
    this.results.clear()
    this.answered.clear()
    this.snapshots.clear()
    const kept = this.keep()
    this.snapshots.set(kept.slot, kept)
    return kept
  }

  private resumed(map: AuthenticatedMap): Executor {
    for (const client of this.forgets) map.set(prefixed(SESSION_SPACE, client), undefined)
    return resumeExecutor({ machine: kv, verifier: this.verifier }, map)
  }

  private keep(): KeptSnapshot {
    const { timestampMs } = this.executor
    const state = this.executor.snapshot()
    return { slot: slot(state.slot), frontier: this.frontier, timestampMs, state }
  }

  private forget(at: number): void {
    for (const { id } of this.results.get(at)?.requests ?? []) {
      if (this.answered.get(digestKey(id))?.slot === at) this.answered.delete(digestKey(id))
    }
    this.results.delete(at)
  }
}

/** True where `frontier` is that of the log with this root and size. */
export function isFrontierOf(frontier: Frontier, size: number, root: Digest): boolean {
  return frontier.size === size && frontierRoot(frontier).every((byte, i) => byte === root[i])
}

function restored(state: StateSnapshot): AuthenticatedMap {
  const restoration = new MapRestoration(state.root)
  for (const chunk of state.sealedChunks()) {
    const taken = restoration.offerSealed(chunk)
    if (!taken.ok) throw new Error(`own snapshot of slot ${state.slot} does not verify: ${taken.fault}`)
  }
  return restoration.finish()
}

// Everything that one core remembers, and how a fresh one looks. Only the files of this folder change it, inside `step`.

import {
  type Certificate,
  type Digest,
  type Frontier,
  leaderOf,
  markVerified,
  type ReplicaIndex,
  replicaIndex,
  type Slot,
  slot,
  type Verified,
  type View,
  type Vote,
  view,
} from '../../crypto/index.ts'
import { lastSlotAfter, type Succession } from '../../keys/charter/index.ts'
import type { CoreConfig } from './config.ts'
import type { Entry } from './entry.ts'
import type { DurableRecord, Effect, MachinePosition, ViewReason } from './io.ts'
import { emptyLease, type LeaseState } from './lease.ts'
import { EAGER_SLOTS, logWindow } from './limits.ts'
import type { CheckpointVote, HandOver, Heartbeat, Message, NewView, StableCheckpoint, ViewChange } from './messages.ts'
import { mutatedMembership } from './mutants.ts'
import type { SignedRequest } from './request.ts'

/** What is known of one slot above the stable checkpoint. Votes are those of the current view. */
export interface SlotState {
  readonly slot: Slot
  /** What the leader of the current view offered here: its own Prepare vote. */
  proposal: Verified<Vote> | undefined
  /** A proposal that waits for its predecessor or for the clock; at most one. */
  held: (Message & { readonly kind: 'propose' }) | undefined
  /** At most one vote a replica and phase. */
  readonly prepares: Map<ReplicaIndex, Verified<Vote>>
  readonly accepts: Map<ReplicaIndex, Verified<Vote>>
  /** The prepare certificate with the highest view; only one of a higher view replaces it (pitfall P08). */
  prepared: Verified<Certificate> | undefined
  chosen: Verified<Certificate> | undefined
  /** Bodies by digest: of the proposal, of the prepared and of the chosen value. */
  readonly bodies: Map<string, Entry>
  /** When we first voted in the current view; milliseconds. */
  votedAt: number | undefined
  /** Own votes of the current view, made but perhaps not yet durable. */
  ownPrepare: Verified<Vote> | undefined
  ownAccept: Verified<Vote> | undefined
  /** Bytes of the commands that we proposed for it, as a leader; zero otherwise. */
  proposedBytes: number
}

/** A request that waits to be executed. */
export interface Pending {
  readonly request: Verified<SignedRequest>
  /** When it became known here, or when the current view began, whichever is later; milliseconds. */
  since: number
  /** When it was first passed on to the leader of the current view: what its latency counts from. */
  forwardedAt: number | undefined
  /** When it was last passed on. */
  resentAt: number | undefined
  /** In the proposal of this slot in the current view. */
  proposedAt: Slot | undefined
  /** The peer that passed it on; undefined where a client brought it. */
  readonly via: ReplicaIndex | undefined
}

export interface PeerState {
  /** When anything last came from it over its own channel. */
  heardAt: number
  /** When the channel to it ended; undefined while there is one. */
  lostAt: number | undefined
  heartbeat: Heartbeat | undefined
  /** Messages of views that have not begun here. */
  ahead: Verified<Message>[]
  aheadBytes: number
  /** Requests in `pending` that came through it. */
  pending: number
  /** When the current NewView was last sent to it. */
  newViewSentAt: number
  /** Notes of this peer by slot. */
  readonly checkpoints: Map<number, Verified<CheckpointVote>>
  /** Its note that ends the epoch. */
  end: CheckpointVote | undefined
}

export interface Probe {
  readonly view: View
  readonly reason: ViewReason
  /** Replicas that want that view too. */
  readonly granted: Set<ReplicaIndex>
  readonly startedAt: number
}

export type Phase = 'active' | 'changing' | 'over'

export interface CoreState {
  readonly config: CoreConfig
  nowMs: number
  wallMs: number

  /** Highest view promised or begun; never goes back. */
  view: View
  /** `changing` from leaving one view until a NewView begins the next; `over` once the epoch has been handed over (M5). */
  phase: Phase
  /** The NewView that began the current view; none in view 0 (M6), and while changing the one before. */
  newView: Verified<NewView> | undefined
  /** The digests that the NewView carried over, by slot. */
  carried: ReadonlyMap<number, Digest>
  /** Digest of that NewView, in view 0 of what opened the epoch: what votes of this view rely on. */
  justification: Digest
  /** The stable slot at which the view began. */
  base: Slot
  /** Own ViewChange while changing. */
  ownViewChange: Verified<ViewChange> | undefined
  /** The highest ViewChange of each replica, own included. */
  readonly viewChanges: Map<ReplicaIndex, Verified<ViewChange>>
  /** When q ViewChanges for the view that we wait for were there. */
  quorumSince: number | undefined
  /** Views given up in a row without progress. */
  failures: number
  /** Before a view is left that others may be content with. */
  probe: Probe | undefined

  readonly slots: Map<number, SlotState>
  /** Chosen entries at or below the stable checkpoint, kept for peers that lag a little. */
  readonly tail: Map<number, { readonly entry: Entry; readonly certificate: Verified<Certificate> }>
  stable: Verified<StableCheckpoint>
  /** The highest stable checkpoint known; above `stable` while we lack its state. */
  known: Verified<StableCheckpoint>
  /** Every slot up to here is chosen. */
  chosen: Slot
  /** Every slot up to here was handed to the machine. */
  executing: Slot
  executed: Slot
  /** Root of the state at the last checkpoint slot executed, until the checkpoint is stable. */
  readonly ownCheckpoints: Map<number, CheckpointVote>
  /** The log's frontier after each of the slots executed above the stable checkpoint that are multiples of K. */
  readonly frontiers: Map<number, Frontier>
  /** The log up to `executing`. */
  frontier: Frontier
  /** Agreed time after `executing`. */
  timestampMs: number
  /** The agreed time from which on the machine, as it is after `executed`, has something to do by itself. */
  dueMs: number | undefined
  /** How the epoch ends, as the machine says after `executed`; undefined where no end is agreed up to there. */
  succession: Succession | undefined
  /** True from asking for a snapshot until it is installed: nothing is executed meanwhile. */
  transferring: boolean
  transferAt: number

  /** As leader: the next slot to propose for. */
  nextSlot: Slot
  readonly pending: Map<string, Pending>
  readonly pendingOf: Map<string, number>
  /** As leader: keys of `pending` that no proposal of this view holds, in order of arrival. */
  readonly unassigned: Set<string>

  readonly peers: readonly PeerState[]
  /** Reading from the leader alone, in crash mode. */
  readonly lease: LeaseState
  /** When the current view began. */
  viewSince: number
  /** Last execution, or begin of the view. */
  progressAt: number
  /** Since when there has been something to wait for; undefined while there is not. */
  workSince: number | undefined
  /** Since when an entry has been overdue that lets the machine do what is due (clock.ts). */
  overdueSince: number | undefined
  /** While the epoch is ending: since when so much was chosen (M2). */
  pace: { readonly at: number; readonly chosen: Slot } | undefined
  heartbeatAt: number
  resentAt: number
  /** When slots were last sent again, and how often since anything moved. */
  slotsResentAt: number
  slotResends: number
  /** Milliseconds that a slot takes from our vote to its decision, lately and as a rule; at most a base time-out. */
  decisionMs: number
  /** What the last PACE_SAMPLES of them took. */
  readonly decisions: number[]
  fetch: { readonly peer: ReplicaIndex; readonly at: number } | undefined
  bodiesAskedAt: number
  /** Slow-leader guard: how long requests of this view waited for their proposals, and the best median of any view; milliseconds. */
  readonly latencies: number[]
  /** Of each of the last PACE_SAMPLES small proposals of this view, how long the request that it let wait longest did; milliseconds. */
  readonly hesitations: number[]
  bestLatency: number | undefined
  /** When the last EAGER_SLOTS slots were chosen, each with all before it, at the slot's number modulo EAGER_SLOTS; milliseconds. */
  readonly chosenAt: number[]
  /** When a proposal came last that had room for more requests; milliseconds. */
  roomyAt: number
  demotions: number

  /** Digests of evidence already reported, per accused. */
  readonly accused: Map<ReplicaIndex, Set<string>>

  /** Effects of the step in progress, its records, and messages that wait for records to be durable. */
  effects: Effect[]
  records: DurableRecord[]
  fresh: Outgoing[]
  /** Messages to be handled before the step ends: those that waited for the view that it began. */
  replay: Verified<Message>[]
  readonly outbox: { readonly after: number; readonly outgoing: Outgoing }[]
  lastRecord: number
  durable: number
}

/** A message of our own; to one peer, or to all and to ourselves. Or that the epoch is over, to the shell. */
export type Outgoing =
  | { readonly to: ReplicaIndex; readonly message: Message }
  | { readonly to: 'all'; readonly message: Verified<Message> }
  | { readonly to: 'shell'; readonly handOver: HandOver }

export function emptyState(given: CoreConfig, machine: MachinePosition): CoreState {
  const config = { ...given, membership: mutatedMembership(given.membership, given.mutations) }
  const start = startCheckpoint(config)
  return {
    config,
    nowMs: 0,
    wallMs: 0,
    view: view(0),
    phase: 'active',
    newView: undefined,
    carried: new Map(),
    justification: config.start.justification,
    base: start.slot,
    ownViewChange: undefined,
    viewChanges: new Map(),
    quorumSince: undefined,
    failures: 0,
    probe: undefined,
    slots: new Map(),
    tail: new Map(),
    stable: start,
    known: start,
    chosen: machine.slot,
    executing: machine.slot,
    executed: machine.slot,
    ownCheckpoints: new Map(),
    frontiers: new Map(),
    frontier: machine.frontier,
    timestampMs: machine.timestampMs,
    dueMs: machine.dueMs,
    succession: successionIn(config, machine),
    transferring: false,
    transferAt: 0,
    nextSlot: slot(machine.slot + 1),
    pending: new Map(),
    pendingOf: new Map(),
    unassigned: new Set(),
    peers: Array.from({ length: config.membership.quorums.replicas }, () => ({
      heardAt: Number.NEGATIVE_INFINITY,
      lostAt: undefined,
      heartbeat: undefined,
      ahead: [],
      aheadBytes: 0,
      pending: 0,
      newViewSentAt: Number.NEGATIVE_INFINITY,
      checkpoints: new Map(),
      end: undefined,
    })),
    lease: emptyLease(),
    viewSince: 0,
    progressAt: 0,
    workSince: undefined,
    overdueSince: undefined,
    pace: undefined,
    heartbeatAt: Number.NEGATIVE_INFINITY,
    resentAt: 0,
    slotsResentAt: Number.NEGATIVE_INFINITY,
    slotResends: 0,
    decisionMs: 0,
    decisions: [],
    fetch: undefined,
    bodiesAskedAt: Number.NEGATIVE_INFINITY,
    latencies: [],
    hesitations: [],
    bestLatency: undefined,
    chosenAt: new Array(EAGER_SLOTS).fill(0),
    roomyAt: 0,
    demotions: 0,
    accused: new Map(),
    effects: [],
    records: [],
    fresh: [],
    replay: [],
    outbox: [],
    lastRecord: 0,
    durable: 0,
  }
}

/** M7. What everybody of the epoch starts from, with no signatures. */
export function startCheckpoint({ start }: Pick<CoreConfig, 'start'>): Verified<StableCheckpoint> {
  const { slot: at, logRoot, stateRoot } = start
  return markVerified({ slot: at, logRoot, stateRoot, next: undefined, signatures: [] })
}

export function leader(state: CoreState): ReplicaIndex {
  return leaderOf(state.config.membership, state.view)
}

export function leads(state: CoreState): boolean {
  return state.phase === 'active' && leader(state) === state.config.self
}

/**
 * The end that the machine speaks of, where it is that of this epoch: one whose state is that of the start, or of an earlier slot,
 * speaks of epochs before.
 */
export function successionIn(
  { membership }: Pick<CoreConfig, 'membership'>,
  { succession }: Pick<MachinePosition, 'succession'>,
): Succession | undefined {
  return succession?.charter.epoch === membership.epoch + 1 ? succession : undefined
}

/**
 * M1. No slot above this one is voted for. Where the machine says nothing of an end, any change that ends the epoch is in a slot that it
 * has not executed, and the epoch goes on at least up to here. Without it two epochs could decide one slot (K = 128, W = 32):
 *   1. A change in slot 100 ends the epoch with slot 256, and the others begin the next one there.
 *   2. We start again with the checkpoint of slot 128 on disk and its snapshot lost: the machine is at 0, the log window ends at 288.
 *   3. A leader that lies, or that stands as we do, proposes for slot 257 in the old epoch.
 */
export function lastVotable({ succession, executed, config }: CoreState): Slot {
  if (config.mutations.has('vote-past-the-end')) return slot(Number.MAX_SAFE_INTEGER)
  if (succession !== undefined) return succession.lastSlot
  return lastSlotAfter(slot(executed + 1), { start: config.start.slot, parameters: config.parameters })
}

/** The last slot that anything is kept for; never one after the end of the epoch. */
export function lastLogSlot(state: CoreState): number {
  const last = state.stable.slot + logWindow(state.config.parameters)
  return Math.min(last, state.config.mutations.has('vote-past-the-end') ? last : (state.succession?.lastSlot ?? last))
}

/** True for slots that anything is kept for: above the stable checkpoint, within the log window. */
export function inWindow(state: CoreState, at: number): boolean {
  return at > state.stable.slot && at <= lastLogSlot(state)
}

/** True for slots that may be voted for. */
export function mayVote(state: CoreState, at: number): boolean {
  return inWindow(state, at) && at <= lastVotable(state)
}

/** The state of a slot inside the window, made on first use. */
export function slotState(state: CoreState, at: Slot): SlotState {
  const known = state.slots.get(at)
  if (known !== undefined) return known
  const made: SlotState = {
    slot: at,
    proposal: undefined,
    held: undefined,
    prepares: new Map(),
    accepts: new Map(),
    prepared: undefined,
    chosen: undefined,
    bodies: new Map(),
    votedAt: undefined,
    ownPrepare: undefined,
    ownAccept: undefined,
    proposedBytes: 0,
  }
  state.slots.set(at, made)
  return made
}

/** The monotonic clock never goes back. */
export function passTime(state: CoreState, { nowMs, wallMs }: Pick<CoreState, 'nowMs' | 'wallMs'>): void {
  state.nowMs = Math.max(state.nowMs, nowMs)
  state.wallMs = wallMs
}

export function peerOf(state: CoreState, replica: ReplicaIndex): PeerState {
  const peer = state.peers[replica]
  if (peer === undefined) throw new RangeError(`replica: expected a member, got ${replica}`)
  return peer
}

/** All members but ourselves, ascending. */
export function otherMembers(state: CoreState): ReplicaIndex[] {
  return state.peers.map((_, i) => replicaIndex(i)).filter((i) => i !== state.config.self)
}

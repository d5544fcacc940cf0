// What goes into the core and what comes out. Effects are data; each says who carries it out and which input answers it.

import type { Certificate, Digest, Frontier, ReplicaIndex, Slot, Verified, View, Vote } from '../../crypto/index.ts'
import type { Succession } from '../../keys/charter/index.ts'
import type { Entry } from './entry.ts'
import type { CheckpointVote, Evidence, HandOver, Message, NewView, StableCheckpoint, ViewChange } from './messages.ts'
import type { SignedRequest } from './request.ts'

export type Input =
  /** A message whose signatures were checked (verify.ts), from the peer at the other end of the channel. */
  | { readonly kind: 'message'; readonly from: ReplicaIndex; readonly message: Verified<Message> }
  /**
   * Requests of clients, checked and not known as executed (the shell asks the session table first, pitfall P50).
   */
  | { readonly kind: 'requests'; readonly requests: readonly Verified<SignedRequest>[] }
  /**
   * The channel to and from a peer ended, or is there again. Each end is followed by `up` once there is a channel anew; a peer of which nothing
   * is said counts as up.
   */
  | { readonly kind: 'link'; readonly peer: ReplicaIndex; readonly up: boolean }
  /** Time goes on: monotonic milliseconds for timers, wall-clock milliseconds for timestamps. */
  | { readonly kind: 'tick'; readonly nowMs: number; readonly wallMs: number }
  /** What follows came at this time; nothing that is due is done before the next tick. Has no effects. */
  | { readonly kind: 'time'; readonly nowMs: number; readonly wallMs: number }
  /** Answers `persist`: the records up to this number are on disk. */
  | { readonly kind: 'durable'; readonly number: number }
  /**
   * Answers `execute`. The state root comes at slots that are multiples of K. `dueMs` is the agreed time from which on the machine has
   * something to do by itself; undefined where nothing waits. `succession` says how the epoch ends, from the change that ends it up to
   * its last slot; undefined where no end is agreed.
   */
  | {
      readonly kind: 'executed'
      readonly slot: Slot
      readonly resultsRoot: Digest
      readonly stateRoot: Digest | undefined
      readonly dueMs: number | undefined
      readonly succession: Succession | undefined
    }
  /** Answers `transfer`: the machine is now in the state of this checkpoint; the log has this frontier, agreed time is this.
   * `dueMs` and `succession` as in `executed`. */
  | {
      readonly kind: 'installed'
      readonly checkpoint: Verified<StableCheckpoint>
      readonly frontier: Frontier
      readonly timestampMs: number
      readonly dueMs: number | undefined
      readonly succession: Succession | undefined
    }

export type Effect =
  /** Storage: append `records` as one unit; answered by `durable` with `number` once they are on disk. */
  | { readonly kind: 'persist'; readonly number: number; readonly records: readonly DurableRecord[] }
  /** Network. Everything that the message relies on is durable when this effect appears. */
  | { readonly kind: 'send'; readonly to: ReplicaIndex; readonly message: Message }
  /** Network: to every other member. */
  | { readonly kind: 'broadcast'; readonly message: Message }
  /** Machine: apply; answered by `executed`. Comes in slot order, each slot once. */
  | { readonly kind: 'execute'; readonly entry: Entry; readonly certificate: Certificate; readonly timestampMs: number }
  /** Clients' door: answer the requests of this slot with their results under this signed receipt. */
  | { readonly kind: 'receipt'; readonly slot: Slot; readonly receipt: Verified<Vote> }
  /** Storage and machine: this checkpoint is stable; keep its snapshot, drop what is below as retention allows. */
  | { readonly kind: 'stabilize'; readonly checkpoint: Verified<StableCheckpoint> }
  /** Transfer: fetch the snapshot of this checkpoint from any of `sources`; answered by `installed`. */
  | {
      readonly kind: 'transfer'
      readonly checkpoint: Verified<StableCheckpoint>
      readonly sources: readonly ReplicaIndex[]
      readonly reason: 'behind' | 'diverged'
    }
  /** Operator: this replica's own state is wrong. */
  | { readonly kind: 'alarm'; readonly code: 'state-diverged' | 'nondeterministic-machine'; readonly slot: Slot }
  /** Operator and storage: somebody lied, and this proves it. */
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** Operator: the view began or was given up, and why. */
  | { readonly kind: 'view'; readonly view: View; readonly active: boolean; readonly reason: ViewReason }
  /** Shell: the epoch is over, and that is durable (M5). The core of the next one is made with `succeed`. */
  | { readonly kind: 'hand-over'; readonly handOver: HandOver }

export type ViewReason =
  | 'start'
  | 'new-view'
  | 'no-progress'
  | 'leader-gone'
  | 'censorship'
  | 'slow-leader'
  | 'hesitant-leader'
  | 'leader-lied'
  | 'joined'
  | 'no-new-view'
  | 'rotation'
  | 'lower-alive'

/** What must survive a power cut. A core that is rebuilt from its records never contradicts what it sent. */
export type DurableRecord =
  /** The body of an entry that was voted for or chosen. */
  | { readonly kind: 'entry'; readonly entry: Entry }
  /** An own Prepare or Accept vote. */
  | { readonly kind: 'vote'; readonly vote: Vote }
  /** A prepare certificate that an own Accept relies on. */
  | { readonly kind: 'prepared'; readonly certificate: Certificate }
  | { readonly kind: 'chosen'; readonly certificate: Certificate }
  /** The promise: an own ViewChange. */
  | { readonly kind: 'promise'; readonly viewChange: ViewChange }
  | { readonly kind: 'new-view'; readonly newView: NewView }
  /** An own signature on a checkpoint note, and the frontier of the log at that slot. */
  | { readonly kind: 'checkpoint'; readonly vote: CheckpointVote; readonly frontier: Frontier }
  /** Everything at or below its slot may be forgotten, but for what audits need. */
  | { readonly kind: 'stable'; readonly checkpoint: StableCheckpoint; readonly frontier: Frontier }
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** The end of the epoch, and the frontier of the log there; one for each epoch that is over, kept for ever. */
  | { readonly kind: 'hand-over'; readonly handOver: HandOver; readonly frontier: Frontier }

/** Where the machine stands when a core is built: after how many entries, at which agreed time, and what it waits for. */
export interface MachinePosition {
  readonly slot: Slot
  readonly frontier: Frontier
  readonly timestampMs: number
  /** As in `executed`. */
  readonly dueMs: number | undefined
  readonly succession: Succession | undefined
}

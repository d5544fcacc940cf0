// A scenario is everything that a run depends on, as plain JSON: a seed becomes one (profiles.ts), a file may hold one, and the
// shrinker makes them smaller. Running the same scenario twice gives the same run, event by event.

import type { ProtocolParameters } from '../consensus/index.ts'
import type { Defect } from './core.ts'
import type { ClockSettings, DiskSettings, NetworkSettings } from './kernel/index.ts'

export const SCENARIO_FORMAT = 'quorate-scenario-1'

export interface Scenario {
  readonly format: typeof SCENARIO_FORMAT
  /** One sentence for people: what it shows. */
  readonly about: string
  /** Names the streams of chance for delays, losses and the like. */
  readonly seed: string
  readonly group: { readonly replicas: number; readonly byzantine: number; readonly crash: number }
  readonly parameters: ProtocolParameters
  readonly signatures: 'simulated' | 'real'
  readonly network: NetworkSettings
  readonly disk: DiskSettings
  /** By replica; those not listed are exact. */
  readonly clocks: readonly ClockSettings[]
  readonly shell: ShellSettings
  readonly clients: readonly ClientSettings[]
  readonly workload: WorkloadSettings
  readonly liars: readonly Liar[]
  /** Replicas that run twice under one identity, each copy with a disk of its own. */
  readonly twins: readonly number[]
  readonly faults: readonly Fault[]
  /** Changes of the membership, each asked for once the one before has begun an epoch. */
  readonly changes: readonly MembershipChange[]
  /** Simulated milliseconds after which the faults end and a core is healed, if the clients are not done before. */
  readonly safetyMs: number
  /** The replicas that stay when everything else is taken away for good: honest, and a quorum of the newest epoch. */
  readonly core: readonly number[]
  /** Simulated milliseconds that the healed core has to finish everything that is pending. */
  readonly livenessMs: number
  /** Mistakes to switch on. */
  readonly defects: readonly Defect[]
}

/** How the process around the core behaves. */
export interface ShellSettings {
  readonly tickMs: number
  /** Mean time to execute an entry. */
  readonly executeUs: number
  /** Records at or below the stable checkpoint are dropped from disk. */
  readonly truncates: boolean
  /** Entries whose results are kept for clients that ask again. */
  readonly keptResults: number
}

export interface ClientSettings {
  readonly operations: number
  /** Requests under way at once. */
  readonly outstanding: number
  /** Requests under one signature at most. */
  readonly bundle: number
  /** Mean pause between an answer and the next request. */
  readonly thinkUs: number
  /** After so long without an answer it asks all replicas. */
  readonly retryMs: number
  /** After so long its caller gives up, and the outcome is unknown; never where undefined. */
  readonly deadlineMs?: number
  /**
   * `equivocates`: signs two commands under one number, and sends them to different replicas. `resumes`: loses every answer, as if it
   * had crashed, and asks for it again with the same signed request.
   */
  readonly fault?: 'equivocates' | 'resumes'
  /** How it reads, beside the log; through the log where undefined, or where that does not work. */
  readonly reads?: 'quorum' | 'lease'
}

export interface WorkloadSettings {
  readonly keys: number
  /** Out of 100; the rest are puts. */
  readonly reads: number
  readonly deletes: number
  readonly swaps: number
  /** Out of 100, before all of these: commands about leases, which live up to `leaseTtlMs`; none where absent. */
  readonly leases?: number
  readonly leaseTtlMs?: number
}

export interface Liar {
  readonly replica: number
  readonly behaviour: string
}

export interface MembershipChange {
  /** After the epoch before began. */
  readonly afterMs: number
  /** How many new members there are; their addresses follow on those of the replicas and twins. */
  readonly add: number
  /** Identities of those that go: the first members are numbered from 0, those that join from there on, in their order. */
  readonly remove: readonly number[]
  /** Identities of those whose places new members take; these are numbered after those of `add`. */
  readonly replace?: readonly number[]
  /** Identities of those that go on under a new consensus key. */
  readonly rotate?: readonly number[]
  /** How many may lie and stop from then on; as before where undefined. */
  readonly quorum?: { readonly byzantine: number; readonly crash: number }
  /** What else is to be; as before where undefined. */
  readonly parameters?: Partial<ProtocolParameters>
}

/** Something that goes wrong: from when its condition holds, until another does or the network is healed. */
export type Fault = FaultAction & {
  /** At the start where undefined. */
  readonly when?: Condition
  /** Never before the healing where undefined. */
  readonly until?: Condition
}

export type FaultAction =
  /** Ordered pairs of addresses whose messages are lost; `told`: those at both ends are told that the channel between them ended. */
  | { readonly do: 'cut'; readonly links: readonly Link[]; readonly told?: true }
  /** Ordered pairs of addresses whose messages wait. */
  | { readonly do: 'clog'; readonly links: readonly Link[] }
  /**
   * Loses power, and has it again at the end; `wiped`: on a new, empty disk, which makes it a liar; `damaged`: see {@link DAMAGES}; `told`: its
   * peers are told that their channels to it ended, as a system does when a process dies.
   */
  | {
      readonly do: 'crash'
      readonly replica: number
      readonly wiped?: true
      readonly damaged?: Damage
      readonly told?: true
    }
  /** The disk refuses its next write, and the process ends itself; it is started again at the end, on a disk that works. `told` as above. */
  | { readonly do: 'fail-disk'; readonly replica: number; readonly told?: true }
  /** Stands still and then goes on with everything that came meanwhile. */
  | { readonly do: 'pause'; readonly replica: number }
  | { readonly do: 'slow-disk'; readonly replica: number; readonly factor: number }
  /** The wall clock is set, and set back at the end. */
  | { readonly do: 'clock'; readonly replica: number; readonly byMs: number }
  /** Messages that match are lost. */
  | { readonly do: 'drop'; readonly messages: MessageFilter }
  /** Messages that match arrive so much later. */
  | { readonly do: 'delay'; readonly messages: MessageFilter; readonly byMs: number }

/**
 * What bits may flip in while the power is off. Checksums tell. A damaged snapshot or decision is had again from peers, under q
 * signatures; with one of the others gone nobody knows what the replica promised, and it stays out.
 */
export const DAMAGES = ['snapshot', 'chosen', 'entry', 'vote', 'prepared', 'promise', 'new-view', 'checkpoint'] as const
export type Damage = (typeof DAMAGES)[number]

/** Addresses: replicas from 0, then the second copies of twins in their order, then clients from 1000. */
export type Link = readonly [from: number, to: number]

export type Condition =
  | { readonly atMs: number }
  /** Milliseconds after the fault began; for `until` only. */
  | { readonly afterMs: number }
  /** The nth (from 1) message that matches is sent. */
  | { readonly message: MessageFilter; readonly nth?: number }
  /** The replica's nth record of this kind is handed to its disk, or (durable) is on it. */
  | { readonly record: string; readonly of: number; readonly nth?: number; readonly durable?: boolean }
  /** The replica enters this view, or a later one. */
  | { readonly view: number; readonly of: number }
  /** The replica executed this slot, or a later one. */
  | { readonly executed: number; readonly of: number }

/** A message matches where everything that is named agrees. */
export interface MessageFilter {
  /** A kind of message, or of vote: `prepare`, `accept`. */
  readonly kind?: string
  readonly from?: number
  readonly to?: number
  readonly view?: number
  readonly slot?: number
}

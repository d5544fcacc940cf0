// The protocol parameters of a genesis: every replica of a cluster runs with the same ones, so they are under its id.
// This table is the only place with their defaults, bounds and units.

import type { GenesisFault } from './fault.ts'

export interface NumberParameter {
  readonly unit: 'slots' | 'requests' | 'bytes' | 'ms' | 'percent'
  readonly default: number
  readonly least: number
  readonly most: number
  /** What it limits, for people. */
  readonly meaning: string
}

const KIB = 1024
const MIB = 1024 * KIB

export const NUMBER_PARAMETERS = Object.freeze({
  window: {
    unit: 'slots',
    default: 32,
    least: 1,
    most: 1024,
    meaning: 'slots in flight at once',
  },
  checkpointInterval: {
    unit: 'slots',
    default: 128,
    least: 1,
    most: 65_536,
    meaning: 'slots from one checkpoint to the next',
  },
  maxBatchRequests: {
    unit: 'requests',
    default: 1024,
    least: 1,
    most: 65_536,
    meaning: 'requests in one batch',
  },
  maxBatchBytes: {
    unit: 'bytes',
    default: MIB,
    least: 1 * KIB,
    most: 16 * MIB,
    meaning: 'encoded size of one batch',
  },
  maxRequestBytes: {
    unit: 'bytes',
    default: 64 * KIB,
    least: 512,
    most: 4 * MIB,
    meaning: 'encoded size of one request',
  },
  clockDriftMs: {
    unit: 'ms',
    default: 5_000,
    least: 1,
    most: 3_600_000,
    meaning: "distance of a batch's timestamp from a follower's clock",
  },
  viewTimeoutMs: {
    unit: 'ms',
    default: 500,
    least: 10,
    most: 600_000,
    meaning: 'time without progress before a view change; a tenth of it where a quorum lost its channels to the leader',
  },
  viewTimeoutCapMs: {
    unit: 'ms',
    default: 30_000,
    least: 10,
    most: 3_600_000,
    meaning: 'what that time grows to while views keep failing',
  },
  clockRatePercent: {
    unit: 'percent',
    default: 10,
    least: 0,
    most: 100,
    meaning: "how much faster one replica's clock may run than another's; leases are that much shorter",
  },
} as const satisfies Readonly<Record<string, NumberParameter>>)

export type NumberParameterName = keyof typeof NUMBER_PARAMETERS

/** When the leader changes although it works. */
export type Rotation =
  | { readonly policy: 'sticky' }
  | { readonly policy: 'every'; readonly slots: number }
  /** Crash mode only: a replica that may lie could claim to have heard, or not heard, from anyone. */
  | { readonly policy: 'lowest-alive' }

export type Parameters = { readonly [Name in NumberParameterName]: number } & {
  readonly rotation: Rotation
  /** False only in crash mode: votes then rest on the authenticated channel, and prove nothing to third parties. */
  readonly signedVotes: boolean
}

export const ROTATION_MOST_SLOTS = 1_048_576

export const DEFAULT_PARAMETERS: Parameters = Object.freeze({
  window: defaultOf('window'),
  checkpointInterval: defaultOf('checkpointInterval'),
  maxBatchRequests: defaultOf('maxBatchRequests'),
  maxBatchBytes: defaultOf('maxBatchBytes'),
  maxRequestBytes: defaultOf('maxRequestBytes'),
  clockDriftMs: defaultOf('clockDriftMs'),
  viewTimeoutMs: defaultOf('viewTimeoutMs'),
  viewTimeoutCapMs: defaultOf('viewTimeoutCapMs'),
  clockRatePercent: defaultOf('clockRatePercent'),
  rotation: Object.freeze({ policy: 'sticky' }),
  signedVotes: true,
})

/** What a number must be, as the end of a sentence that its path begins. */
export function rangeText(least: number, most: number, unit?: string): string {
  return `must be a whole number from ${least} to ${most}${unit === undefined ? '' : ` (${unit})`}`
}

/** Which parameters are out of their bounds, for those that did not come in a genesis file. */
export function parameterBoundFaults(parameters: Parameters): GenesisFault[] {
  const numbers = Object.entries<NumberParameter>(NUMBER_PARAMETERS).map(([name, { least, most, unit }]) => {
    return { path: name, value: parameters[name as NumberParameterName], least, most, unit }
  })
  const { rotation } = parameters
  const slots = rotation.policy === 'every' ? [rotation.slots] : []
  const all = [
    ...numbers,
    ...slots.map((value) => ({ path: 'rotation.slots', value, least: 1, most: ROTATION_MOST_SLOTS, unit: 'slots' })),
  ]
  return all
    .filter(({ value, least, most }) => !Number.isSafeInteger(value) || value < least || value > most)
    .map(({ path, least, most, unit }) => ({ path: `parameters.${path}`, message: rangeText(least, most, unit) }))
}

/** What is wrong with parameters that are each in bounds: their relations, and what needs crash mode. */
export function parameterFaults(parameters: Parameters, crashMode: boolean): GenesisFault[] {
  const { window, checkpointInterval, maxBatchBytes, maxRequestBytes, viewTimeoutMs, viewTimeoutCapMs } = parameters
  const faults: GenesisFault[] = []
  const refuse = (name: string, message: string) => faults.push({ path: `parameters.${name}`, message })
  // With the window no longer than the interval, at most one checkpoint lies among the slots in flight, so a replica
  // signs for one state at a time and the log above the stable checkpoint is bounded by their sum.
  if (checkpointInterval < window) {
    refuse('checkpointInterval', `${checkpointInterval} slots must not be less than the window of ${window}`)
  }
  if (maxRequestBytes > maxBatchBytes) {
    refuse('maxRequestBytes', `${maxRequestBytes} bytes do not fit into a batch of maxBatchBytes = ${maxBatchBytes}`)
  }
  if (viewTimeoutCapMs < viewTimeoutMs) {
    refuse('viewTimeoutCapMs', `${viewTimeoutCapMs} ms must not be less than viewTimeoutMs = ${viewTimeoutMs}`)
  }
  const { rotation } = parameters
  if (rotation.policy === 'every' && rotation.slots % checkpointInterval !== 0) {
    refuse(
      'rotation.slots',
      `${rotation.slots} must be a multiple of checkpointInterval = ${checkpointInterval}: leaders change there`,
    )
  }
  if (!crashMode && rotation.policy === 'lowest-alive') {
    refuse('rotation.policy', '"lowest-alive" is for crash mode (quorum.byzantine = 0) only')
  }
  if (!crashMode && !parameters.signedVotes) {
    refuse('signedVotes', 'may be false in crash mode (quorum.byzantine = 0) only')
  }
  return faults
}

function defaultOf(name: NumberParameterName): number {
  return NUMBER_PARAMETERS[name].default
}

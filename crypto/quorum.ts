// Quorum arithmetic: the only place that turns (n, b, c) into thresholds.
//
// Of n replicas up to b may lie and up to c more may stop. A quorum must exist without those that lie and those that
// stopped (q <= n - b - c), and two quorums must share an honest replica (2q - n >= b + 1). The smallest q that does the
// second is ceil((n + b + 1) / 2), and it fits the first exactly when n >= 3b + 2c + 1.
// Ref: Malkhi and Reiter, "Byzantine quorum systems", 1998, section 3; Castro and Liskov, "Practical Byzantine fault
// tolerance", 1999, section 3; Lamport, "Lower bounds for asynchronous consensus", 2006.

import { MAX_REPLICAS } from './brands.ts'

export interface QuorumSystem {
  /** n: replicas in the group. */
  readonly replicas: number
  /** b: how many of them may lie. */
  readonly byzantine: number
  /** c: how many more may stop. */
  readonly crash: number
  /** q: votes that decide; any two such sets share at least b + 1 replicas. */
  readonly quorum: number
  /** t = b + 1: said by so many, so said by at least one honest replica. */
  readonly trust: number
  /**
   * Prepare votes, the leader's among them, that prove that nothing else can be prepared in a view and slot: q, or with b = 0
   * the leader's alone, since a leader that never lies never offers two values. This is all that crash mode is.
   */
  readonly prepare: number
  /** True with b = 0: nobody lies. */
  readonly crashMode: boolean
}

export interface QuorumParameters {
  readonly replicas: number
  readonly byzantine: number
  readonly crash: number
}

/** A combination of n, b and c that no quorum system fits; the message is one sentence for the user. */
export class QuorumError extends Error {
  override readonly name = 'QuorumError'
}

/** The thresholds of a group. @throws {QuorumError} where {@link quorumFault} finds a fault. */
export function quorumSystem({ replicas, byzantine, crash }: QuorumParameters): QuorumSystem {
  const fault = quorumFault({ replicas, byzantine, crash })
  if (fault !== undefined) throw new QuorumError(fault)
  const quorum = Math.ceil((replicas + byzantine + 1) / 2)
  const crashMode = byzantine === 0
  return Object.freeze({
    replicas,
    byzantine,
    crash,
    quorum,
    trust: byzantine + 1,
    prepare: crashMode ? 1 : quorum,
    crashMode,
  })
}

/** Why no quorum system fits, in one sentence; undefined where one does. */
export function quorumFault({ replicas, byzantine, crash }: QuorumParameters): string | undefined {
  for (const [name, value, least] of [
    ['the number of replicas', replicas, 1],
    ['the number of liars (b)', byzantine, 0],
    ['the number of crashes (c)', crash, 0],
  ] as const) {
    if (!Number.isInteger(value) || value < least || value > MAX_REPLICAS) {
      return `${name} must be a whole number from ${least} to ${MAX_REPLICAS}, not ${value}`
    }
  }
  const needed = 3 * byzantine + 2 * crash + 1
  if (replicas >= needed) return undefined
  const faults = [count(byzantine, 'liar'), count(crash, 'crash')].filter((text) => text !== undefined).join(' and ')
  return `${count(replicas, 'replica')} cannot bear ${faults}: needs n >= 3b + 2c + 1 = ${needed}`
}

/** The largest b for n replicas beside c crashes; negative where c alone is too many. */
export function largestByzantine(replicas: number, crash = 0): number {
  return Math.floor((replicas - 2 * crash - 1) / 3)
}

/** The largest c for n replicas beside b liars; negative where b alone is too many. */
export function largestCrash(replicas: number, byzantine: number): number {
  return Math.floor((replicas - 3 * byzantine - 1) / 2)
}

function count(number: number, noun: string): string | undefined {
  if (number === 0) return undefined
  const plural = noun.endsWith('sh') ? `${noun}es` : `${noun}s`
  return `${number} ${number === 1 ? noun : plural}`
}

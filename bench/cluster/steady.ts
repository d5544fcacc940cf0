// A load that lasts: one cluster, measured piece by piece, to see whether memory, disk or latency creep up.

import type { Measured } from './messages.ts'
import type { Work } from './metrics.ts'
import { type RunOptions, withCluster } from './run.ts'
import type { Setting } from './settings.ts'

/** Seconds of a piece. */
export const PIECE_S = 30
const MIB = 1024 * 1024

export interface Piece {
  /** Seconds from the first piece's start to this one's end. */
  readonly seconds: number
  readonly operationsPerSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly failed: number
  /** MiB of each replica. */
  readonly memory: readonly number[]
  readonly disk: readonly number[]
  readonly loaderMemory: number
}

/** The pieces of `seconds` in all; each is told as soon as it is over. The last may be shorter. */
export async function steady(
  setting: Setting,
  { onPiece, ...options }: RunOptions & { readonly onPiece?: (piece: Piece) => void },
): Promise<{ readonly pieces: readonly Piece[]; readonly checked: number }> {
  return withCluster(setting, options, async ({ measure }) => {
    const pieces: Piece[] = []
    for (let done = 0; done < setting.seconds; ) {
      const length = Math.min(PIECE_S, setting.seconds - done)
      done += length
      const { load, replicas } = await measure(length)
      const piece = pieceOf(done, load, replicas)
      pieces.push(piece)
      onPiece?.(piece)
    }
    return { pieces }
  })
}

export const PIECE_HEAD =
  '      s        /s   p50 ms   p99 ms   max ms   failed  memory MiB (replicas; loader)   disk MiB (replicas)'

export function pieceText(piece: Piece): string {
  const { seconds, operationsPerSecond, p50, p99, max, failed, memory, disk, loaderMemory } = piece
  const whole = (values: readonly number[]) => values.map((value) => value.toFixed(0)).join(' ')
  const numbers = [seconds.toFixed(0).padStart(7), operationsPerSecond.toFixed(0).padStart(9)]
  const latencies = [p50, p99, max].map((value) => value.toFixed(1).padStart(8))
  const memoryText = `${whole(memory)}; ${loaderMemory.toFixed(0)}`.padEnd(31)
  return [...numbers, ...latencies, String(failed).padStart(8), ` ${memoryText}`, whole(disk)].join(' ')
}

function pieceOf(seconds: number, load: Measured, replicas: readonly Work[]): Piece {
  const { p50, p99, max } = load.latency
  return {
    ...{ seconds, p50, p99, max },
    operationsPerSecond: load.operations / load.seconds,
    failed: Object.values(load.failures).reduce((sum, each) => sum + each, 0),
    memory: replicas.map(({ residentBytes }) => residentBytes / MIB),
    disk: replicas.map(({ diskBytes }) => diskBytes / MIB),
    loaderMemory: load.residentBytes / MIB,
  }
}

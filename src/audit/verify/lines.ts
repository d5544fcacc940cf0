// A bundle's bytes as lines, one in memory at a time, with the running hash that the last line must name.

import { concatBytes, type Digest, digest, runningSha256 } from '../../../crypto/index.ts'
import { MAX_LINE_BYTES } from './limits.ts'

/** Chunks of a file, of any sizes. */
export type ByteSource = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without the line feed. */
  readonly bytes: Uint8Array
  /** SHA-256 of everything before this line; to be called before the next line is taken. */
  before(): Digest
}

/** Why there are no more lines, though the file has more bytes or ends wrongly. */
export interface LineFault {
  readonly number: number
  readonly code: 'line-too-long' | 'truncated' | 'empty'
  readonly message: string
}

const LINE_FEED = 0x0a

/** The lines of `source`; a fault instead of a line is the last. */
export async function* linesOf(source: ByteSource): AsyncGenerator<Line | LineFault> {
  // Of everything before the line that is read, but for what of it is in the chunk at hand: many lines are hashed in one call.
  const hash = runningSha256()
  let pieces: Uint8Array[] = []
  let held = 0
  let number = 0
  for await (const chunk of source) {
    let hashed = 0
    let start = 0
    const hashUpTo = (end: number) => {
      if (end <= hashed) return
      hash.update(chunk.subarray(hashed, end))
      hashed = end
    }
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end)
      if (held + piece.length > MAX_LINE_BYTES) return yield tooLong(number + 1)
      if (end === -1) {
        hashUpTo(start)
        // A copy: whoever reads a file may use its buffer again.
        if (piece.length > 0) pieces.push(piece.slice())
        held += piece.length
        break
      }
      const bytes = pieces.length === 0 ? piece.slice() : concatBytes(...pieces, piece)
      const begun = start
      number += 1
      yield {
        number,
        bytes,
        before: () => {
          hashUpTo(begun)
          return digest(hash.soFar())
        },
      }
      for (const each of pieces) hash.update(each)
      pieces = []
      held = 0
      start = end + 1
    }
  }
  if (held > 0) yield truncated(number + 1, 'ends within a line: it was cut off')
  else if (number === 0) yield { number: 1, code: 'empty', message: 'is empty' }
}

function tooLong(number: number): LineFault {
  return { number, code: 'line-too-long', message: `is longer than ${MAX_LINE_BYTES} bytes` }
}

function truncated(number: number, message: string): LineFault {
  return { number, code: 'truncated', message }
}

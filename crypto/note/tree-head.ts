// The text of a transparency log's checkpoint: which log, how many leaves, which root.
//
//   <origin>
//   <size, decimal>
//   <root, base64 of 32 bytes>
//   <extension lines, if any, none of them empty>
//
// Ref: c2sp.org/tlog-checkpoint, "Note text".

import { DIGEST_BYTES, type Digest, digest } from '../brands.ts'
import { base64, equalBytes, fromBase64 } from '../bytes.ts'
import { EMPTY_ROOT } from '../merkle/index.ts'
import { failure, type Result, success } from '../result.ts'
import { fromDecimal, isLine } from './text.ts'

export interface TreeHead {
  /** Identifies the log. */
  readonly origin: string
  /** Leaves, from 0 to 2^53 - 1. */
  readonly size: number
  readonly root: Digest
  readonly extensions: readonly string[]
}

export interface TreeHeadFault {
  readonly code: 'bad-tree-head'
  readonly part: 'lines' | 'origin' | 'size' | 'root' | 'extension'
}

/** A log of this name could have its checkpoints mistaken for cosignatures. Ref: c2sp.org/tlog-cosignature. */
const COSIGNATURE_LINE = 'cosignature/v1'

/** The text of `head`, ending with a line feed. @throws {RangeError} where {@link parseTreeHead} would refuse it. */
export function treeHeadText({ origin, size, root, extensions }: TreeHead): string {
  if (extensions.some((line) => line.includes('\n'))) {
    throw new RangeError('tree head: expected extensions of one line each')
  }
  const part = badPart(origin, size, root, extensions)
  if (part !== undefined) throw new RangeError(`tree head: expected one that parses, got a bad ${part}`)
  return [origin, size, base64(root), ...extensions, ''].join('\n')
}

/** The tree head in the text of a note; {@link treeHeadText} gives the same text back. */
export function parseTreeHead(text: string): Result<TreeHead, TreeHeadFault> {
  const [origin = '', decimal = '', encoded = '', ...rest] = text.split('\n')
  const extensions = rest.slice(0, -1)
  if (rest.at(-1) !== '') return refusal('lines')
  const size = fromDecimal(decimal)
  const root = digestFromBase64(encoded)
  const part = badPart(origin, size, root, extensions)
  if (part !== undefined || size === undefined || root === undefined) return refusal(part ?? 'lines')
  return success({ origin, size, root, extensions })
}

/** The first part that no tree head has; undefined where all are good. */
function badPart(
  origin: string,
  size: number | undefined,
  root: Uint8Array | undefined,
  extensions: readonly string[],
): TreeHeadFault['part'] | undefined {
  if (!isLine(origin) || origin === COSIGNATURE_LINE) return 'origin'
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) return 'size'
  if (root?.length !== DIGEST_BYTES || (size === 0 && !equalBytes(root, EMPTY_ROOT))) return 'root'
  return extensions.every(isLine) ? undefined : 'extension'
}

/** The 32 bytes in `text`, or undefined where it is not their base64. */
export function digestFromBase64(text: string): Digest | undefined {
  const bytes = fromBase64(text)
  return bytes?.length === DIGEST_BYTES ? digest(bytes) : undefined
}

function refusal(part: TreeHeadFault['part']): Result<never, TreeHeadFault> {
  return failure({ code: 'bad-tree-head', part })
}

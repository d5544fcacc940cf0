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
export function treeHeadText(head: TreeHead): string {
  const text = [head.origin, head.size, base64(head.root), ...head.extensions, ''].join('\n')
  const parsed = parseTreeHead(text)
  if (!parsed.ok) throw new RangeError(`tree head: expected one that parses, got a bad ${parsed.fault.part}`)
  if (parsed.value.extensions.length !== head.extensions.length) {
    throw new RangeError('tree head: expected extensions of one line each')
  }
  return text
}

/** The tree head in the text of a note; {@link treeHeadText} gives the same text back. */
export function parseTreeHead(text: string): Result<TreeHead, TreeHeadFault> {
  const [origin = '', decimal = '', encoded = '', ...rest] = text.split('\n')
  const extensions = rest.slice(0, -1)
  if (rest.at(-1) !== '') return refusal('lines')
  if (!isLine(origin) || origin === COSIGNATURE_LINE) return refusal('origin')
  const size = fromDecimal(decimal)
  if (size === undefined) return refusal('size')
  const root = digestFromBase64(encoded)
  if (root === undefined || (size === 0 && !equalBytes(root, EMPTY_ROOT))) return refusal('root')
  if (!extensions.every(isLine)) return refusal('extension')
  return success({ origin, size, root, extensions })
}

/** The 32 bytes in `text`, or undefined where it is not their base64. */
export function digestFromBase64(text: string): Digest | undefined {
  const bytes = fromBase64(text)
  return bytes?.length === DIGEST_BYTES ? digest(bytes) : undefined
}

function refusal(part: TreeHeadFault['part']): Result<never, TreeHeadFault> {
  return failure({ code: 'bad-tree-head', part })
}

// A transaction as JSON, for `quorate txn`; docs/client.md shows one. Keys and values are strings, or { "base64": "..." } for bytes that
// are no text. Every field is known, and nothing else may be there.

import { z } from 'zod'
import { fromBase64, fromUtf8, utf8 } from '../../../crypto/index.ts'
import {
  type Compare,
  MAX_KV_KEY_BYTES,
  MAX_TXN_COMPARES,
  MAX_TXN_OPERATIONS,
  type Operation,
  prefixRange,
  type Transaction,
} from '../../machine/index.ts'
import { UsageError } from '../command.ts'

const bytes = z.unknown().transform((value, context) => {
  if (typeof value === 'string') return utf8(value)
  const form = z.strictObject({ base64: z.string() }).safeParse(value)
  const decoded = form.success ? fromBase64(form.data.base64) : undefined
  if (decoded !== undefined) return decoded
  const message = form.success ? 'is not padded base64' : 'must be a string, or {"base64": "..."}'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})
const key = bytes.refine(({ length }) => length >= 1 && length <= MAX_KV_KEY_BYTES, {
  message: `has from 1 to ${MAX_KV_KEY_BYTES} bytes`,
})
const count = z.int().min(0)
const flag = z.boolean().default(false)

const compare = z.strictObject({
  key,
  target: z.enum(['value', 'version', 'create-revision', 'mod-revision']),
  relation: z.enum(['=', '!=', '<', '>']),
  value: bytes.optional(),
  number: count.optional(),
})

const operation = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('put'), key, value: bytes, previous: flag }),
  z.strictObject({ kind: z.literal('get'), key }),
  z.strictObject({ kind: z.literal('delete'), key, previous: flag }),
  z.strictObject({
    kind: z.literal('range'),
    start: bytes.optional(),
    end: bytes.optional(),
    prefix: bytes.optional(),
    limit: count.default(0),
    keysOnly: flag,
    countOnly: flag,
  }),
  z.strictObject({
    kind: z.literal('delete-range'),
    start: bytes.optional(),
    end: bytes.optional(),
    prefix: bytes.optional(),
    previous: flag,
  }),
])

const transaction = z.strictObject({
  compares: z.array(compare).max(MAX_TXN_COMPARES).default([]),
  success: z.array(operation).max(MAX_TXN_OPERATIONS).default([]),
  failure: z.array(operation).max(MAX_TXN_OPERATIONS).default([]),
})

/** @throws {UsageError} that names the place of the first fault. */
export function readTransaction(file: string, contents: Uint8Array): Transaction {
  const text = fromUtf8(contents)
  if (text === undefined) throw new UsageError(`${file} is not UTF-8 text`)
  const result = transaction.safeParse(jsonOf(file, text))
  if (!result.success) {
    const [issue] = result.error.issues
    const place = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`
    throw new UsageError(`${file} is no transaction${place}: ${issue?.message ?? 'unknown fault'}`)
  }
  const { compares, success, failure } = result.data
  return {
    kind: 'txn',
    compares: compares.map((each, i) => compareOf(file, each, i)),
    success: success.map((each, i) => operationOf(file, each, `success.${i}`)),
    failure: failure.map((each, i) => operationOf(file, each, `failure.${i}`)),
  }
}

function jsonOf(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function compareOf(file: string, given: z.output<typeof compare>, index: number): Compare {
  const { target, relation, value, number } = given
  const wrong = (what: string) => new UsageError(`${file} is no transaction at compares.${index}: ${what}`)
  if (target === 'value') {
    if (value === undefined || number !== undefined) throw wrong('a value is compared with "value", and nothing else')
    return { key: given.key, target, relation, value }
  }
  if (number === undefined || value !== undefined)
    throw wrong(`a ${target} is compared with "number", and nothing else`)
  return { key: given.key, target, relation, number }
}

function operationOf(file: string, given: z.output<typeof operation>, place: string): Operation {
  if (given.kind !== 'range' && given.kind !== 'delete-range') return given
  const { start, end, prefix, ...rest } = given
  if ((start === undefined) === (prefix === undefined) || (prefix !== undefined && end !== undefined)) {
    throw new UsageError(
      `${file} is no transaction at ${place}: give either "prefix", or "start" with or without "end"`,
    )
  }
  const bounds = prefix === undefined ? { start: start ?? new Uint8Array(0), end } : prefixRange(prefix)
  return rest.kind === 'range' ? { ...rest, ...bounds } : { ...rest, ...bounds }
}

// Whether a line is the one text of its record, without which a byte of a bundle could change unseen.

import { encodeRecord } from './encode.ts'
import type { BundleRecord } from './records.ts'

/** Members in their order of the records that a bundle is full of, and of the object in one of them; all are always there. */
const MEMBERS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    entry: 'kind slot epoch type timestampMs count root certificate receipt path'.split(' '),
    request: 'kind client sequence command bundle'.split(' '),
    result: 'kind record'.split(' '),
    bundle: 'index count root path signature'.split(' '),
  }),
)

/**
 * Whether `text`, of which JSON made `value` and we `record`, is what {@link encodeRecord} gives. For a record of {@link MEMBERS} only
 * names, their order, and how JSON writes what it read are left to compare, since its other parts have one text each: hexadecimal,
 * whole numbers, null and two words. That takes a quarter of the time.
 */
export function isCanonical(record: BundleRecord, value: unknown, text: string): boolean {
  const members = MEMBERS.get(record.kind)
  if (members === undefined || !isObject(value)) return encodeRecord(record) === text
  const { bundle } = value
  return (
    hasJust(value, members) &&
    (record.kind !== 'request' || hasJust(bundle, MEMBERS.get('bundle') ?? [])) &&
    JSON.stringify(value) === text
  )
}

function hasJust(value: unknown, members: readonly string[]): boolean {
  const names = isObject(value) ? Object.keys(value) : []
  return names.length === members.length && names.every((name, i) => name === members[i])
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

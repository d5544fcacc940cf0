// The genesis file as it is written: JSON of the format "quorate-genesis-1", or "quorate-genesis-2" where it says more of
// who may change the membership. Every field is required but a member's operator, unknown ones are refused, so that
// nothing in the file can be under the cluster id and mean nothing, or mean something and not be.

import { z } from 'zod'
import { MAX_REPLICAS, SIGNATURE_RULE } from '../../crypto/index.ts'
import type { GenesisFault } from './fault.ts'
import {
  NUMBER_PARAMETERS,
  type NumberParameter,
  type Parameters,
  ROTATION_MOST_SLOTS,
  type Rotation,
  rangeText,
} from './parameters.ts'
import { DNS_LABEL, quoted } from './text.ts'

export const GENESIS_FORMAT = 'quorate-genesis-1'
/** As the first, with how many admins a change takes and each member's operator. */
export const GENESIS_FORMAT_2 = 'quorate-genesis-2'
/** 100 members and 1000 clients, indented, take less than half of it. */
export const MAX_GENESIS_BYTES = 1024 * 1024
export const MAX_CLIENTS = 1000
export const MAX_ADDRESSES = 8
/** A file with a hundred thousand unknown fields is not worth as many sentences. */
const MOST_FAULTS = 100

export const ROLES = Object.freeze(['reader', 'writer', 'admin'] as const)
export type Role = (typeof ROLES)[number]

export interface MemberContents {
  /** 64 hexadecimal digits. */
  readonly consensusKey: string
  readonly peerId: string
  /** Multiaddrs, see address.ts. */
  readonly addresses: readonly string[]
  /** Signatures of the two keys, 128 hexadecimal digits each, see canonical.ts. */
  readonly possession: { readonly consensus: string; readonly transport: string }
}

export interface OperatedMemberContents extends MemberContents {
  /** The name of the client who may replace this member and its keys without the admins; nobody where absent. */
  readonly operator?: string | undefined
}

export interface ClientContents {
  readonly name: string
  readonly role: Role
  readonly key: string
  readonly possession: string
}

interface CommonContents {
  /** A DNS label; becomes part of the checkpoint origin. */
  readonly name: string
  readonly rule: typeof SIGNATURE_RULE
  readonly quorum: { readonly byzantine: number; readonly crash: number }
  readonly clients: readonly ClientContents[]
  readonly parameters: Parameters
}

export interface GenesisContents1 extends CommonContents {
  readonly format: typeof GENESIS_FORMAT
  /** In the order of their replica indexes; their number is n. */
  readonly members: readonly MemberContents[]
}

export interface GenesisContents2 extends CommonContents {
  readonly format: typeof GENESIS_FORMAT_2
  readonly members: readonly OperatedMemberContents[]
  /** How many admins must agree on a change of the membership; one in the first format. */
  readonly admins: { readonly threshold: number }
}

export type GenesisContents = GenesisContents1 | GenesisContents2

const WHAT_A_LABEL_IS = 'must be a DNS label: 1 to 63 lower-case letters, digits and inner hyphens'

const label = text(DNS_LABEL, WHAT_A_LABEL_IS)
const key = text(/^[0-9a-f]{64}$/, 'must be a public key: 64 lower-case hexadecimal digits')
const proof = text(/^[0-9a-f]{128}$/, 'must be a signature: 128 lower-case hexadecimal digits')
const faultCount = whole(0, MAX_REPLICAS)

const rotation: z.ZodType<Rotation> = z.discriminatedUnion('policy', [
  z.strictObject({ policy: z.literal('sticky') }),
  z.strictObject({ policy: z.literal('every'), slots: whole(1, ROTATION_MOST_SLOTS, 'slots') }),
  z.strictObject({ policy: z.literal('lowest-alive') }),
])

const parameters: z.ZodType<Parameters> = z.strictObject({
  window: bounded(NUMBER_PARAMETERS.window),
  checkpointInterval: bounded(NUMBER_PARAMETERS.checkpointInterval),
  maxBatchRequests: bounded(NUMBER_PARAMETERS.maxBatchRequests),
  maxBatchBytes: bounded(NUMBER_PARAMETERS.maxBatchBytes),
  maxRequestBytes: bounded(NUMBER_PARAMETERS.maxRequestBytes),
  clockDriftMs: bounded(NUMBER_PARAMETERS.clockDriftMs),
  viewTimeoutMs: bounded(NUMBER_PARAMETERS.viewTimeoutMs),
  viewTimeoutCapMs: bounded(NUMBER_PARAMETERS.viewTimeoutCapMs),
  clockRatePercent: bounded(NUMBER_PARAMETERS.clockRatePercent),
  rotation,
  signedVotes: z.boolean('must be true or false'),
})

const member = z.strictObject({
  consensusKey: key,
  peerId: z.string('must be a peer id: 52 characters, beginning with 12D3KooW'),
  addresses: list(z.string('must be a multiaddr in quotes'), MAX_ADDRESSES, 'addresses'),
  possession: z.strictObject({ consensus: proof, transport: proof }),
})

const client = z.strictObject({
  name: label,
  role: z.enum(ROLES, 'must be "reader", "writer" or "admin"'),
  key,
  possession: proof,
})

const genesis1 = z.strictObject({
  format: z.literal(
    GENESIS_FORMAT,
    `must be ${quoted(GENESIS_FORMAT)} or ${quoted(GENESIS_FORMAT_2)}, the formats that this program reads`,
  ),
  name: label,
  rule: z.literal(SIGNATURE_RULE, `must be ${quoted(SIGNATURE_RULE)}, the one rule that this program applies`),
  quorum: z.strictObject({ byzantine: faultCount, crash: faultCount }),
  members: list(member, MAX_REPLICAS, 'members'),
  clients: list(client, MAX_CLIENTS, 'clients'),
  parameters,
})

const genesis2 = genesis1.extend({
  format: z.literal(GENESIS_FORMAT_2),
  members: list(member.extend({ operator: label.optional() }), MAX_REPLICAS, 'members'),
  admins: z.strictObject({ threshold: whole(1, MAX_CLIENTS, 'admins') }),
})

/** `value` as a document, or every place where it has not the shape of one. */
export function contentsOf(value: unknown): GenesisContents | readonly GenesisFault[] {
  const schema: z.ZodType<GenesisContents> = valueAt(value, ['format']) === GENESIS_FORMAT_2 ? genesis2 : genesis1
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.flatMap((issue) => faultsOf(issue, value))
  const more = faults.length - MOST_FAULTS
  return more > 0 ? [...faults.slice(0, MOST_FAULTS), { path: '', message: `has ${more} more faults` }] : faults
}

function faultsOf(issue: z.core.$ZodIssue, value: unknown): GenesisFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({ path: pathText([...issue.path, name]), message: 'unknown field' }))
  }
  const path = pathText(issue.path)
  if (valueAt(value, issue.path) === undefined) return [{ path, message: 'is missing' }]
  if (issue.code === 'invalid_type' && issue.expected === 'object') {
    return [{ path, message: path === '' ? 'must hold one JSON object' : 'must be an object, { ... }' }]
  }
  if (issue.code === 'invalid_union') return [{ path, message: 'must be "sticky", "every" or "lowest-alive"' }]
  return [{ path, message: issue.message }]
}

function pathText(path: readonly PropertyKey[]): string {
  const parts = path.map((part) => {
    if (typeof part === 'number') return `[${part}]`
    const name = String(part)
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : `[${quoted(name)}]`
  })
  return parts.join('').replace(/^\./, '')
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined
    at = Reflect.get(at, part)
  }
  return at
}

function text(pattern: RegExp, message: string): z.ZodType<string> {
  return z.string(message).regex(pattern, message)
}

function whole(least: number, most: number, unit?: string): z.ZodType<number> {
  const message = rangeText(least, most, unit)
  return z.custom<number>(
    (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
    message,
  )
}

function bounded({ least, most, unit }: NumberParameter): z.ZodType<number> {
  return whole(least, most, unit)
}

function list<Item>(item: z.ZodType<Item>, most: number, noun: string): z.ZodType<Item[]> {
  const message = `must be a list of 1 to ${most} ${noun}`
  return z.array(item, message).min(1, message).max(most, message)
}

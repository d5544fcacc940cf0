// What a new member hands to an admin: its public keys, where it is reached, and what it signed to show that it holds the keys and the
// state. All of it is public, and good for one membership alone.

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import {
  DIGEST_BYTES,
  type Digest,
  digest,
  fromHex,
  fromUtf8,
  hex,
  PUBLIC_KEY_BYTES,
  publicKey,
  SIGNATURE_BYTES,
  signature,
  utf8,
} from '../../../crypto/index.ts'
import { MAX_HELD_BYTES, MAX_MEMBER_ADDRESSES, type NewMember } from '../../machine/index.ts'
import { UsageError } from '../command.ts'

/** In the folder of the replica that joins, until it is a member. */
export const JOIN_FILE = 'join.json'
const FORMAT = 'quorate-join-1'
/** Addresses and the note at their longest, and everything else. */
const MAX_FILE_BYTES = 2 * MAX_HELD_BYTES

export interface Join {
  readonly clusterId: Digest
  /** The digest of the membership that it was made for. */
  readonly base: Digest
  readonly member: NewMember
}

const bytes = (length: number) =>
  z
    .string()
    .refine(
      (text) => text.length === 2 * length && fromHex(text) !== undefined,
      `must be ${2 * length} hexadecimal digits`,
    )
    .transform((text) => fromHex(text) ?? new Uint8Array(length))

const schema = z.strictObject({
  format: z.literal(FORMAT),
  cluster: bytes(DIGEST_BYTES),
  membership: bytes(DIGEST_BYTES),
  consensusKey: bytes(PUBLIC_KEY_BYTES),
  transportKey: bytes(PUBLIC_KEY_BYTES),
  operator: bytes(PUBLIC_KEY_BYTES).nullable(),
  addresses: z.array(z.string()).min(1).max(MAX_MEMBER_ADDRESSES),
  possession: z.strictObject({ consensus: bytes(SIGNATURE_BYTES), transport: bytes(SIGNATURE_BYTES) }),
  held: z.string(),
  joined: bytes(SIGNATURE_BYTES),
})

export function joinText({ clusterId, base, member }: Join): string {
  const { consensusKey, transportKey, operator, addresses, possession, held, joined } = member
  const contents: z.input<typeof schema> = {
    format: FORMAT,
    cluster: hex(clusterId),
    membership: hex(base),
    consensusKey: hex(consensusKey),
    transportKey: hex(transportKey),
    operator: operator === undefined ? null : hex(operator),
    addresses: [...addresses],
    possession: { consensus: hex(possession.consensus), transport: hex(possession.transport) },
    held: fromUtf8(held) ?? '',
    joined: hex(joined),
  }
  return `${JSON.stringify(contents, undefined, 2)}\n`
}

/** The join in `file`. Nothing that it says was verified: the cluster does that. @throws {UsageError} where there is none. */
export async function readJoin(file: string): Promise<Join> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`${file} cannot be read: ${error.message}`)
  })
  const refuse = (why: string) =>
    new UsageError(`${file} is no file of a joining replica: ${why}; quorate member join writes one`)
  if (text.length > MAX_FILE_BYTES) throw refuse(`it is longer than ${MAX_FILE_BYTES} bytes`)
  const parsed = schema.safeParse(jsonOf(text))
  if (!parsed.success) {
    const [first] = parsed.error.issues
    throw refuse(`${first?.path.join('.') || 'it'}: ${first?.message}`)
  }
  const { cluster, membership, consensusKey, transportKey, operator, addresses, possession, held, joined } = parsed.data
  return {
    clusterId: digest(cluster),
    base: digest(membership),
    member: {
      consensusKey: publicKey(consensusKey),
      transportKey: publicKey(transportKey),
      operator: operator === null ? undefined : publicKey(operator),
      addresses,
      possession: { consensus: signature(possession.consensus), transport: signature(possession.transport) },
      held: utf8(held),
      joined: signature(joined),
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

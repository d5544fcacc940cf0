// What admins have yet to agree on, where more than one must. A proposal is the command that one of them sent, and who approves;
// it is judged again, by the state of that moment, when the last approval comes.

import { bytesKey, type Digest, digest, leafHash, utf8 } from '../../../crypto/index.ts'
import { type AuthenticatedMap, joinText, prefixed, type Text, toBytes, toText } from '../authenticated-map/index.ts'
import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import { roleOf } from '../clients.ts'
import { ADMIN_SPACE } from '../keyspace.ts'
import { MAX_SYSTEM_COMMAND_BYTES } from './limits.ts'

export interface Proposal {
  /** The leaf hash of the command. */
  readonly id: Digest
  readonly command: Uint8Array
  /** The slot in which it was opened. */
  readonly slot: number
  /** Client keys, in the order in which they approved. */
  readonly approvals: readonly Uint8Array[]
}

const PREFIX = prefixed(ADMIN_SPACE, utf8('proposal/'))
const END = prefixed(ADMIN_SPACE, utf8('proposal0'))

export function proposalId(command: Uint8Array): Digest {
  return leafHash(command)
}

/** The key of the whole state under which a proposal stands. */
export function proposalKey(id: Digest): Text {
  return joinText(PREFIX, toText(id))
}

/** u64 slot, u16 number of approvals, their keys, the command. */
export function proposalValue({ command, slot, approvals }: Omit<Proposal, 'id'>): Text {
  const writer = new ByteWriter().u64(slot).u16(approvals.length)
  for (const key of approvals) writer.raw(key)
  return toText(writer.sized(command).finish())
}

export function proposalOf(map: AuthenticatedMap, id: Digest): Proposal | undefined {
  const value = map.get(proposalKey(id))
  return value === undefined ? undefined : read(id, value)
}

/** All that are open, in the order of their ids. */
export function openProposals(map: AuthenticatedMap): Proposal[] {
  const open: Proposal[] = []
  map.scan(PREFIX, END, (key, value) => {
    open.push(read(digest(toBytes(key, PREFIX.length)), value))
    return true
  })
  return open
}

/** The approvals that count: of those who are admins now. */
export function standing(map: AuthenticatedMap, { approvals }: Pick<Proposal, 'approvals'>): Uint8Array[] {
  const seen = new Set<string>()
  return approvals.filter((key) => {
    const first = !seen.has(bytesKey(key))
    seen.add(bytesKey(key))
    return first && roleOf(map, key) === 'admin'
  })
}

/** @throws {Error} where the state holds something else: a defect of ours, since what is restored was verified. */
function read(id: Digest, value: Text): Proposal {
  const reader = new ByteReader(toBytes(value))
  const slot = reader.u64()
  const count = reader.u16()
  const approvals: Uint8Array[] = []
  while (approvals.length < count && !reader.failed) approvals.push(new Uint8Array(reader.take(32)))
  const command = new Uint8Array(reader.sized(MAX_SYSTEM_COMMAND_BYTES))
  if (!reader.done) throw new Error('state: unreadable proposal')
  return { id, command, slot, approvals }
}

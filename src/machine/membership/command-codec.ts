// The one byte form of a command of the system: the tag, then what follows, with numbers big-endian, `?` for a byte 0 or 1
// that says whether what stands behind it is there, and byte strings behind their length.
//
//   1 change     base 32, u16 count, edits, ? b u32 c u32, ? parameters, ? threshold u32
//   2 approve    proposal 32
//   3 withdraw   proposal 32
//   4 client     1 add: name, key 32, role, possession 64;  2 remove: key 32;  3 role: key 32, role
//   5 addresses  id u32, u8 count, addresses
//
//   edit         1 add: member;  2 remove: id u32;  3 replace: id u32, member;  4 rotate-key: id u32, key 32, possession 64;
//                5 operator: id u32, ? key 32
//   member       consensus key 32, transport key 32, ? operator 32, u8 count, addresses, possessions 64 and 64, note, joined 64

import {
  type Digest,
  digest,
  fromUtf8,
  MAX_REPLICAS,
  type MemberId,
  memberId,
  type PublicKey,
  publicKey,
  type Signature,
  signature,
  utf8,
} from '../../../crypto/index.ts'
import { decodeParameters, encodeParameters, PARAMETERS_BYTES } from '../../../keys/charter/index.ts'
import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import { ROLE_BYTES, type Role, roleFromByte } from '../clients.ts'
import {
  type ChangeCommand,
  type ClientCommand,
  type Edit,
  isSystemCommand,
  type NewMember,
  SYSTEM_TAG,
  type SystemCommand,
} from './command.ts'
import { MAX_ADDRESS_BYTES, MAX_HELD_BYTES, MAX_MEMBER_ADDRESSES, MAX_NAME_BYTES } from './limits.ts'

const KIND_BYTES = Object.freeze({ change: 1, approve: 2, withdraw: 3, client: 4, addresses: 5 })
const OP_BYTES = Object.freeze({ add: 1, remove: 2, replace: 3, 'rotate-key': 4, operator: 5 })
const CLIENT_OP_BYTES = Object.freeze({ add: 1, remove: 2, role: 3 })

/** The bytes of a request's command. @throws {RangeError} where a number or a text is longer than its field. */
export function encodeSystemCommand(command: SystemCommand): Uint8Array {
  const writer = new ByteWriter().raw(SYSTEM_TAG).u8(KIND_BYTES[command.kind])
  switch (command.kind) {
    case 'change':
      writeChange(writer, command)
      break
    case 'client':
      writeClient(writer, command)
      break
    case 'addresses':
      writeAddresses(writer.u32(command.member), command.addresses)
      break
    default:
      writer.raw(command.proposal)
  }
  return writer.finish()
}

/** The command in these bytes, or undefined where {@link encodeSystemCommand} never writes such. Keys are not admitted yet. */
export function decodeSystemCommand(bytes: Uint8Array): SystemCommand | undefined {
  if (!isSystemCommand(bytes)) return undefined
  const reader = new ByteReader(bytes.subarray(SYSTEM_TAG.length))
  const command = readCommand(reader)
  return reader.done ? command : undefined
}

function readCommand(reader: ByteReader): SystemCommand | undefined {
  switch (reader.u8()) {
    case KIND_BYTES.change:
      return readChange(reader)
    case KIND_BYTES.approve:
      return { kind: 'approve', proposal: readDigest(reader) }
    case KIND_BYTES.withdraw:
      return { kind: 'withdraw', proposal: readDigest(reader) }
    case KIND_BYTES.client:
      return readClient(reader)
    case KIND_BYTES.addresses:
      return { kind: 'addresses', member: readId(reader), addresses: readAddresses(reader) }
    default:
      reader.spoil()
      return undefined
  }
}

function writeChange(writer: ByteWriter, { base, edits, quorum, parameters, threshold }: ChangeCommand): void {
  if (edits.length > MAX_REPLICAS) throw new RangeError(`edits: expected at most ${MAX_REPLICAS}, got ${edits.length}`)
  writer.raw(base).u16(edits.length)
  for (const edit of edits) writeEdit(writer, edit)
  writer.u8(quorum === undefined ? 0 : 1)
  if (quorum !== undefined) writer.u32(quorum.byzantine).u32(quorum.crash)
  writer.u8(parameters === undefined ? 0 : 1)
  if (parameters !== undefined) writer.raw(encodeParameters(parameters))
  writer.u8(threshold === undefined ? 0 : 1)
  if (threshold !== undefined) writer.u32(threshold)
}

function readChange(reader: ByteReader): ChangeCommand {
  const base = readDigest(reader)
  const count = reader.u16()
  if (count > MAX_REPLICAS) reader.spoil()
  const edits: Edit[] = []
  while (edits.length < count && !reader.failed) {
    const edit = readEdit(reader)
    if (edit !== undefined) edits.push(edit)
  }
  const quorum = readFlag(reader) ? { byzantine: reader.u32(), crash: reader.u32() } : undefined
  const changed = readFlag(reader)
  const parameters = changed ? decodeParameters(reader.take(PARAMETERS_BYTES)) : undefined
  if (changed && parameters === undefined) reader.spoil()
  const threshold = readFlag(reader) ? reader.u32() : undefined
  return { kind: 'change', base, edits, quorum, parameters, threshold }
}

function writeEdit(writer: ByteWriter, edit: Edit): void {
  writer.u8(OP_BYTES[edit.op])
  if (edit.op !== 'add') writer.u32(edit.id)
  if (edit.op === 'add' || edit.op === 'replace') writeMember(writer, edit.member)
  if (edit.op === 'rotate-key') writer.raw(edit.consensusKey).raw(edit.possession)
  if (edit.op === 'operator') writeOptionalKey(writer, edit.key)
}

function readEdit(reader: ByteReader): Edit | undefined {
  switch (reader.u8()) {
    case OP_BYTES.add:
      return { op: 'add', member: readMember(reader) }
    case OP_BYTES.remove:
      return { op: 'remove', id: readId(reader) }
    case OP_BYTES.replace:
      return { op: 'replace', id: readId(reader), member: readMember(reader) }
    case OP_BYTES['rotate-key']: {
      const id = readId(reader)
      return { op: 'rotate-key', id, consensusKey: readKey(reader), possession: readSignature(reader) }
    }
    case OP_BYTES.operator:
      return { op: 'operator', id: readId(reader), key: readOptionalKey(reader) }
    default:
      reader.spoil()
      return undefined
  }
}

function writeMember(writer: ByteWriter, member: NewMember): void {
  writer.raw(member.consensusKey).raw(member.transportKey)
  writeOptionalKey(writer, member.operator)
  writeAddresses(writer, member.addresses)
  if (member.held.length > MAX_HELD_BYTES) throw new RangeError(`held: expected at most ${MAX_HELD_BYTES} bytes`)
  writer.raw(member.possession.consensus).raw(member.possession.transport).sized(member.held).raw(member.joined)
}

function readMember(reader: ByteReader): NewMember {
  return {
    consensusKey: readKey(reader),
    transportKey: readKey(reader),
    operator: readOptionalKey(reader),
    addresses: readAddresses(reader),
    possession: { consensus: readSignature(reader), transport: readSignature(reader) },
    held: new Uint8Array(reader.sized(MAX_HELD_BYTES)),
    joined: readSignature(reader),
  }
}

function writeClient(writer: ByteWriter, { edit }: ClientCommand): void {
  writer.u8(CLIENT_OP_BYTES[edit.op])
  if (edit.op === 'add') writeText(writer, edit.name, MAX_NAME_BYTES)
  writer.raw(edit.key)
  if (edit.op !== 'remove') writer.u8(ROLE_BYTES[edit.role])
  if (edit.op === 'add') writer.raw(edit.possession)
}

function readClient(reader: ByteReader): ClientCommand | undefined {
  switch (reader.u8()) {
    case CLIENT_OP_BYTES.add: {
      const name = readText(reader, MAX_NAME_BYTES)
      const key = readKey(reader)
      const role = readRole(reader)
      return { kind: 'client', edit: { op: 'add', name, key, role, possession: readSignature(reader) } }
    }
    case CLIENT_OP_BYTES.remove:
      return { kind: 'client', edit: { op: 'remove', key: readKey(reader) } }
    case CLIENT_OP_BYTES.role:
      return { kind: 'client', edit: { op: 'role', key: readKey(reader), role: readRole(reader) } }
    default:
      reader.spoil()
      return undefined
  }
}

/** Addresses as they stand in commands and in the state. */
export function writeAddresses(writer: ByteWriter, addresses: readonly string[]): void {
  if (addresses.length > MAX_MEMBER_ADDRESSES) {
    throw new RangeError(`addresses: expected at most ${MAX_MEMBER_ADDRESSES}, got ${addresses.length}`)
  }
  writer.u8(addresses.length)
  for (const address of addresses) writeText(writer, address, MAX_ADDRESS_BYTES)
}

export function readAddresses(reader: ByteReader): string[] {
  const count = reader.u8()
  if (count > MAX_MEMBER_ADDRESSES) reader.spoil()
  const addresses: string[] = []
  while (addresses.length < count && !reader.failed) addresses.push(readText(reader, MAX_ADDRESS_BYTES))
  return addresses
}

function writeText(writer: ByteWriter, text: string, most: number): void {
  const bytes = utf8(text)
  if (bytes.length > most) throw new RangeError(`text: expected at most ${most} bytes, got ${bytes.length}`)
  writer.short(bytes)
}

function readText(reader: ByteReader, most: number): string {
  const text = fromUtf8(reader.short(most))
  if (text === undefined) reader.spoil()
  return text ?? ''
}

function writeOptionalKey(writer: ByteWriter, key: PublicKey | undefined): void {
  writer.u8(key === undefined ? 0 : 1)
  if (key !== undefined) writer.raw(key)
}

function readOptionalKey(reader: ByteReader): PublicKey | undefined {
  return readFlag(reader) ? readKey(reader) : undefined
}

function readFlag(reader: ByteReader): boolean {
  const value = reader.u8()
  if (value > 1) reader.spoil()
  return value === 1
}

function readRole(reader: ByteReader): Role {
  const role = roleFromByte(reader.u8())
  if (role === undefined) reader.spoil()
  return role ?? 'reader'
}

function readId(reader: ByteReader): MemberId {
  return memberId(reader.u32())
}

function readKey(reader: ByteReader): PublicKey {
  return publicKey(fixed(reader, 32))
}

function readDigest(reader: ByteReader): Digest {
  return digest(fixed(reader, 32))
}

function readSignature(reader: ByteReader): Signature {
  return signature(fixed(reader, 64))
}

/** A spoilt reader gives fewer bytes than were asked for. */
function fixed(reader: ByteReader, length: number): Uint8Array {
  const bytes = reader.take(length)
  return bytes.length === length ? bytes : new Uint8Array(length)
}

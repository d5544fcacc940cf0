// The one byte form of a charter; all of it is under the membership digest of its epoch. Numbers are big-endian.
//
//   tag         0x1e "quorate-charter-v1"
//   rule        u8 length, text: the rule by which signatures are verified
//   epoch       u64
//   previous    32 bytes
//   start       u64
//   quorum      b u32, c u32
//   threshold   u32
//   parameters  u32 each, in the order of NUMBER_ORDER; rotation: u8 policy, u32 slots (0 but for `every`); signedVotes u8
//   members     u32 count; each: id u32, consensus key 32, transport key 32, u8 1 and the operator's key 32, or u8 0
//
// A parameter more, or another rule, is another tag.

import {
  type AdmittedKey,
  admitKey,
  concatBytes,
  digest,
  epoch,
  equalBytes,
  MAX_REPLICAS,
  memberId,
  readU32,
  readU64,
  SIGNATURE_RULE,
  slot,
  utf8,
  writeU32,
  writeU64,
} from '../../crypto/index.ts'
import type { NumberParameterName, Parameters, Rotation } from '../genesis/index.ts'
import type { Charter, CharterMember } from './charter.ts'

/** More than 100 members with operators take. */
export const MAX_CHARTER_BYTES = 64 * 1024

const RULE = utf8(SIGNATURE_RULE)
const HEAD = concatBytes(utf8('\x1equorate-charter-v1'), Uint8Array.of(RULE.length), RULE)

/** Position of each number among those of the parameters. */
const NUMBER_ORDER: Readonly<Record<NumberParameterName, number>> = Object.freeze({
  window: 0,
  checkpointInterval: 1,
  maxBatchRequests: 2,
  maxBatchBytes: 3,
  maxRequestBytes: 4,
  clockDriftMs: 5,
  viewTimeoutMs: 6,
  viewTimeoutCapMs: 7,
  clockRatePercent: 8,
})
const numberNames = (Object.keys(NUMBER_ORDER) as NumberParameterName[]).sort(
  (a, b) => NUMBER_ORDER[a] - NUMBER_ORDER[b],
)

/** Of all parameters together. */
export const PARAMETERS_BYTES = 4 * numberNames.length + 1 + 4 + 1

/** A retired number stays listed and is never used again. */
const POLICY_BYTES: Readonly<Record<Rotation['policy'], number>> = Object.freeze({
  sticky: 0,
  every: 1,
  'lowest-alive': 2,
})

/** Whether the bytes of a key are one; in another process than a browser there are faster ones than the default. */
export type Admit = (bytes: Uint8Array) => AdmittedKey | undefined

/** All parameters as {@link PARAMETERS_BYTES} bytes. @throws {RangeError} where a number is no u32. */
export function encodeParameters(parameters: Parameters): Uint8Array {
  const { rotation, signedVotes } = parameters
  return concatBytes(
    ...numberNames.map((name) => u32(parameters[name])),
    Uint8Array.of(POLICY_BYTES[rotation.policy]),
    u32(rotation.policy === 'every' ? rotation.slots : 0),
    Uint8Array.of(signedVotes ? 1 : 0),
  )
}

/** The parameters in these bytes, in bounds or not; undefined where {@link encodeParameters} never writes such. */
export function decodeParameters(bytes: Uint8Array): Parameters | undefined {
  const reader = new Reader(bytes, 0)
  const numbers = numberNames.map((name) => [name, reader.u32()] as const)
  const rotation = rotationOf(reader.u8(), reader.u32())
  const signedVotes = reader.flag()
  if (rotation === undefined || !reader.done) return undefined
  return { ...(Object.fromEntries(numbers) as Record<NumberParameterName, number>), rotation, signedVotes }
}

/** The canonical bytes. @throws {RangeError} where a number is no u32, or there are too many members. */
export function encodeCharter(charter: Charter): Uint8Array {
  const { members, quorum, parameters, admins } = charter
  if (members.length > MAX_REPLICAS) {
    throw new RangeError(`members: expected at most ${MAX_REPLICAS}, got ${members.length}`)
  }
  return concatBytes(
    HEAD,
    u64(charter.epoch),
    charter.previous,
    u64(charter.start),
    u32(quorum.byzantine),
    u32(quorum.crash),
    u32(admins.threshold),
    encodeParameters(parameters),
    u32(members.length),
    ...members.flatMap(({ id, consensusKey, transportKey, operator }) => [
      u32(id),
      consensusKey,
      transportKey,
      ...(operator === undefined ? [Uint8Array.of(0)] : [Uint8Array.of(1), operator]),
    ]),
  )
}

/**
 * The charter whose canonical bytes these are, or undefined; whether it makes sense is `charterFaults`' to say. Keys are
 * admitted last, once everything else is known to be well-formed: at most three a member.
 */
export function decodeCharter(bytes: Uint8Array, admit: Admit = admitKey): Charter | undefined {
  if (bytes.length > MAX_CHARTER_BYTES || !equalBytes(bytes.subarray(0, HEAD.length), HEAD)) return undefined
  const reader = new Reader(bytes, HEAD.length)
  const epochNumber = reader.u64()
  const previous = reader.take(32)
  const start = reader.u64()
  const [byzantine, crash, threshold] = [reader.u32(), reader.u32(), reader.u32()]
  const parameters = decodeParameters(reader.take(PARAMETERS_BYTES))
  const count = reader.u32()
  if (count > MAX_REPLICAS || parameters === undefined) return undefined
  const raw = Array.from({ length: count }, () => readMember(reader))
  if (!reader.done) return undefined
  const members = raw.flatMap((member) => admittedMember(member, admit) ?? [])
  if (members.length < count) return undefined
  return {
    epoch: epoch(epochNumber),
    previous: digest(previous),
    start: slot(start),
    members,
    quorum: { byzantine, crash },
    parameters,
    admins: { threshold },
  }
}

function rotationOf(policy: number, slots: number): Rotation | undefined {
  if (policy === POLICY_BYTES.every) return { policy: 'every', slots }
  if (slots !== 0) return undefined
  if (policy === POLICY_BYTES.sticky) return { policy: 'sticky' }
  return policy === POLICY_BYTES['lowest-alive'] ? { policy: 'lowest-alive' } : undefined
}

interface RawMember {
  readonly id: number
  readonly consensusKey: Uint8Array
  readonly transportKey: Uint8Array
  readonly operator: Uint8Array | undefined
}

function readMember(reader: Reader): RawMember {
  return {
    id: reader.u32(),
    consensusKey: reader.take(32),
    transportKey: reader.take(32),
    operator: reader.flag() ? reader.take(32) : undefined,
  }
}

function admittedMember(raw: RawMember, admit: Admit): CharterMember | undefined {
  const consensusKey = admit(raw.consensusKey)
  const transportKey = admit(raw.transportKey)
  const operator = raw.operator && admit(raw.operator)
  if (consensusKey === undefined || transportKey === undefined) return undefined
  if (raw.operator !== undefined && operator === undefined) return undefined
  return { id: memberId(raw.id), consensusKey, transportKey, operator }
}

/** Reads from front to back. Past the end, or at an invalid value, it is spoilt, and gives zeros from there. */
class Reader {
  private readonly bytes: Uint8Array
  private at: number
  private spoilt = false

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  /** Everything was read and nothing was wrong. */
  get done(): boolean {
    return !this.spoilt && this.at === this.bytes.length
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) this.spoilt = true
    if (this.spoilt) return new Uint8Array(length)
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  u8(): number {
    return this.take(1)[0] ?? 0
  }

  flag(): boolean {
    const value = this.u8()
    if (value > 1) this.spoilt = true
    return value === 1
  }

  u32(): number {
    return readU32(this.take(4), 0)
  }

  u64(): number {
    const value = readU64(this.take(8), 0)
    if (value === undefined) this.spoilt = true
    return value ?? 0
  }
}

function u32(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new RangeError(`number in a charter: expected an integer from 0 to 2^32 - 1, got ${value}`)
  }
  const bytes = new Uint8Array(4)
  writeU32(bytes, 0, value)
  return bytes
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  writeU64(bytes, 0, value)
  return bytes
}

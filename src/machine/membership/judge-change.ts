// Whether a change may be, and what the next epoch then is. Reads the state and writes nothing.

import {
  type AdmittedKey,
  admitKey,
  bytesKey,
  epoch,
  equalBytes,
  failure,
  type MemberId,
  memberId,
  type PublicKey,
  quorumSystem,
  type Result,
  type Signature,
  type SignatureVerifier,
  type Slot,
  slot,
  success,
} from '../../../crypto/index.ts'
import {
  type Admit,
  type Charter,
  type CharterFault,
  type CharterMember,
  charterFaults,
  encodeCharter,
  largestNewViewBytes,
  lastSlotAfter,
  MAX_NEW_VIEW_BYTES,
  memberPossessionBytes,
} from '../../../keys/charter/index.ts'
import { addressFault } from '../../../keys/genesis/index.ts'
import type { ChangeCommand, NewMember } from './command.ts'
import { Joiners } from './joined.ts'
import { MAX_JOIN_INTERVALS } from './limits.ts'
import type { MembershipRecords } from './records.ts'
import type { Refusal } from './refusal.ts'

/** What of the state a change is judged by, beside the membership. */
export interface ChangeContext {
  readonly records: MembershipRecords
  readonly slot: number
  readonly verifier: SignatureVerifier
  isClient(key: Uint8Array): boolean
  admins(): number
}

/** An accepted change. */
export interface AcceptedChange {
  readonly lastSlot: Slot
  readonly charter: Charter
  readonly nextId: number
  /** Of the new members. */
  readonly addresses: ReadonlyMap<MemberId, readonly string[]>
}

/** A member as the change wants it, its keys not admitted yet. */
interface Wanted {
  readonly id: MemberId
  readonly consensusKey: PublicKey
  readonly transportKey: PublicKey
  readonly operator: PublicKey | undefined
}

interface NewKey {
  readonly purpose: 'consensus' | 'transport'
  readonly key: PublicKey
  readonly possession: Signature
}

interface Arrival {
  readonly id: MemberId
  readonly member: NewMember
}

interface Plan {
  readonly members: readonly Wanted[]
  readonly arrivals: readonly Arrival[]
  readonly keys: readonly NewKey[]
  readonly nextId: number
}

/** The order of the checks is protocol: the first that fails is the agreed answer. */
export function judgeChange(command: ChangeCommand, context: ChangeContext): Result<AcceptedChange, Refusal> {
  const { records } = context
  const { office } = records
  if (records.lastSlot !== undefined) return failure('change-in-flight')
  if (!equalBytes(command.base, office.membership.digest)) return failure('stale-base')
  const planned = planOf(command, context)
  if (!planned.ok) return planned
  const plan = planned.value
  const { quorum, parameters, threshold } = command
  if (command.edits.length === 0 && quorum === undefined && parameters === undefined && threshold === undefined) {
    return failure('no-edits')
  }
  if (keyInUse(plan.keys, context)) return failure('key-in-use')
  const admit = admissionsOf(office.charter)
  const members = admitted(plan, admit)
  if (members === undefined) return failure('bad-key')
  const unready =
    possessionFault(plan, context, admit) ?? joinFault(plan, context, admit) ?? addressesFault(plan, context)
  if (unready !== undefined) return failure(unready)

  const lastSlot = lastSlotAfter(slot(context.slot), office.charter)
  const charter: Charter = {
    epoch: epoch(office.charter.epoch + 1),
    previous: office.membership.digest,
    start: lastSlot,
    members,
    quorum: quorum ?? office.charter.quorum,
    parameters: parameters ?? office.charter.parameters,
    admins: threshold === undefined ? office.charter.admins : { threshold },
  }
  const refusal = termsFault(charter, office.charter, context)
  if (refusal !== undefined) return failure(refusal)
  const addresses = new Map(plan.arrivals.map(({ id, member }) => [id, member.addresses]))
  return success({ lastSlot, charter, nextId: plan.nextId, addresses })
}

/** Does the edits one after another. */
function planOf({ edits }: ChangeCommand, { records, isClient }: ChangeContext): Result<Plan, Refusal> {
  let nextId = records.nextId
  const members: Wanted[] = [...records.office.charter.members]
  const arrivals: Arrival[] = []
  const keys: NewKey[] = []
  const arrive = (member: NewMember): Wanted => {
    const { consensusKey, transportKey, operator, possession } = member
    const id = memberId(nextId++)
    arrivals.push({ id, member })
    keys.push({ purpose: 'consensus', key: consensusKey, possession: possession.consensus })
    keys.push({ purpose: 'transport', key: transportKey, possession: possession.transport })
    return { id, consensusKey, transportKey, operator }
  }
  for (const edit of edits) {
    if (edit.op === 'add') {
      members.push(arrive(edit.member))
      continue
    }
    const at = members.findIndex(({ id }) => id === edit.id)
    const member = members[at]
    if (member === undefined) return failure('no-such-member')
    if (edit.op === 'remove') members.splice(at, 1)
    else if (edit.op === 'replace') members[at] = arrive(edit.member)
    else if (edit.op === 'operator') members[at] = { ...member, operator: edit.key }
    else {
      keys.push({ purpose: 'consensus', key: edit.consensusKey, possession: edit.possession })
      members[at] = { ...member, consensusKey: edit.consensusKey }
    }
  }
  const before = new Set(records.office.charter.members.flatMap(({ operator }) => operator ?? []).map(bytesKey))
  const strange = members.some(({ operator: key }) => key !== undefined && !before.has(bytesKey(key)) && !isClient(key))
  return strange ? failure('no-such-client') : success({ members, arrivals, keys, nextId })
}

function keyInUse(keys: readonly NewKey[], { records, isClient }: ChangeContext): boolean {
  const { members } = records.office.charter
  const used = new Set(members.flatMap((member) => [member.consensusKey, member.transportKey]).map(bytesKey))
  return keys.some(({ key }) => {
    const name = bytesKey(key)
    if (used.has(name) || records.isRetired(key) || isClient(key)) return true
    used.add(name)
    return false
  })
}

/** Admits keys, each once: those in office are admitted already, and others cost as much as ten signatures. */
function admissionsOf({ members }: Charter): Admit {
  const known = new Map<string, AdmittedKey | undefined>()
  for (const { consensusKey, transportKey, operator } of members) {
    for (const key of [consensusKey, transportKey, operator]) if (key !== undefined) known.set(bytesKey(key), key)
  }
  return (key) => {
    const name = bytesKey(key)
    if (!known.has(name)) known.set(name, admitKey(key))
    return known.get(name)
  }
}

/** The members with every key admitted; undefined where one is not, also one that comes and goes within the change. */
function admitted({ members, keys }: Plan, admit: Admit): CharterMember[] | undefined {
  if (keys.some(({ key }) => admit(key) === undefined)) return undefined
  const all = members.flatMap(({ id, ...wanted }): CharterMember[] => {
    const consensusKey = admit(wanted.consensusKey)
    const transportKey = admit(wanted.transportKey)
    const operator = wanted.operator && admit(wanted.operator)
    if (consensusKey === undefined || transportKey === undefined) return []
    return wanted.operator !== undefined && operator === undefined ? [] : [{ id, consensusKey, transportKey, operator }]
  })
  return all.length === members.length ? all : undefined
}

function possessionFault({ keys }: Plan, { records, verifier }: ChangeContext, admit: Admit): Refusal | undefined {
  const base = { clusterId: records.cluster.clusterId, membership: records.office.membership.digest }
  const wrong = keys.some(({ purpose, key, possession }) => {
    const signer = admit(key)
    return signer === undefined || !verifier.verify(signer, memberPossessionBytes(purpose, key, base), possession)
  })
  return wrong ? 'bad-possession' : undefined
}

function joinFault({ arrivals }: Plan, context: ChangeContext, admit: Admit): Refusal | undefined {
  const { records, verifier } = context
  const joiners = new Joiners(records, verifier)
  const slots = arrivals.map(({ member }) => {
    const key = admit(member.consensusKey)
    return key && joiners.heldBy(member, key)
  })
  if (slots.includes(undefined)) return 'not-joined'
  const oldest = context.slot - MAX_JOIN_INTERVALS * records.office.charter.parameters.checkpointInterval
  return slots.some((held) => held !== undefined && held < oldest) ? 'join-too-old' : undefined
}

function addressesFault({ members, arrivals }: Plan, { records }: ChangeContext): Refusal | undefined {
  const coming = new Map(arrivals.map(({ id, member }) => [id, member.addresses]))
  const all = members.map(({ id }) => coming.get(id) ?? records.addressesOf(id))
  const wrong = [...coming.values()].some((each) => each.length === 0 || each.some((text) => addressFault(text)))
  return wrong || new Set(all.flat()).size < all.flat().length ? 'bad-address' : undefined
}

const REFUSAL_OF: Readonly<Record<CharterFault['code'], Refusal>> = Object.freeze({
  'repeated-key': 'key-in-use',
  'quorum-rule': 'quorum-rule',
  'bad-parameter': 'bad-parameter',
  threshold: 'threshold',
  'too-many-epochs': 'too-many-epochs',
  // Neither can be by the way charters are made here.
  'bad-start': 'malformed',
  'repeated-id': 'malformed',
})
const ORDER: readonly Refusal[] = ['malformed', 'key-in-use', 'quorum-rule', 'bad-parameter', 'threshold']

function termsFault(next: Charter, before: Charter, { admins }: ChangeContext): Refusal | undefined {
  const found = new Set(charterFaults(next).map(({ code }) => REFUSAL_OF[code]))
  if (next.admins.threshold > before.admins.threshold && next.admins.threshold > admins()) found.add('threshold')
  if (!found.has('quorum-rule') && outgrowsFrames(next, before)) found.add('bad-parameter')
  const first = ORDER.find((refusal) => found.has(refusal))
  if (first !== undefined) return first
  const { epoch, previous, start } = before
  if (equalBytes(encodeCharter({ ...next, epoch, previous, start }), encodeCharter(before))) return 'unchanged'
  return found.has('too-many-epochs') ? 'too-many-epochs' : undefined
}

/** Where its NewView could not be sent, the cluster would be stuck. A genesis may have begun so; then it may not grow worse. */
function outgrowsFrames(next: Charter, before: Charter): boolean {
  const bytesOf = ({ members, quorum, parameters }: Charter) =>
    largestNewViewBytes(parameters, quorumSystem({ replicas: members.length, ...quorum }))
  const bytes = bytesOf(next)
  return bytes > MAX_NEW_VIEW_BYTES && bytes > bytesOf(before)
}

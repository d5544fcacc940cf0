// Whether a client may come, go or change its role. Reads the state and writes nothing.

import { admitKey, failure, type Result, type SignatureVerifier, success } from '../../../crypto/index.ts'
import { clientPossessionBytes } from '../../../keys/charter/index.ts'
import { DNS_LABEL, MAX_CLIENTS } from '../../../keys/genesis/index.ts'
import type { AuthenticatedMap } from '../authenticated-map/index.ts'
import { allClients, clientOf, clientStateKey, clientValue, type Role } from '../clients.ts'
import type { ClientCommand } from './command.ts'
import type { MembershipRecords, Writes } from './records.ts'
import type { Refusal } from './refusal.ts'

export interface ClientContext {
  readonly map: AuthenticatedMap
  readonly records: MembershipRecords
  readonly verifier: SignatureVerifier
}

type Addition = Extract<ClientCommand['edit'], { op: 'add' }>

/** True where an admin would be made or unmade, on which as many must agree as on a change. */
export function concernsAdmins({ edit }: ClientCommand, map: AuthenticatedMap): boolean {
  const before = clientOf(map, edit.key)?.role
  return before === 'admin' || (edit.op !== 'remove' && edit.role === 'admin')
}

/** What to write. The order of the checks is protocol. */
export function judgeClient({ edit }: ClientCommand, context: ClientContext): Result<Writes, Refusal> {
  const { map } = context
  if (edit.op === 'add') return judgeAddition(edit, context)
  const client = clientOf(map, edit.key)
  if (client === undefined) return failure('no-such-client')
  const role = edit.op === 'role' ? edit.role : undefined
  if (role === client.role) return failure('unchanged')
  if (client.role === 'admin' && role !== 'admin' && wouldBeTooFew(context)) return failure('last-admin')
  const value = role === undefined ? undefined : clientValue({ ...client, role })
  return success([[clientStateKey(edit.key), value]])
}

function judgeAddition({ name, key, role, possession }: Addition, context: ClientContext): Result<Writes, Refusal> {
  const { map, records, verifier } = context
  if (clientOf(map, key) !== undefined || records.isMemberKey(key) || records.isRetired(key))
    return failure('key-in-use')
  const admitted = admitKey(key)
  if (admitted === undefined) return failure('bad-key')
  const message = clientPossessionBytes(key, records.cluster.clusterId)
  if (!verifier.verify(admitted, message, possession)) return failure('bad-possession')
  if (!DNS_LABEL.test(name)) return failure('bad-name')
  const clients = allClients(map)
  if (clients.some((client) => client.name === name)) return failure('name-in-use')
  if (clients.length >= MAX_CLIENTS) return failure('too-many-clients')
  return success([[clientStateKey(key), clientValue({ name, role })]])
}

/** With one admin less, fewer than must agree: now, or once the change that was accepted is in office. */
function wouldBeTooFew({ map, records }: ClientContext): boolean {
  const needed = Math.max(records.office.charter.admins.threshold, records.successor?.charter.admins.threshold ?? 1)
  return countAdmins(map) - 1 < needed
}

export function countAdmins(map: AuthenticatedMap): number {
  return allClients(map).filter(({ role }: { readonly role: Role }) => role === 'admin').length
}

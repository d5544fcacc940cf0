// Who may do what: client key -> role and name, as part of the state, so that every replica judges a request by the same list
// at the moment of its execution, and not by what it happened to know when the request was proposed (pitfall P20).

import { fromUtf8, utf8 } from '../../crypto/index.ts'
import { type AuthenticatedMap, prefixed, type Text, toBytes, toText } from './authenticated-map/index.ts'
import { ByteWriter } from './bytes-codec.ts'
import { CLIENT_SPACE } from './keyspace.ts'

/** `reader` may only read, `writer` read and write, `admin` everything. */
export type Role = 'reader' | 'writer' | 'admin'

export interface Client {
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array
  readonly role: Role
  /** For people; none where left out. */
  readonly name?: string
}

/** The first byte of a client's value, before its name. */
export const ROLE_BYTES: Readonly<Record<Role, number>> = Object.freeze({ reader: 1, writer: 2, admin: 3 })
const roles = Object.keys(ROLE_BYTES) as readonly Role[]
const CLIENTS_END = toText(Uint8Array.of(CLIENT_SPACE + 1))

export function roleFromByte(byte: number): Role | undefined {
  return roles.find((role) => ROLE_BYTES[role] === byte)
}

/** The role of `client`, or undefined where nobody knows it. */
export function roleOf(map: AuthenticatedMap, client: Uint8Array): Role | undefined {
  return roleFromByte(map.get(clientStateKey(client))?.charCodeAt(0) ?? 0)
}

/** The client with this key, or undefined. */
export function clientOf(map: AuthenticatedMap, key: Uint8Array): Client | undefined {
  const value = map.get(clientStateKey(key))
  return value === undefined ? undefined : clientIn(key, value)
}

/** Everybody that the state knows, in the order of their keys. */
export function allClients(map: AuthenticatedMap): Client[] {
  const clients: Client[] = []
  map.scan(toText(Uint8Array.of(CLIENT_SPACE)), CLIENTS_END, (key, value) => {
    const client = clientIn(toBytes(key, 1), value)
    if (client !== undefined) clients.push(client)
    return true
  })
  return clients
}

export function clientStateKey(key: Uint8Array): Text {
  return prefixed(CLIENT_SPACE, key)
}

export function clientValue({ role, name = '' }: Pick<Client, 'role' | 'name'>): Text {
  return toText(new ByteWriter().u8(ROLE_BYTES[role]).raw(utf8(name)).finish())
}

function clientIn(key: Uint8Array, value: Text): Client | undefined {
  const role = roleFromByte(value.charCodeAt(0))
  return role && { key, role, name: fromUtf8(toBytes(value, 1)) ?? '' }
}

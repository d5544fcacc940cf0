// Who may do what: client key -> role, as part of the state, so that every replica judges a request by the same list at
// the moment of its execution, and not by what it happened to know when the request was proposed (pitfall P20).

import { type AuthenticatedMap, prefixed, type Text } from './authenticated-map/index.ts'
import { CLIENT_SPACE } from './keyspace.ts'

/** `reader` may only read, `writer` read and write, `admin` everything. */
export type Role = 'reader' | 'writer' | 'admin'

export interface Client {
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array
  readonly role: Role
}

const ROLE_TEXT: Readonly<Record<Role, Text>> = Object.freeze({
  reader: '\x01' as Text,
  writer: '\x02' as Text,
  admin: '\x03' as Text,
})
const ROLES: ReadonlyMap<string, Role> = new Map([
  ['\x01', 'reader'],
  ['\x02', 'writer'],
  ['\x03', 'admin'],
])

/** The role of `client`, or undefined where nobody knows it. */
export function roleOf(map: AuthenticatedMap, client: Uint8Array): Role | undefined {
  return ROLES.get(map.get(prefixed(CLIENT_SPACE, client)) ?? '')
}

/** Gives `client` a role, or takes it where `role` is undefined. Only what was agreed may call this. */
export function assignRole(map: AuthenticatedMap, client: Uint8Array, role: Role | undefined): void {
  map.set(prefixed(CLIENT_SPACE, client), role === undefined ? undefined : ROLE_TEXT[role])
}

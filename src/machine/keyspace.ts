// The first byte of every key of the state says whose it is. Retired numbers stay listed and are never used again.

/** Facts about the state as a whole: format, machine, position. */
export const META_SPACE = 0x00
/** Client key -> role. */
export const CLIENT_SPACE = 0x01
/** Client key -> highest sequence number. */
export const SESSION_SPACE = 0x02
/** Client key, page number -> answers given. */
export const ANSWER_SPACE = 0x03
/** Who the members are, who they are to be, and what admins have yet to agree on. */
export const ADMIN_SPACE = 0x04
/** The machine's own keys. */
export const MACHINE_SPACE = 0x10

/** The key of the whole state under which the machine's `key` stands: what a state proof of it is about. */
export function machineStateKey(key: Uint8Array): Uint8Array {
  const all = new Uint8Array(1 + key.length)
  all[0] = MACHINE_SPACE
  all.set(key, 1)
  return all
}

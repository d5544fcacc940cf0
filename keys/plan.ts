// What keygen assumes where the user says nothing.

import { fromUtf8, largestByzantine, largestCrash } from '../crypto/index.ts'
import { KeysError } from './errors.ts'
import { readPublicFile } from './files.ts'
import type { Role } from './genesis/index.ts'

const MAX_LIST_BYTES = 256 * 1024

export interface Tolerance {
  readonly byzantine: number
  readonly crash: number
}

/**
 * The faults that n replicas bear: b as large as n allows beside c, then c as large as is left; what is given stays.
 * Never checks: a combination that cannot be is refused with the genesis.
 */
export function toleranceOf(replicas: number, given: { byzantine?: number; crash?: number }): Tolerance {
  const byzantine = given.byzantine ?? Math.max(0, largestByzantine(replicas, given.crash ?? 0))
  const crash = given.crash ?? Math.max(0, largestCrash(replicas, byzantine))
  return { byzantine, crash }
}

interface PlannedClient {
  readonly name: string
  readonly role: Role
}

/** `count` clients: `admin`, then `writer-1`, `writer-2`...; and with more admins `admin-2`, `admin-3`... beside them. */
export function defaultClients(count: number, admins = 1): PlannedClient[] {
  const names = (from: number, to: number, name: string, role: Role) =>
    Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({ name: `${name}-${from + i}`, role }))
  return [
    { name: 'admin', role: 'admin' },
    ...names(2, admins, 'admin', 'admin'),
    ...names(1, count - 1, 'writer', 'writer'),
  ]
}

/** The client that operates this replica and is there for nothing else: it may replace it and its keys, and read. */
export function operatorOf(index: number): PlannedClient {
  return { name: `operator-${index}`, role: 'reader' }
}

/**
 * The addresses in a file with one line a replica, in order: multiaddrs with blanks between. Blank lines are left out,
 * and what follows a # at the start of a line or after a blank.
 * @throws {KeysError} where it cannot be read, or has not `replicas` lines.
 */
export async function readAddressList(path: string, replicas: number): Promise<string[][]> {
  const bytes = await readPublicFile(path, MAX_LIST_BYTES)
  const text = bytes.length > MAX_LIST_BYTES ? undefined : fromUtf8(bytes)
  if (text === undefined) {
    throw new KeysError('bad-addresses', `${path} is not UTF-8 text of at most ${MAX_LIST_BYTES} bytes`)
  }
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.replace(/(?:^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/))
  if (lines.length !== replicas) {
    const found = lines.length === 1 ? 'one line' : `${lines.length} lines`
    throw new KeysError(
      'bad-addresses',
      `${path} has ${found} of addresses for ${replicas} replicas; write one line a replica`,
    )
  }
  return lines
}

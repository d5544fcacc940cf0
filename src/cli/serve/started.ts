// Whether a replica's key may have voted. A key that voted must never start from an empty store: it could vote again, and
// differently, in a slot and view in which it has voted already. The store itself cannot tell that it was lost, so a file beside
// the key does, outside the data folder that users wipe.
//
//   no file: the key has never voted.  The store is made and synced, then the file is written and synced, then the replica votes.
//   file:    the store existed before, so an absent one was lost, and the replica stays out.
//
// A replica that keeps nothing (durability memory) says so in the file, and erases its consensus key, before it votes: what it said ends
// with its process, and so does the key that said it (P29).
//
// A crash between any two of these steps leaves a state that is read correctly: a store without the file is an unused one.

import { existsSync } from 'node:fs'
import { access, open, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { equalBytes, hex } from '../../../crypto/index.ts'
import { fileError, type Genesis, type ReplicaKeys, replicaFolder } from '../../../keys/index.ts'
import type { Settings } from './settings.ts'

export const STARTED_FILE = 'started'

const MEMORY_LINE = 'Their replica kept what it said in memory alone, and its consensus key was erased before it voted.'

/** Which replica it is, of which cluster. */
type Whose = Pick<Settings, 'cluster' | 'genesis'> & { readonly keys: Pick<ReplicaKeys, 'index'> }

/** Where the file of a replica's folder is. */
export function startedFile(folder: string): string {
  return join(folder, STARTED_FILE)
}

/** @throws {KeysError} where the system does not say. */
export async function hasStarted(folder: string): Promise<boolean> {
  const file = startedFile(folder)
  return access(file).then(
    () => true,
    (error) => {
      const known = fileError(file, error)
      if (known.code === 'not-found') return false
      throw known
    },
  )
}

/** Whether its replica kept nothing, so that it can't come back. @throws {KeysError} where the system does not say. */
export async function keptNothing(folder: string): Promise<boolean> {
  if (!(await hasStarted(folder))) return false
  const file = startedFile(folder)
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error)
  })
  return text.includes(MEMORY_LINE)
}

/** Notes that the key may vote from now on; on disk when it resolves. @throws {KeysError} where the system refuses. */
export async function noteStarted(
  folder: string,
  { label, clusterId }: Genesis,
  durability: Settings['durability'],
): Promise<void> {
  const path = startedFile(folder)
  const text = [
    `The keys in this folder have voted in cluster ${label} (id ${hex(clusterId)}).`,
    'Quorate refuses to start them from an empty store while this file is here: they could contradict their votes.',
    ...(durability === 'memory' ? [MEMORY_LINE] : []),
    '',
  ].join('\n')
  try {
    const file = await open(path, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
    await file.close()
    if (process.platform === 'win32') return
    const parent = await open(dirname(path), 'r')
    await parent.sync()
    await parent.close()
  } catch (error) {
    throw fileError(path, error)
  }
}

/** Why a replica whose store is missing stays out: one sentence, with what to do. */
export function lostStoreText({ cluster, genesis, keys, data }: Whose & Pick<Settings, 'data'>): string {
  return (
    `replica ${keys.index} has voted before, but there is no store in ${data}: bring that folder back, and never an older copy ` +
    `of it; if it is lost, put a new replica in its place: ${replaceCommand({ cluster, genesis, keys })}`
  )
}

/** Why a replica that kept nothing stays out: one sentence, with what to do. */
export function keptNothingText({ cluster, genesis, keys }: Whose): string {
  return (
    `replica ${keys.index} kept what it said in memory alone, so its consensus key was erased and it comes back under fresh keys only: ` +
    replaceCommand({ cluster, genesis, keys })
  )
}

/** The command that puts a new replica into the place of this one, at the same address. */
export function replaceCommand({ cluster, genesis, keys }: Whose): string {
  const { index } = keys
  let free = genesis.members.length
  while (existsSync(replicaFolder(cluster, free))) free++
  const member = genesis.members[index]
  const operator = genesis.clients.find(({ key }) => member?.operator !== undefined && equalBytes(key, member.operator))
  return [
    `quorate member join --cluster ${cluster} --index ${free} --replace ${member === undefined ? 'ID' : index}`,
    ...(member?.addresses ?? ['MULTIADDR']).map((address) => `--address ${address}`),
    ...(operator === undefined ? [] : [`--client ${operator.name}`]),
  ].join(' ')
}

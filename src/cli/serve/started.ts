// Whether a replica's key may have voted. A key that voted must never start from an empty store: it could vote again, and
// differently, in a slot and view in which it has voted already. The store itself cannot tell that it was lost, so a file beside
// the key does, outside the data folder that users wipe.
//
//   no file: the key has never voted.  The store is made and synced, then the file is written and synced, then the replica votes.
//   file:    the store existed before, so an absent one was lost, and the replica stays out.
//
// A crash between any two of these steps leaves a state that is read correctly: a store without the file is an unused one.

import { access, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hex } from '../../../crypto/index.ts'
import { fileError, type Genesis } from '../../../keys/index.ts'

export const STARTED_FILE = 'started'

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

/** Notes that the key may vote from now on; on disk when it resolves. @throws {KeysError} where the system refuses. */
export async function noteStarted(folder: string, { label, clusterId }: Genesis): Promise<void> {
  const path = startedFile(folder)
  const text = [
    `The keys in this folder have voted in cluster ${label} (id ${hex(clusterId)}).`,
    'Quorate refuses to start them from an empty store while this file is here: they could contradict their votes.',
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
export function lostStoreText(index: number, data: string, folder: string): string {
  return (
    `replica ${index} has voted before, but there is no store in ${data}: bring that folder back, or give up this replica's ` +
    `keys and make a new cluster (quorate keygen); if it is certain that it never voted, add --create (${startedFile(folder)})`
  )
}

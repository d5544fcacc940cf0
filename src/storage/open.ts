// Opens the store that the options ask for.

import { openDiskStore } from './disk.ts'
import { nodeFiles } from './files.ts'
import { findIdentity } from './identity.ts'
import { memoryStore } from './memory.ts'
import { type Store, StoreError, type StoreIdentity, type StoreOptions } from './store.ts'

/**
 * The store in the folder `options.path`, recovered and locked. With durability `memory` there is nothing on disk and nothing to
 * recover: every start is that of a new replica, so `create` must say that its key has never voted.
 * @throws {StoreError} with a sentence for the operator; every code may come.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.durability !== 'memory') return await openDiskStore(options, nodeFiles)
  if (!options.create) {
    throw new StoreError(
      'missing',
      'a store in memory is empty at every start, and its key may have voted; put a replica with a new key in its place: quorate member join --replace',
    )
  }
  return memoryStore(options.retention === undefined ? {} : { retention: options.retention })
}

/** Whose store is in `folder`, by what it says; undefined where there is none. @throws {StoreError} where it cannot be read. */
export async function ownerOf(folder: string): Promise<StoreIdentity | undefined> {
  return await findIdentity(nodeFiles, folder)
}

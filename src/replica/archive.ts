// The data folder of a stopped replica, as an auditor reads it.

import { type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import type { Genesis } from '../../keys/index.ts'
import { openStore, ownerOf, type Store, StoreError, type StoreOptions } from '../storage/index.ts'
import { type Archive, RECORD_KINDS } from '../wire/index.ts'
import { readCheckpoints, readSlots } from './archive-reader.ts'
import { decodeAll, handOversIn, keptForAudit } from './recovery.ts'

/**
 * Opens the store in `data` for reading, whichever replica's of the cluster it is: that may have joined after the genesis, and its
 * keys may have changed. It is locked meanwhile.
 * @throws {StoreError} where there is none, it is of another cluster, or its replica is running.
 */
export async function openArchive(data: string, genesis: Genesis): Promise<Archive> {
  const owner = await ownerOf(data)
  if (owner === undefined) throw new StoreError('missing', `${data} is no data folder of a replica`)
  const identity = { ...owner, clusterId: genesis.clusterId }
  const replica = replicaIndex(owner.replica)
  const options: StoreOptions = { path: data, identity, durability: 'os', create: false, onFailure: () => {} }
  return archiveOf(await openStore(options), replica, data)
}

/** The archive that an opened store is; closing it closes the store. */
export function archiveOf(store: Store, replica: ReplicaIndex, data: string): Archive {
  const decoded = decodeAll(store.recovered.records, data)
  const links = handOversIn(decoded)
  const kept = keptForAudit(decoded)
  return {
    replica,
    async extent() {
      return { first: Math.max(1, store.firstSlot), last: lastSlot(store) }
    },
    async *handOvers() {
      yield* links
    },
    slots: (from, to) => readSlots(store, links, from, Math.min(to, lastSlot(store))),
    checkpoints: (from, to) => readCheckpoints(store, from, to),
    newViews: async () => kept.newViews.items,
    evidence: async () => kept.evidence.items,
    close: () => store.close(),
  }
}

/** The last of the slots without a gap that were chosen; 0 where there are none. */
function lastSlot({ recovered, firstSlot }: Store): number {
  const chosen = new Set<number>()
  for (const { kind, slot } of recovered.records) if (kind === RECORD_KINDS.chosen) chosen.add(slot)
  let last = Math.max(recovered.snapshot?.slot ?? 0, Math.max(1, firstSlot) - 1)
  while (chosen.has(last + 1)) last++
  return last
}

// The data folder of a stopped replica, as an auditor reads it.

import type { ReplicaIndex } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
import type { Genesis } from '../../keys/index.ts'
import { openStore, type Store, StoreError, type StoreOptions } from '../storage/index.ts'
import { type Archive, RECORD_KINDS } from '../wire/index.ts'
import { readCheckpoints, readSlots } from './archive-reader.ts'
import { decodeAll, handOversIn, keptForAudit } from './recovery.ts'

/** Whose folder it is. */
export interface ArchiveOwner {
  readonly genesis: Genesis
  readonly replica: ReplicaIndex
}

/**
 * Opens the store in `data` for reading; it is locked meanwhile.
 * @throws {StoreError} where there is none, it is another replica's, or that replica is running.
 */
export async function openArchive(data: string, { genesis, replica }: ArchiveOwner): Promise<Archive> {
  const member = genesis.members[replica]
  if (member === undefined) throw new StoreError('foreign', `the genesis has no replica ${replica}`)
  const identity = { clusterId: genesis.clusterId, replica, consensusKey: member.consensusKey }
  const options: StoreOptions = { path: data, identity, durability: 'os', create: false, onFailure: () => {} }
  return archiveOf(await openStore(options), genesis, replica, data)
}

/** The archive that an opened store is; closing it closes the store. */
export function archiveOf(store: Store, genesis: Genesis, replica: ReplicaIndex, data: string): Archive {
  const decoded = decodeAll(store.recovered.records, data)
  const links = handOversIn(decoded)
  const charters = [genesisCharter(genesis), ...links.map(({ charter }) => charter)]
  const kept = keptForAudit(decoded, Math.max(...charters.map(({ members }) => members.length)))
  return {
    replica,
    async extent() {
      return { first: Math.max(1, store.firstSlot), last: lastSlot(store) }
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

// Joining: somebody who is no member yet gets ready to be one, says so under its keys, and waits until the members let it in. It votes for
// nothing before, and is asked for nothing.

import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  assembleStableCheckpoint,
  type Digest,
  equalBytes,
  fromUtf8,
  type PublicKey,
  type Signer,
  utf8,
} from '../../../crypto/index.ts'
import { joinBytes, memberPossessionBytes } from '../../../keys/charter/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import type { Client } from '../../client/index.ts'
import type { EpochChain, StableCheckpoint } from '../../consensus/index.ts'
import { beginStore } from '../../replica/index.ts'
import { openStore, type Store, type StoreIdentity } from '../../storage/index.ts'
import { fetchState } from './fetch-state.ts'
import { JOIN_FILE, type Join, joinText } from './join-file.ts'

export interface Joiner {
  readonly folder: string
  readonly data: string
  readonly identity: StoreIdentity
  readonly keys: { readonly consensus: Signer; readonly transport: Signer }
  readonly addresses: readonly string[]
  readonly operator: PublicKey | undefined
}

export interface Surroundings {
  readonly client: Client
  readonly clusterName: string
  readonly signal: AbortSignal
  readonly progress: (text: string) => void
}

/** True where the key is a member's in the last epoch of the chain. */
export function isIn({ last }: EpochChain, key: PublicKey): boolean {
  return last.charter.members.some(({ consensusKey }) => equalBytes(consensusKey, key))
}

/** Fetches the state, writes the store, and then `join.json` for the members in office. */
export async function makeReady(joiner: Joiner, chain: EpochChain, around: Surroundings): Promise<string> {
  const { client, clusterName, signal, progress } = around
  const held = await withStore(joiner, async (store) => {
    const shown = (bytes: number) => progress(`fetching the state: ${Math.ceil(bytes / 1024)} KiB`)
    const state = await fetchState({ client, chain, signal, progress: shown }, (fetched) =>
      beginStore(store, { links: [], state: fetched }),
    )
    return state === undefined ? '' : noteOf(state.checkpoint, chain, clusterName)
  })
  const path = join(joiner.folder, JOIN_FILE)
  await writeFile(`${path}.tmp`, joinText(joinOf(joiner, chain.last.membership, held)))
  await rename(`${path}.tmp`, path)
  return path
}

/** The replica is a member: its store says how the epochs up to there began. */
export async function letIn(joiner: Joiner, chain: EpochChain): Promise<void> {
  await withStore(joiner, (store) => beginStore(store, { links: chain.links }))
  // It is of no more use, and who has none waits for nothing.
  await rm(join(joiner.folder, JOIN_FILE), { force: true })
}

async function withStore<Value>({ data, identity }: Joiner, use: (store: Store) => Promise<Value>): Promise<Value> {
  await mkdir(data, { recursive: true, mode: 0o700 })
  const store = await openStore({ path: data, identity, durability: 'fsync', create: true, onFailure() {} })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

function joinOf(
  { keys: { consensus, transport }, addresses, operator }: Joiner,
  { clusterId, digest }: { readonly clusterId: Digest; readonly digest: Digest },
  held: string,
): Join {
  const base = { clusterId, membership: digest }
  return {
    clusterId,
    base: digest,
    member: {
      consensusKey: consensus.publicKey,
      transportKey: transport.publicKey,
      operator,
      addresses,
      possession: {
        consensus: consensus.sign(memberPossessionBytes('consensus', consensus.publicKey, base)),
        transport: transport.sign(memberPossessionBytes('transport', transport.publicKey, base)),
      },
      held: utf8(held),
      joined: consensus.sign(joinBytes(consensus.publicKey, base, held.slice(0, held.lastIndexOf('\n\n') + 1))),
    },
  }
}

/** As its signers signed it. */
function noteOf(checkpoint: StableCheckpoint, chain: EpochChain, clusterName: string): string {
  const { membership } = chain.at(checkpoint.slot)
  const made = assembleStableCheckpoint(checkpoint, checkpoint.signatures, membership, clusterName, nativeVerifier)
  if (!made.ok) throw new Error(`checkpoint ${checkpoint.slot}: verified, and now ${made.fault.code}`)
  return fromUtf8(made.value.stable.note) ?? ''
}

// The newest agreed state, as who joins fetches it: from one replica after another until one has it, each chunk held against the root that a
// quorum signed before it goes to the disk.

import { replicaIndex, sha256, slot } from '../../../crypto/index.ts'
import { verifyArchivedCheckpoint } from '../../audit/verify/index.ts'
import type { Client } from '../../client/index.ts'
import type { EpochChain } from '../../consensus/index.ts'
import { FIRST_PATH, verifyChunk } from '../../machine/index.ts'
import type { StatePart } from '../../wire/index.ts'

/** The newest that there may be. */
const ANY = slot(Number.MAX_SAFE_INTEGER)

export interface FetchedState extends Pick<StatePart, 'checkpoint' | 'frontier'> {
  /** To be read once. It throws where the replica has the state no more, or lies. */
  readonly chunks: AsyncIterable<Uint8Array>
}

export interface FetchOptions {
  readonly client: Pick<Client, 'state'>
  readonly chain: EpochChain
  readonly signal: AbortSignal
  /** Bytes so far. */
  readonly progress: (bytes: number) => void
}

/**
 * Offers states to `take`, from the members of the last epoch in turn, until it has taken one whole; that is given back. Undefined in
 * the first epoch before its first checkpoint, where nobody has one. @throws {Error} where nobody gives one that is whole.
 */
export async function fetchState(
  { client, chain, signal, progress }: FetchOptions,
  take: (state: FetchedState) => Promise<void>,
): Promise<FetchedState | undefined> {
  const { charter, start } = chain.last
  const reasons: string[] = []
  let none = 0
  for (const index of charter.members.keys()) {
    const ask = (path: Uint8Array) => client.state(replicaIndex(index), { atMost: ANY, path }, { signal })
    try {
      const first = await ask(FIRST_PATH)
      if (first === undefined) {
        none++
        continue
      }
      const { checkpoint, frontier } = first
      const fault = verifyArchivedCheckpoint(first, { chain })
      if (fault !== undefined) throw new Error(fault.message)
      if (checkpoint.slot < start.slot)
        throw new Error(`its newest state is of slot ${checkpoint.slot}, before this epoch`)
      const state = { checkpoint, frontier, chunks: verified(first, ask, progress) }
      await take(state)
      return state
    } catch (error) {
      signal.throwIfAborted()
      reasons.push(`replica ${index}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  // One of t members is honest, and says so where there is none.
  if (charter.epoch === 0 && none >= chain.last.membership.quorums.trust) return undefined
  throw new Error(
    `nobody gives the state that the members agreed on; try again later (${reasons.join('; ') || 'no answer'})`,
  )
}

async function* verified(
  first: StatePart,
  ask: (path: Uint8Array) => Promise<StatePart | undefined>,
  progress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const { slot: at, stateRoot } = first.checkpoint
  let from: Uint8Array = FIRST_PATH
  let bytes = 0
  for (let part: StatePart | undefined = first; ; ) {
    if (part?.checkpoint.slot !== at) throw new Error(`the state of slot ${at} went while it was fetched`)
    const taken = verifyChunk(stateRoot, from, part.chunk, sha256)
    if (!taken.ok) throw new Error(`a part of its state of slot ${at} is not what a quorum signed (${taken.fault})`)
    bytes += part.chunk.length
    progress(bytes)
    yield part.chunk
    if (taken.value.next === undefined) return
    from = taken.value.next
    part = await ask(from)
  }
}

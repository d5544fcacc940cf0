// Who stands at which end of the transport, where the members change.

import { describe, expect, it } from 'vitest'
import { EMPTY_FRONTIER, replicaIndex } from '../../crypto/index.ts'
import { peerIdOf } from '../../keys/index.ts'
import type { ReplicaTransport, RosterEntry } from '../../net/index.ts'
import { EpochChain, type EpochContext } from '../../src/consensus/index.ts'
import { Counters } from '../../src/replica/counters.ts'
import { Network } from '../../src/replica/network.ts'
import { beginReign, type Reign, Reigns } from '../../src/replica/reign.ts'
import { genesisOf, memberDraft, sample } from '../keys/sample.ts'
import { chainParts, charterAfter, handOver, signerOf } from '../support/chain.ts'

const KEYS = [0, 1, 2, 3]
/** Replica 3 in both epochs; the second one is without the first member. */
const NEXT = [4, 1, 2, 3]

function reignOf(epoch: EpochContext): Reign {
  const place = { epoch, self: replicaIndex(3), signer: signerOf(3) }
  const position = { frontier: EMPTY_FRONTIER, timestampMs: 0, dueMs: undefined, succession: undefined }
  const machine = { slot: epoch.start.slot, ...position }
  return beginReign(place, { records: [], machine }, { counters: new Counters(), liar: undefined }).reign
}

/** Tells of those that leave the roster, as transports do: under the positions that they had, and before it is another. */
function transportOf(left: (position: number) => void): ReplicaTransport {
  let roster: readonly RosterEntry[] = []
  return {
    ...{ start: async () => {}, stop: async () => {}, send: () => true, flush: () => {}, connected: () => true },
    ...{ addresses: [], counters: () => ({}), sent: () => ({ writes: 0, bytes: 0 }), queuedBytes: () => 0 },
    update(next) {
      const gone = roster.flatMap(({ peerId }, i) => (next.some((each) => each.peerId === peerId) ? [] : [i]))
      for (const position of gone) left(position)
      roster = next
    },
  }
}

describe('a member that leaves the roster', () => {
  it('is down under its own name, not under that of who stands there next', () => {
    const first = EpochChain.genesis(chainParts(KEYS))
    const quorum = [1, 2, 3].map((key) => [key, key] as const)
    const longer = first.extend(handOver(first.last, charterAfter(first.last, NEXT, 128), quorum))
    if (!longer.ok) throw new Error(longer.fault.code)
    const reigns = new Reigns(reignOf(first.last))
    const down: (string | undefined)[] = []
    const network = new Network({
      ...{ reigns, transport: transportOf((position) => down.push(network.at(replicaIndex(position)))) },
      genesis: genesisOf(sample({ members: KEYS.map((i) => memberDraft(i)) })),
      epochs: { membersBefore: () => [] },
      host: {
        addressesOf: () => [],
        position: {
          slot: longer.value.last.start.slot,
          frontier: EMPTY_FRONTIER,
          timestampMs: 0,
          dueMs: undefined,
          succession: undefined,
        },
      },
      retirement: { guests: [] },
    })
    reigns.succeed(reignOf(longer.value.last), undefined)
    network.refresh()
    const [gone] = first.last.charter.members
    expect(down).toEqual([gone && peerIdOf(gone.transportKey)])
  })
})

// When a replica that was removed stops, and what it says.

import { describe, expect, it } from 'vitest'
import { replicaIndex, type Slot, slot } from '../../crypto/index.ts'
import { peerIdOf } from '../../keys/index.ts'
import { checkpointBytes, EpochChain, type StableCheckpoint } from '../../src/consensus/index.ts'
import { LINGER_TIMEOUTS } from '../../src/replica/limits.ts'
import { Retirement } from '../../src/replica/retirement.ts'
import { chainParts, charterAfter, handOver, signerOf } from '../support/chain.ts'
import { bytesFor } from '../support/cluster.ts'

const KEYS = [0, 1, 2, 3]
const QUORUM = KEYS.slice(0, 3).map((key) => [key, key] as const)
const first = EpochChain.genesis(chainParts(KEYS))
const [second, third] = [next(first, KEYS), next(next(first, KEYS), KEYS)]
const CAP_MS = first.last.charter.parameters.viewTimeoutCapMs

function next(chain: EpochChain, keys: readonly number[]): EpochChain {
  const { last } = chain
  const longer = chain.extend(handOver(last, charterAfter(last, keys, last.start.slot + 128), QUORUM))
  if (!longer.ok) throw new Error(longer.fault.code)
  return longer.value
}

/** A checkpoint of the second epoch, signed by the first so many. */
function stableAt(at: number, signers: number): StableCheckpoint {
  const content = { slot: slot(at), logRoot: bytesFor('log'), stateRoot: bytesFor('state'), next: undefined }
  const bytes = checkpointBytes(content, second.last.membership, 'test')
  const signed = second.last.membership.members.slice(0, signers).map((_, i) => signerOf(i).sign(bytes))
  return { ...content, signatures: signed.map((signature, replica) => ({ replica: replicaIndex(replica), signature })) }
}

function leaving(changedAt: Slot | undefined, newest = 1) {
  const retired: string[] = []
  const order: string[] = []
  const asked: string[] = []
  const erase = async () => void order.push('erased')
  const retirement = new Retirement({
    ...{ name: 'replica 2', epochs: { newest }, host: { changedAt }, keyring: { erase }, log: { warn: () => {} } },
    fatal: (error) => {
      throw error
    },
    ask: (members) => void asked.push(...members),
    retire({ why }) {
      order.push('retired')
      retired.push(why)
    },
  })
  return { retirement, retired, order, asked }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('a replica that was removed', () => {
  it('has its key erased at once, and waits', async () => {
    const { retirement, order } = leaving(slot(47))
    retirement.linger(second.last)
    await settled()
    expect(order).toEqual(['erased'])
  })

  it('asks the members of the next epoch whether they have gone on, since where all left nobody speaks to it', () => {
    const { retirement, asked } = leaving(slot(47))
    retirement.tick(0)
    expect(asked).toEqual([])
    retirement.linger(second.last)
    retirement.tick(1)
    expect(asked).toEqual(second.last.charter.members.map(({ transportKey }) => peerIdOf(transportKey)))
  })

  it('stops where it sees a checkpoint that a quorum of the next epoch signed, and says why', async () => {
    const { retirement, retired, order } = leaving(slot(47))
    retirement.linger(second.last)
    const { slot: at, logRoot, stateRoot } = second.last.start
    const start = { slot: at, logRoot, stateRoot, next: undefined, signatures: [] }
    for (const checkpoint of [stableAt(256, 2), start]) retirement.see(second, checkpoint)
    await settled()
    expect(retired).toEqual([])
    retirement.see(second, stableAt(256, 3))
    retirement.see(second, stableAt(384, 3))
    await settled()
    expect(order).toEqual(['erased', 'retired'])
    expect(retired).toEqual([
      'replica 2 was removed by the change in slot 47; epoch 0 ended with slot 128; its key is erased',
    ])
  })

  it('stops at once where the epoch after the next one has begun', async () => {
    const { retirement, retired } = leaving(undefined, third.links.length)
    retirement.linger(second.last)
    await settled()
    expect(retired).toEqual(['replica 2 was removed; epoch 0 ended with slot 128; its key is erased'])
  })

  it('stops where nobody is heard of for very long', async () => {
    const { retirement, retired } = leaving(slot(47))
    retirement.tick(0)
    retirement.linger(second.last)
    for (const at of [1000, 1000 + LINGER_TIMEOUTS * CAP_MS]) retirement.tick(at)
    await settled()
    expect(retired).toEqual([])
    retirement.tick(1001 + LINGER_TIMEOUTS * CAP_MS)
    await settled()
    expect(retired).toHaveLength(1)
  })

  it('stops where it hears of it after it was away, its key erased', async () => {
    const { retirement, order } = leaving(undefined)
    retirement.leave(second.last)
    await settled()
    expect(order).toEqual(['erased', 'retired'])
  })
})

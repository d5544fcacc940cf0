import { describe, expect, it } from 'vitest'
import { replicaIndex } from '../../crypto/index.ts'
import { MemoryNetwork, type NetLimits } from '../../net/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { type Harness, transportCompliance } from './compliance.ts'
import { rosterCompliance } from './roster-compliance.ts'
import { frame, GENESIS, HeardByClient, HeardByReplica, R0, R1, R2, rosterOf } from './support.ts'

function makeHarness(limits: Partial<NetLimits>): Harness {
  const network = new MemoryNetwork({ genesis: GENESIS, limits })
  return {
    replica: (index, roster = GENESIS.members) => {
      const [own] = rosterOf(index)
      return network.replica(replicaIndex(roster.findIndex(({ peerId }) => peerId === own?.peerId)), roster)
    },
    client: (name) => network.client(signerNamed(name).publicKey),
  }
}

transportCompliance('the network in memory', makeHarness)
rosterCompliance('the network in memory', makeHarness)

describe('the network in memory', () => {
  async function manual() {
    const network = new MemoryNetwork({ genesis: GENESIS, delivery: 'manual' })
    const heard = [new HeardByReplica(), new HeardByReplica(), new HeardByReplica()]
    const ends = [R0, R1, R2].map((index) => network.replica(index))
    for (const [i, end] of ends.entries()) await end.start(heard[i] ?? new HeardByReplica())
    const end = (i: number) => ends[i] ?? network.replica(R0)
    const frames = (i: number) => heard[i]?.lines.filter((line) => line.includes('from'))
    return { network, end, frames }
  }

  it('delivers in the order of sending over all links, and only when it is told to', async () => {
    const { network, end, frames } = await manual()
    end(0).send(R2, 'consensus', frame('first'))
    end(1).send(R2, 'transfer', frame('second'))
    end(0).send(R2, 'consensus', frame('third'))
    expect([network.waiting, frames(2)]).toEqual([3, []])
    expect(network.flush(2)).toBe(2)
    expect(frames(2)).toEqual(['consensus from 0: first', 'transfer from 1: second'])
    expect(network.flush()).toBe(1)
    expect(frames(2)?.at(-1)).toBe('consensus from 0: third')
  })

  it('loses what is under way over a cut, and links the ends again when it is healed', async () => {
    const { network, end, frames } = await manual()
    end(0).send(R1, 'consensus', frame('lost'))
    end(0).send(R2, 'consensus', frame('kept'))
    network.cut(R0, R1)
    expect([end(0).connected(R1), end(1).connected(R0), end(1).connected(R2)]).toEqual([false, false, true])
    expect(end(0).send(R1, 'consensus', frame('refused'))).toBe(false)
    expect(end(0).queuedBytes()).toBe(5)
    network.flush()
    expect([frames(1), frames(2)]).toEqual([[], ['consensus from 0: kept']])
    network.heal(R1, R0)
    end(0).send(R1, 'consensus', frame('again'))
    network.flush()
    expect(frames(1)).toEqual(['consensus from 0: again'])
  })

  it('cuts clients off as well', async () => {
    const { network } = await manual()
    const key = signerNamed('client admin').publicKey
    const [client, heard] = [network.client(key), new HeardByClient()]
    await client.start(heard)
    network.cut(key, R1)
    expect(heard.lines).toEqual(['up 0', 'up 1', 'up 2', 'down 1'])
    network.healAll()
    expect(client.connected(R1)).toBe(true)
  })

  it('cuts off one that is not of the genesis by the key of its channel', async () => {
    const { network, end } = await manual()
    const roster = rosterOf(0, 4)
    const [joiner, heard] = [network.replica(R1, roster), new HeardByReplica()]
    end(0).update(roster)
    await joiner.start(heard)
    network.cut(R0, signerNamed('transport 4').publicKey)
    expect([heard.lines, end(0).connected(R1)]).toEqual([['up 0', 'down 0'], false])
    network.heal(signerNamed('transport 4').publicKey, R0)
    expect(end(0).connected(R1)).toBe(true)
  })

  it('lets a few former members in at once, and takes their answers along when it cuts them off', async () => {
    const network = new MemoryNetwork({ genesis: GENESIS, delivery: 'manual', limits: { maxFormerConnections: 1 } })
    const heard = [new HeardByReplica(), new HeardByReplica(), new HeardByReplica()]
    const ends = [R0, R1, R2].map((index) => network.replica(index))
    heard[0]?.knowFormers(1, 2)
    ends[0]?.update(rosterOf(0, 3))
    for (const [i, end] of ends.entries()) await end.start(heard[i] ?? new HeardByReplica())
    expect([ends[1]?.connected(R0), ends[2]?.connected(R0)]).toEqual([true, false])
    expect(ends[0]?.counters()).toEqual({ 'too-many-connections': 1 })
    ends[1]?.send(R0, 'consensus', frame('what of me'))
    network.flush()
    expect(heard[0]?.visits[0]?.send(frame('you left'))).toBe(true)
    expect(ends[0]?.queuedBytes()).toBe(9)
    network.cut(R0, R1)
    expect([ends[0]?.queuedBytes(), network.waiting]).toEqual([0, 0])
    expect(heard[1]?.lines).toEqual(['up 0', 'up 2', 'down 0'])
  })

  it('has each member once, and only those of the genesis', async () => {
    const { network } = await manual()
    await expect(network.replica(R0).start(new HeardByReplica())).rejects.toThrow('is running already')
    expect(() => network.replica(replicaIndex(4))).toThrow('the roster has no replica 4')
  })
})

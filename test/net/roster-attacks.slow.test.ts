// What members that were dropped, and liars at the moment of a change, can do to a member's port, on real sockets. Two honest members
// exchange frames all the while; each attack ends with those two still talking over the link that they had before.

import type { Connection } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientTransport, NetLimits, ReplicaTransport, TransportCounter } from '../../net/index.ts'
import { Attacker } from './attacker.ts'
import { Loopback } from './libp2p-support.ts'
import { frame, HeardByClient, HeardByReplica, R0, R1, R3, rosterOf } from './support.ts'

const WITHOUT_3 = rosterOf(0, 1, 2)
const LIMITS: Partial<NetLimits> = { maxFormerConnections: 2, formerMs: 1_000, maxInboundPerHost: 1_000_000 }

describe('a member whose roster changes', () => {
  let loopback: Loopback
  let victim: ReplicaTransport
  let honest: ReplicaTransport
  let heard: HeardByReplica
  let heardByHonest: HeardByReplica
  let attackers: Attacker[]
  let client: ClientTransport | undefined

  beforeEach(async () => {
    loopback = new Loopback(LIMITS)
    attackers = []
    victim = loopback.replica(0)
    honest = loopback.replica(1)
    heard = new HeardByReplica(['client admin', 'client writer-1', 'transport 5'])
    heardByHonest = new HeardByReplica()
    heardByHonest.onPeerFrame = (_, channel, bytes) => honest.send(R0, channel, bytes)
    await victim.start(heard)
    await honest.start(heardByHonest)
    await Promise.all([heard.heard('up 1'), heardByHonest.heard('up 0')])
  })

  afterEach(async () => {
    await Promise.all([...attackers, client, victim, honest].map((end) => end?.stop()))
    client = undefined
  })

  async function stillTalks(): Promise<void> {
    heard.lines.push('asked')
    expect(victim.send(R1, 'consensus', frame('still there'))).toBe(true)
    await heard.until(() => heard.lines.lastIndexOf('consensus from 1: still there') > heard.lines.lastIndexOf('asked'))
    expect(heard.lines).not.toContain('down 1')
    expect(heardByHonest.lines).not.toContain('down 0')
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve))
  }

  function counted(counter: TransportCounter, least = 1): Promise<void> {
    return until(() => (victim.counters()[counter] ?? 0) >= least)
  }

  async function attacker(end: number): Promise<Attacker> {
    const made = await Attacker.start(`transport ${end}`)
    attackers.push(made)
    return made
  }

  /** Undefined where it is turned away. */
  function connect(by: Attacker): Promise<Connection | undefined> {
    return by.connect(loopback.port(0)).catch(() => undefined)
  }

  function closed(connection: Connection | undefined): Promise<void> {
    return until(() => connection?.status !== 'open')
  }

  /** Member 3 was one, and is connected. */
  async function former(): Promise<{ by: Attacker; connection: Connection }> {
    heard.knowFormers(3)
    victim.update(WITHOUT_3)
    const by = await attacker(3)
    return { by, connection: await by.connect(loopback.port(0)) }
  }

  it('hears nothing more of a member that it dropped, which floods it', async () => {
    const by = await attacker(3)
    const connection = await by.connect(loopback.port(0))
    const stream = await by.open(connection, 'consensus')
    const flood = setInterval(() => {
      for (let i = 0; i < 1_000 && stream.status === 'open' && !stream.writableNeedsDrain; i++) {
        stream.send(Uint8Array.of(5, 118, 111, 116, 101, 114))
      }
    }, 1)
    await heard.heard('consensus from 3: voter')
    victim.update(WITHOUT_3)
    const before = heard.lines.filter((line) => line === 'consensus from 3: voter').length
    await closed(connection)
    clearInterval(flood)
    await stillTalks()
    expect(heard.lines.filter((line) => line === 'consensus from 3: voter').length).toBe(before)
    await connect(by).then(closed)
    await counted('stranger-refused')
    expect(victim.connected(R3)).toBe(false)
  })

  it('ends all connections of a member that it dropped', async () => {
    const by = await attacker(3)
    const made = [await connect(by), await connect(by), await connect(by)]
    await heard.heard('up 3')
    victim.update(WITHOUT_3)
    await Promise.all(made.map(closed))
    await stillTalks()
  })

  it('counts the connections of a member on where it stands elsewhere', async () => {
    const by = await attacker(3)
    const made = [await connect(by), await connect(by), await connect(by)]
    victim.update(rosterOf(0, 1, 3))
    await connect(by)
    await closed(made[0])
    expect(victim.counters()).toEqual({ 'too-many-connections': 1 })
    expect(made.slice(1).map((each) => each?.status)).toEqual(['open', 'open'])
    await stillTalks()
  })

  it('hears one frame of 10,000 of a former member, on either channel', async () => {
    const { by, connection } = await former()
    const [consensus, transfer] = [await by.open(connection, 'consensus'), await by.open(connection, 'transfer')]
    const many = new Uint8Array(20_000)
    for (let i = 0; i < many.length; i += 2) many.set([1, 120], i)
    transfer.send(many.slice())
    consensus.send(many)
    await heard.heard('former: x')
    await closed(connection)
    await stillTalks()
    expect(heard.lines.filter((line) => line.includes(' x') || line.includes('from 3'))).toEqual(['former: x'])
  })

  it('ends the connection of a former member that asks nothing', async () => {
    const { connection } = await former()
    await closed(connection)
    expect(heard.visits).toEqual([])
    await stillTalks()
  })

  it('ends the connection of a former member that does not read its answer, and forgets that', async () => {
    const { by, connection } = await former()
    heard.onFormerFrame = (link) => {
      by.beneath[0]?.pause()
      expect(link.send(new Uint8Array(1024 * 1024))).toBe(true)
      expect(victim.queuedBytes()).toBeGreaterThan(1024 * 1024)
    }
    const stream = await by.open(connection, 'consensus')
    stream.send(Uint8Array.of(1, 120))
    await heard.heard('former: x')
    await until(() => victim.queuedBytes() === 0)
    await stillTalks()
  })

  it.each([
    ['a frame of 64 KiB and one byte', [0x81, 0x80, 0x04], 'frame-too-large'],
    ['an empty frame', [0], 'malformed-prefix'],
  ] as const)('resets the stream of a former member that announces %s', async (_, bytes, counter) => {
    const { by, connection } = await former()
    const stream = await by.open(connection, 'consensus')
    stream.send(Uint8Array.from(bytes))
    await until(() => stream.status !== 'open')
    expect(victim.counters()).toEqual({ [counter]: 1 })
    expect(heard.visits).toEqual([])
    await stillTalks()
  })

  it('gives a former member no channel of a client, and no second stream', async () => {
    const { by, connection } = await former()
    const stream = await by.open(connection, 'client')
    await until(() => stream.status !== 'open')
    await by.open(connection, 'consensus')
    const second = await by.open(connection, 'consensus')
    await until(() => second.status !== 'open')
    expect(victim.counters()).toEqual({ 'stream-reset': 1, 'too-many-streams': 1 })
    expect(heard.links.size).toBe(0)
    await stillTalks()
  })

  it('lets former members in by one connection each, a few in all, and takes no place of others for them', async () => {
    heard.knowFormers(3, 4, 6)
    victim.update(WITHOUT_3)
    const [first, second, third] = [await attacker(3), await attacker(4), await attacker(6)]
    expect((await connect(first))?.status).toBe('open')
    await connect(first).then(closed)
    await counted('too-many-connections', 1)
    expect((await connect(second))?.status).toBe('open')
    await connect(third).then(closed)
    await counted('too-many-connections', 2)
    const heardByClient = new HeardByClient()
    client = loopback.client('client admin')
    await client.start(heardByClient)
    await heardByClient.heard('up 0')
    await stillTalks()
  })

  it('ends what a former member was let in for where it is a member again', async () => {
    const patient = new Loopback({ formerMs: 3_600_000 })
    const [third, heardByThird] = [patient.replica(2), new HeardByReplica()]
    heardByThird.knowFormers(3)
    third.update(rosterOf(0, 1, 2))
    await third.start(heardByThird)
    try {
      const by = await attacker(3)
      const connection = await by.connect(patient.port(2))
      const stream = await by.open(connection, 'consensus')
      stream.send(Uint8Array.of(1, 120))
      await heardByThird.heard('former: x')
      third.update(rosterOf(0, 1, 2, 3))
      await closed(connection)
      await by.connect(patient.port(2))
      await heardByThird.heard('up 3')
    } finally {
      await third.stop()
    }
  })

  it('takes whoever was let in as a client for a member where it became one before it was connected', async () => {
    const by = await attacker(5)
    const isClient = heard.isClient.bind(heard)
    heard.isClient = (key) => {
      queueMicrotask(() => victim.update(rosterOf(0, 1, 2, 3, 5)))
      return isClient(key)
    }
    const connection = await by.connect(loopback.port(0))
    await heard.heard('up 4')
    await (await by.open(connection, 'consensus')).send(Uint8Array.of(1, 120))
    await heard.heard('consensus from 4: x')
    await stillTalks()
  })

  it('ends whoever was let in as a client and is none by the time that it is connected', async () => {
    const by = await attacker(5)
    let asked = 0
    heard.isClient = () => asked++ === 0
    await connect(by).then(closed)
    await until(() => asked === 2)
    expect(heard.links.size).toBe(0)
    await stillTalks()
  })

  it('takes a liar that connects all the time for a member or nobody, never for a client, while it comes and goes', async () => {
    const by = await attacker(3)
    for (let i = 0; i < 40; i++) {
      victim.update(i % 2 === 0 ? WITHOUT_3 : rosterOf(3, 1, 0, 2))
      const connecting = connect(by).then(async (connection) => {
        if (connection !== undefined) await by.open(connection, 'client').catch(() => undefined)
      })
      // Some rosters last for a whole handshake, others for a part of one.
      if (i % 5 === 0) await connecting
      if (i % 10 === 0) await stillTalks()
    }
    victim.update(WITHOUT_3)
    await stillTalks()
    await until(() => by.node.getConnections().every(({ status }) => status !== 'open'))
    expect(heard.lines.filter((line) => line.startsWith('client'))).toEqual([])
    expect(victim.queuedBytes()).toBe(0)
  })
})

// What strangers, clients and lying members can do to a member's port, on real sockets. Two honest members exchange
// frames all the while; each attack ends with a count, and with those two still talking.

import { connect, type Socket } from 'node:net'
import type { Connection } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientTransport, ReplicaTransport, TransportCounter } from '../../net/index.ts'
import { Attacker, type Channel } from './attacker.ts'
import { Loopback } from './libp2p-support.ts'
import { frame, HeardByClient, HeardByReplica, R0, R1, R3 } from './support.ts'

const MIB = 1024 * 1024
/** Fewer than usual, so that they are opened before the first of them has run out of time. */
const HANDSHAKES = 200
const HERD = 400

/** A stream or a connection. */
interface Closable {
  readonly status: string
  addEventListener(type: 'close', listener: () => void): void
}

describe('a member of the network', () => {
  let loopback: Loopback
  let victim: ReplicaTransport
  let honest: ReplicaTransport
  let heard: HeardByReplica
  let heardByHonest: HeardByReplica
  let attacker: Attacker | undefined
  let client: ClientTransport | undefined
  let sockets: Set<Socket>

  beforeEach(async () => {
    loopback = new Loopback({
      handshakeMs: 1_000,
      tickMs: 200,
      maxInboundPerHost: 1_000_000,
      maxHandshakes: HANDSHAKES,
    })
    sockets = new Set()
    victim = loopback.replica(0)
    honest = loopback.replica(1)
    heard = new HeardByReplica()
    heardByHonest = new HeardByReplica()
    heardByHonest.onPeerFrame = (_, channel, bytes) => honest.send(R0, channel, bytes)
    await victim.start(heard)
    await honest.start(heardByHonest)
    await Promise.all([heard.heard('up 1'), heardByHonest.heard('up 0')])
  })

  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await Promise.all([attacker?.stop(), client?.stop(), victim.stop(), honest.stop()])
    attacker = client = undefined
  })

  /** The honest two still talk, over the very link that they had before. */
  async function stillTalks(text: string): Promise<void> {
    expect(victim.send(R1, 'consensus', frame(text))).toBe(true)
    await heard.heard(`consensus from 1: ${text}`)
    expect(heard.lines).not.toContain('down 1')
    expect(heardByHonest.lines).not.toContain('down 0')
  }

  async function counted(counter: TransportCounter, least = 1): Promise<void> {
    while ((victim.counters()[counter] ?? 0) < least) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Connected, or closed already where it was refused. */
  async function socket(port = loopback.port(0)): Promise<Socket> {
    const made = connect({ host: '127.0.0.1', port })
    sockets.add(made)
    made.on('error', () => undefined)
    await new Promise<void>((resolve) => {
      made.on('connect', resolve)
      made.on('close', () => {
        sockets.delete(made)
        resolve()
      })
    })
    return made
  }

  function closedSocket(of: Socket): Promise<void> {
    return new Promise((resolve) => {
      if (of.destroyed) resolve()
      of.on('close', () => resolve())
    })
  }

  /** As member 3, or another. */
  async function attack(name = 'transport 3'): Promise<{ by: Attacker; connection: Connection }> {
    attacker = await Attacker.start(name)
    return { by: attacker, connection: await attacker.connect(loopback.port(0)) }
  }

  function closed(of: Closable): Promise<void> {
    return new Promise((resolve) => {
      if (of.status !== 'open') resolve()
      of.addEventListener('close', () => resolve())
    })
  }

  it('ends connections that send garbage in place of a handshake', async () => {
    const garbage = [frame('GET / HTTP/1.1\r\n\r\n'), new Uint8Array(100_000).fill(0xff), new Uint8Array(1)]
    for (const bytes of garbage) {
      const made = await socket()
      made.write(bytes)
      await closedSocket(made)
    }
    await counted('handshake-failed', garbage.length)
    await stillTalks('after garbage')
  })

  it('gives up on handshakes that stay half open, and lets honest members in meanwhile', async () => {
    // The last of them while all are under way: as many as may be, and some more.
    const half = await Promise.all(Array.from({ length: HANDSHAKES + 40 }, () => socket()))
    // The right first words, and then nothing.
    for (const made of half) made.write('\x13/multistream/1.0.0\n\x07/noise\n')
    await counted('too-many-connections')
    const [third, heardByThird] = [loopback.replica(2), new HeardByReplica()]
    try {
      await third.start(heardByThird)
      await heardByThird.heard('up 0')
      await heard.heard('up 2')
    } finally {
      await third.stop()
    }
    await Promise.all(half.map(closedSocket))
    await counted('handshake-failed')
    await stillTalks('after half-open handshakes')
  })

  it('ends no handshake for another one while hundreds are under way, as when all clients come back at once', async () => {
    const usual = new Loopback()
    const crowded = usual.replica(2)
    const client = usual.client('client 1')
    try {
      await crowded.start(new HeardByReplica(['client 1']))
      await Promise.all(Array.from({ length: HERD }, () => socket(usual.port(2))))
      const heardByClient = new HeardByClient()
      await client.start(heardByClient)
      await heardByClient.heard('up 2')
      expect(crowded.counters()['too-many-connections']).toBeUndefined()
    } finally {
      await Promise.all([crowded.stop(), client.stop()])
    }
  })

  it('keeps exchanging frames under 10,000 connections, and its memory', async () => {
    const before = process.memoryUsage().rss
    const port = loopback.port(0)
    let [opened, exchanged] = [0, 0]
    const lane = async () => {
      while (opened < 10_000) {
        opened++
        await socket(port)
      }
    }
    const lanes = Promise.all(Array.from({ length: 200 }, lane))
    while (opened < 10_000) await stillTalks(`round ${exchanged++}`)
    await lanes
    expect(exchanged).toBeGreaterThan(1)
    // Each gave way to a newer one, or ran out of time, as the speed of the machine has it.
    const ended = (['too-many-connections', 'handshake-failed'] as const).map((name) => victim.counters()[name] ?? 0)
    expect(ended.reduce((sum, count) => sum + count)).toBeGreaterThan(5_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * MIB)
    await stillTalks('after 10,000 connections')
  })

  it('refuses hosts that connect too often', async () => {
    const [third, heardByThird] = [loopback.replica(2), new HeardByReplica()]
    const strict = new Loopback({ maxInboundPerHost: 3, tickMs: 3_600_000 })
    const picky = strict.replica(3)
    try {
      await picky.start(new HeardByReplica())
      const port = strict.port(3)
      await Promise.all(Array.from({ length: 10 }, () => socket(port)))
      while ((picky.counters()['too-many-connections'] ?? 0) < 7) await new Promise((resolve) => setImmediate(resolve))
      expect(picky.counters()['too-many-connections']).toBe(7)
      await third.start(heardByThird)
      await heardByThird.heard('up 0')
    } finally {
      await Promise.all([third.stop(), picky.stop()])
    }
  })

  it.each([
    ['a length of 2^31', [0x80, 0x80, 0x80, 0x80, 0x08], 'frame-too-large'],
    ['a length beyond its channel', [0x81, 0x80, 0x80, 0x20], 'frame-too-large'],
    ['an overlong length', [0x81, 0x80, 0x00, 1], 'malformed-prefix'],
    ['an empty frame', [0], 'malformed-prefix'],
  ] as const)('resets the stream of a member that announces %s', async (_, bytes, counter) => {
    const { by, connection } = await attack()
    const stream = await by.open(connection, 'consensus')
    stream.send(Uint8Array.from([2, 104, 105, ...bytes]))
    await closed(stream)
    expect(heard.lines).toContain('consensus from 3: hi')
    expect(victim.counters()).toEqual({ [counter]: 1 })
    await stillTalks('after a bad prefix')
  })

  it.each([
    ['a member', 'transport 3', 'client'],
    ['a client', 'client admin', 'consensus'],
    ['a client', 'client admin', 'transfer'],
  ] as const)('resets a stream of %s (%s) on the channel %s', async (_who, name, channel: Channel) => {
    const { by, connection } = await attack(name)
    const stream = await by.open(connection, channel)
    await closed(stream)
    expect(victim.counters()).toEqual({ 'stream-reset': 1 })
    expect(heard.links.size).toBe(0)
    await stillTalks('after a stream on a wrong channel')
  })

  it('takes one stream a channel and connection', async () => {
    const { by, connection } = await attack()
    await by.open(connection, 'consensus')
    await closed(await by.open(connection, 'consensus'))
    expect(victim.counters()).toEqual({ 'too-many-streams': 1 })
    await stillTalks('after a second stream')
  })

  it('ends the connection of a member that opens 10,000 streams, though it resets each', async () => {
    const { by, connection } = await attack()
    const openings = new Uint8Array(10_000 * 24)
    for (let i = 0; i < 10_000; i++) {
      const id = 1_001 + 2 * i
      openings.set([0, 1, 0, 1, 0, 0, id >> 8, id & 255, 0, 0, 0, 0], 24 * i)
      openings.set([0, 1, 0, 8, 0, 0, id >> 8, id & 255, 0, 0, 0, 0], 24 * i + 12)
    }
    by.beneath[0]?.send(openings)
    await closed(connection)
    expect(victim.counters()).toEqual({ 'too-many-streams': 1 })
    await stillTalks('after 10,000 streams')
  })

  it.each([
    ['a piece of 4 GiB', [0, 0, 0, 0, 0, 0, 0, 99, 0xff, 0xff, 0xff, 0xff], 'frame-too-large'],
    ['a piece of one byte more than the window', [0, 0, 0, 0, 0, 0, 0, 99, 0, 0x10, 0, 1], 'frame-too-large'],
    ['another version of yamux', [9, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 1], undefined],
    ['an unknown kind', [0, 7, 0, 0, 0, 0, 0, 99, 0, 0, 0, 1], undefined],
    ['an answer to no ping', [0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], undefined],
    ['a stream of our own numbering', [0, 1, 0, 1, 0, 0, 0, 98, 0, 0, 0, 1], undefined],
  ] as const)('ends a connection with %s beneath the streams', async (_, bytes, counter) => {
    const { by, connection } = await attack()
    by.beneath[0]?.send(Uint8Array.from(bytes))
    await closed(connection)
    expect(victim.counters()).toEqual(counter === undefined ? {} : { [counter]: 1 })
    await stillTalks('after a bad piece')
  })

  it('does not put together a piece of yamux that comes byte by byte', async () => {
    const { by, connection } = await attack()
    by.beneath[0]?.send(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 99, 0, 4, 0, 0))
    const dripping = setInterval(() => {
      for (let i = 0; i < 100; i++) if (by.beneath[0]?.status === 'open') by.beneath[0].send(Uint8Array.of(1))
    }, 1)
    await closed(connection)
    clearInterval(dripping)
    expect(victim.counters()).toEqual({ 'frame-too-large': 1 })
    await stillTalks('after dripping')
  })

  it('keeps no more than its bound for a member that does not read', async () => {
    const { by } = await attack()
    await heard.heard('up 3')
    // Its socket is read no more, and with it our pings.
    by.beneath[0]?.pause()
    const before = process.memoryUsage().rss
    const chunk = new Uint8Array(MIB)
    for (let sent = 0; sent < 400; sent++) {
      victim.send(R3, 'transfer', chunk)
      victim.send(R3, 'consensus', chunk)
      if (sent % 10 === 0) await stillTalks(`while ${sent}`)
      if (!victim.connected(R3)) break
    }
    expect(victim.counters()['queue-full']).toBeGreaterThan(0)
    expect(victim.queuedBytes()).toBeLessThanOrEqual(2 * 32 * MIB)
    expect(process.memoryUsage().rss - before).toBeLessThan(250 * MIB)
    await heard.heard('down 3')
    expect(victim.queuedBytes()).toBe(0)
    await stillTalks('after a member that did not read')
  })

  it('ends a connection whose other side asks and asks, and does not read the answers', async () => {
    const { by, connection } = await attack()
    await heard.heard('up 3')
    const beneath = by.beneath[0]
    beneath?.pause()
    const pings = new Uint8Array(12 * 5_000)
    for (let i = 0; i < pings.length; i += 12) pings.set([0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], i)
    const before = process.memoryUsage().rss
    const asking = setInterval(() => {
      if (beneath?.status === 'open' && !beneath.writableNeedsDrain) beneath.send(pings)
    }, 1)
    await closed(connection)
    clearInterval(asking)
    expect(process.memoryUsage().rss - before).toBeLessThan(250 * MIB)
    await stillTalks('after pings')
  })

  it('turns away a stranger, whatever it wants', async () => {
    attacker = await Attacker.start('nobody')
    const connection = await attacker.connect(loopback.port(0)).catch(() => undefined)
    if (connection !== undefined) await closed(connection)
    await counted('stranger-refused')
    expect(victim.counters()).toEqual({ 'stranger-refused': 1 })
    await stillTalks('after a stranger')
  })

  it('bounds the connections of one member, keeping the newest, and of one client', async () => {
    const { by, connection } = await attack()
    for (let i = 0; i < 3; i++) await by.connect(loopback.port(0))
    await closed(connection)
    expect(victim.counters()).toEqual({ 'too-many-connections': 1 })
    await by.stop()
    const greedy = await Attacker.start('client admin')
    attacker = greedy
    const made: Connection[] = []
    for (let i = 0; i < 16; i++) made.push(await greedy.connect(loopback.port(0)))
    const more = await greedy.connect(loopback.port(0)).catch(() => undefined)
    if (more !== undefined) await closed(more)
    await counted('too-many-connections', 2)
    expect(made.every(({ status }) => status === 'open')).toBe(true)
    await stillTalks('after many connections')
  })

  it('goes on serving its clients under all that', async () => {
    heard.onClientFrame = (link, bytes) => link.send(bytes)
    const heardByClient = new HeardByClient()
    client = loopback.client('client writer-1')
    await client.start(heardByClient)
    await heardByClient.heard('up 0')
    const garbage = Array.from({ length: 100 }, async () => (await socket()).write(new Uint8Array(1000).fill(0x80)))
    await Promise.all(garbage)
    for (let i = 0; i < 100; i++) client.send(R0, frame(`${i}`))
    await heardByClient.heard('frame from 0: 99')
  })
})

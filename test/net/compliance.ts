// What every transport promises, run for the one in memory and the one over libp2p.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientTransport, NetLimits, ReplicaTransport, RosterEntry } from '../../net/index.ts'
import { frame, HeardByClient, HeardByReplica, R0, R1, R2, textOf } from './support.ts'

/** Makes ends that can reach one another; ends of one `Harness` only. */
export interface Harness {
  /** The end called `index`, with the roster of the genesis unless told. */
  replica(index: number, roster?: readonly RosterEntry[]): ReplicaTransport
  /** The client with the key of the seed called `name`. */
  client(name: string): ClientTransport
}

/** Small enough that tests reach them. */
export const SMALL_LIMITS = {
  maxFrameBytes: { consensus: 200_000, transfer: 100_000, client: 50_000, replica: 60_000 },
  maxPeerQueueBytes: 1_000_000,
  maxClientQueueBytes: 300_000,
  maxFormerFrameBytes: 20_000,
  maxFormerAnswerBytes: 40_000,
} as const satisfies Partial<NetLimits>

export function transportCompliance(name: string, makeHarness: (limits: Partial<NetLimits>) => Harness): void {
  describe(`${name} keeps the promises of a transport`, () => {
    let harness: Harness
    let ends: { stop(): Promise<void> }[] = []

    beforeEach(() => {
      harness = makeHarness(SMALL_LIMITS)
    })

    afterEach(async () => {
      await Promise.all(ends.map((end) => end.stop()))
      ends = []
    })

    async function replica(index: number, heard = new HeardByReplica()) {
      const transport = harness.replica(index)
      ends.push(transport)
      await transport.start(heard)
      return { transport, heard }
    }

    async function client(seed: string) {
      const transport = harness.client(seed)
      const heard = new HeardByClient()
      ends.push(transport)
      await transport.start(heard)
      return { transport, heard }
    }

    async function pair() {
      const [a, b] = [await replica(0), await replica(1)]
      await Promise.all([a.heard.heard('up 1'), b.heard.heard('up 0')])
      return { a, b }
    }

    it('links members, and says so at both ends', async () => {
      const { a, b } = await pair()
      expect([a.transport.connected(R1), b.transport.connected(R0)]).toEqual([true, true])
      expect([a.transport.connected(R2), a.transport.connected(R0)]).toEqual([false, false])
      expect(a.transport.addresses.length).toBeGreaterThan(0)
    })

    it('delivers frames as they are, from the member that sent them, in order on each channel', async () => {
      const { a, b } = await pair()
      const sizes = [1, 127, 128, 16_383, 16_384, 70_000, 100_000]
      for (const size of sizes)
        a.transport.send(
          R1,
          'transfer',
          new Uint8Array(size).map((_, i) => i * size),
        )
      await b.heard.until(() => b.heard.frames.length === sizes.length)
      expect(b.heard.frames.map((bytes) => bytes.length)).toEqual(sizes)
      for (const bytes of b.heard.frames)
        expect(bytes.every((byte, i) => byte === ((i * bytes.length) & 255))).toBe(true)
      const many = Array.from({ length: 500 }, (_, i) => `frame ${i}`)
      for (const text of many) expect(a.transport.send(R1, 'consensus', frame(text))).toBe(true)
      await b.heard.heard('consensus from 0: frame 499')
      expect(b.heard.frames.slice(sizes.length).map(textOf)).toEqual(many)
    })

    it('counts what was written: frames with their prefixes at most, several in one write at best', async () => {
      const { a, b } = await pair()
      const before = a.transport.sent()
      for (let i = 0; i < 50; i++) a.transport.send(R1, 'consensus', new Uint8Array(1000).fill(i))
      await b.heard.until(() => b.heard.frames.length === 50)
      const { writes, bytes } = a.transport.sent()
      expect(bytes - before.bytes).toBeGreaterThanOrEqual(50 * 1000)
      expect(bytes - before.bytes).toBeLessThanOrEqual(50 * (1000 + 3))
      expect(writes - before.writes).toBeGreaterThanOrEqual(1)
      expect(writes - before.writes).toBeLessThanOrEqual(50)
    })

    it('carries both directions at once', async () => {
      const { a, b } = await pair()
      b.heard.onPeerFrame = (from, channel, bytes) => {
        expect([from, channel]).toEqual([0, 'consensus'])
        b.transport.send(R0, 'consensus', frame(`echo ${textOf(bytes)}`))
      }
      for (let i = 0; i < 200; i++) a.transport.send(R1, 'consensus', frame(`${i}`))
      await a.heard.heard('consensus from 1: echo 199')
      expect(a.heard.frames.map(textOf)).toEqual(Array.from({ length: 200 }, (_, i) => `echo ${i}`))
    })

    it('hands out frames that stay as they are, also when the sender goes on', async () => {
      const { a, b } = await pair()
      for (let i = 0; i < 300; i++) a.transport.send(R1, 'consensus', new Uint8Array(1000).fill(i))
      await b.heard.until(() => b.heard.frames.length === 300)
      for (const [i, bytes] of b.heard.frames.entries()) expect(bytes.every((byte) => byte === (i & 255))).toBe(true)
    })

    it('drops what does not fit into the queue, counts it, and goes on', async () => {
      const { a, b } = await pair()
      const size = 100_000
      const sent = Array.from({ length: 20 }, () => a.transport.send(R1, 'consensus', new Uint8Array(size).fill(7)))
      const taken = sent.filter(Boolean).length
      expect(taken).toBe(Math.floor(SMALL_LIMITS.maxPeerQueueBytes / (size + 3)))
      expect(a.transport.counters()).toEqual({ 'queue-full': 20 - taken })
      expect(a.transport.queuedBytes()).toBe(taken * (size + 3))
      await b.heard.until(() => b.heard.frames.length === taken)
      expect(a.transport.send(R1, 'consensus', frame('goes on'))).toBe(true)
      await b.heard.heard('consensus from 0: goes on')
    })

    it('keeps the queues of the channels apart', async () => {
      const { a, b } = await pair()
      while (a.transport.send(R1, 'transfer', new Uint8Array(90_000)))
        expect(a.transport.queuedBytes()).toBeLessThan(2e6)
      expect(a.transport.send(R1, 'consensus', frame('a vote'))).toBe(true)
      await b.heard.heard('consensus from 0: a vote')
    })

    it('takes no frame over the limit of its channel, and none that is empty', async () => {
      const { a, b } = await pair()
      const { consensus, transfer } = SMALL_LIMITS.maxFrameBytes
      expect(a.transport.send(R1, 'consensus', new Uint8Array(consensus + 1))).toBe(false)
      expect(a.transport.send(R1, 'transfer', new Uint8Array(transfer + 1))).toBe(false)
      expect(a.transport.counters()).toEqual({ 'frame-too-large': 2 })
      expect(() => a.transport.send(R1, 'consensus', new Uint8Array())).toThrow(RangeError)
      expect(a.transport.send(R1, 'consensus', new Uint8Array(consensus))).toBe(true)
      await b.heard.heard(`consensus from 0: ${consensus} bytes`)
    })

    it('drops frames to members that it is not connected with', async () => {
      const { transport } = await replica(0)
      expect(transport.send(R1, 'consensus', frame('nobody there'))).toBe(false)
      expect(transport.send(R0, 'consensus', frame('to itself'))).toBe(false)
      expect(transport.queuedBytes()).toBe(0)
    })

    it('notices that a member left, and links it again when it returns', async () => {
      const { a, b } = await pair()
      await b.transport.stop()
      await a.heard.heard('down 1')
      expect(a.transport.connected(R1)).toBe(false)
      expect(a.transport.send(R1, 'consensus', frame('lost'))).toBe(false)
      const again = await replica(1)
      await again.heard.heard('up 0')
      await a.heard.until(() => a.transport.connected(R1))
      a.transport.send(R1, 'consensus', frame('hello again'))
      await again.heard.heard('consensus from 0: hello again')
      expect(a.heard.lines.slice(0, 3)).toEqual(['up 1', 'down 1', 'up 1'])
    })

    it('says nothing more once it is stopped, and starts again', async () => {
      const { a, b } = await pair()
      await a.transport.stop()
      await a.transport.stop()
      expect(a.heard.lines).toEqual(['up 1', 'down 1'])
      expect(a.transport.addresses).toEqual([])
      expect(a.transport.send(R1, 'consensus', frame('x'))).toBe(false)
      const heard = new HeardByReplica()
      await Promise.all([a.transport.start(heard), a.transport.start(heard)])
      await heard.heard('up 1')
      await b.heard.until(() => b.transport.connected(R0))
      expect(a.heard.lines).toEqual(['up 1', 'down 1'])
    })

    it('does not start where the signal is aborted already', async () => {
      const transport = harness.replica(0)
      const reason = new Error('not now')
      await expect(transport.start(new HeardByReplica(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      expect(transport.addresses).toEqual([])
    })

    it('links a client with every member, and carries frames both ways', async () => {
      const replicas = [await replica(0), await replica(1)]
      for (const { heard } of replicas) {
        heard.onClientFrame = (link, bytes) => link.send(frame(`answer to ${textOf(bytes)}`))
      }
      const { transport, heard } = await client('client admin')
      await Promise.all([heard.heard('up 0'), heard.heard('up 1')])
      expect([transport.connected(R0), transport.connected(R1), transport.connected(R2)]).toEqual([true, true, false])
      for (let i = 0; i < 100; i++) expect(transport.send(R1, frame(`${i}`))).toBe(true)
      await heard.heard('frame from 1: answer to 99')
      expect(heard.lines.filter((line) => line.startsWith('frame'))).toEqual(
        Array.from({ length: 100 }, (_, i) => `frame from 1: answer to ${i}`),
      )
      expect(replicas[0]?.heard.frames).toEqual([])
    })

    it('tells clients apart by the key that their channel proved', async () => {
      const { heard } = await replica(0)
      const [admin, writer] = [await client('client admin'), await client('client writer-1')]
      await Promise.all([admin.heard.heard('up 0'), writer.heard.heard('up 0')])
      await heard.until(() => heard.links.size === 2)
      const links = [...heard.links]
      expect(new Set(links.map(({ key }) => String(key))).size).toBe(2)
      expect(links.every(({ key }) => heard.isClient(key))).toBe(true)
      expect(new Set(links.map(({ id }) => id)).size).toBe(2)
    })

    it('lets in two processes of one client', async () => {
      const { heard } = await replica(0)
      const [first, second] = [await client('client admin'), await client('client admin')]
      await Promise.all([first.heard.heard('up 0'), second.heard.heard('up 0')])
      await heard.until(() => heard.links.size === 2)
    })

    it('turns away a client whose key nobody knows, and counts it', async () => {
      const { transport } = await replica(0)
      const other = await replica(1, new HeardByReplica(['client stranger']))
      const stranger = await client('client stranger')
      await stranger.heard.heard('up 1')
      await other.heard.until(() => other.heard.links.size === 1)
      expect(stranger.transport.connected(R0)).toBe(false)
      expect(stranger.transport.send(R0, frame('let me in'))).toBe(false)
      expect(transport.counters()['stranger-refused']).toBeGreaterThan(0)
    })

    it('notices that a client left', async () => {
      const { heard } = await replica(0)
      const { transport } = await client('client admin')
      await heard.until(() => heard.links.size === 1)
      const [link] = heard.links
      await transport.stop()
      await transport.stop()
      await heard.until(() => heard.links.size === 0)
      expect(link?.send(frame('gone'))).toBe(false)
      link?.close()
      expect(transport.connected(R0)).toBe(false)
    })

    it('bounds what waits for one client, and what one frame may be', async () => {
      const { transport, heard } = await replica(0)
      await client('client admin')
      await heard.until(() => heard.links.size === 1)
      const [link] = heard.links
      expect(link?.send(new Uint8Array(SMALL_LIMITS.maxFrameBytes.replica + 1))).toBe(false)
      const sent = Array.from({ length: 20 }, () => link?.send(new Uint8Array(50_000)))
      expect(sent.filter(Boolean).length).toBe(5)
      expect(transport.counters()).toEqual({ 'frame-too-large': 1, 'queue-full': 15 })
      expect(transport.queuedBytes()).toBe(5 * 50_003)
    })

    it('lets a client that a replica turned off come back', async () => {
      const { heard } = await replica(0)
      const { heard: heardByClient } = await client('client admin')
      await Promise.all([heardByClient.heard('up 0'), heard.until(() => heard.links.size === 1)])
      const [link] = heard.links
      link?.close()
      expect(link?.send(frame('closed'))).toBe(false)
      await heardByClient.heard('down 0')
      await heard.until(() => [...heard.links].some((each) => each !== link))
    })
  })
}

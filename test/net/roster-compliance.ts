// What every transport promises where its roster changes while it runs. Ends are called 0 to 3 as in the genesis, and 4 and beyond
// where they are not of it; positions are those of the roster of whoever hears or sends.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientTransport, NetLimits, ReplicaTransport, RosterEntry } from '../../net/index.ts'
import { type Harness, SMALL_LIMITS } from './compliance.ts'
import { frame, HeardByClient, HeardByReplica, R0, R1, R2, R3, rosterOf } from './support.ts'

interface Member {
  readonly transport: ReplicaTransport
  readonly heard: HeardByReplica
}

export function rosterCompliance(name: string, makeHarness: (limits: Partial<NetLimits>) => Harness): void {
  describe(`${name} keeps its promises while the roster changes`, () => {
    let harness: Harness
    let ends: { stop(): Promise<void> }[] = []

    beforeEach(() => {
      harness = makeHarness(SMALL_LIMITS)
    })

    afterEach(async () => {
      await Promise.all(ends.map((end) => end.stop()))
      ends = []
    })

    async function member(end: number, roster?: readonly RosterEntry[], heard = new HeardByReplica()): Promise<Member> {
      const transport = harness.replica(end, roster)
      ends.push(transport)
      await transport.start(heard)
      return { transport, heard }
    }

    async function client(seed: string): Promise<{ transport: ClientTransport; heard: HeardByClient }> {
      const [transport, heard] = [harness.client(seed), new HeardByClient()]
      ends.push(transport)
      await transport.start(heard)
      return { transport, heard }
    }

    async function pair(): Promise<{ a: Member; b: Member }> {
      const [a, b] = [await member(0), await member(1)]
      await Promise.all([a.heard.heard('up 1'), b.heard.heard('up 0')])
      return { a, b }
    }

    /** `b` was a member together with `a`, and does `onUp` whenever the two are linked. */
    async function former(onUp: (b: ReplicaTransport) => void): Promise<{ a: Member; b: Member }> {
      const { a, b } = await pair()
      b.heard.onPeerUp = () => onUp(b.transport)
      a.heard.knowFormers(1)
      a.transport.update(rosterOf(0, 2, 3))
      return { a, b }
    }

    it('links those that are new, at their positions', async () => {
      const { a, b } = await pair()
      const roster = rosterOf(4, 1, 0)
      const joiner = await member(4, roster)
      for (const { transport } of [a, b]) transport.update(roster)
      await Promise.all([a.heard.heard('up 0'), b.heard.heard('up 0'), joiner.heard.heard('up 1')])
      await joiner.heard.heard('up 2')
      expect(joiner.transport.send(R2, 'consensus', frame('hello'))).toBe(true)
      await a.heard.heard('consensus from 0: hello')
      expect(a.heard.lines.filter((line) => !line.startsWith('consensus'))).toEqual(['up 1', 'up 0'])
    })

    it('keeps connection and queue of a peer that stands elsewhere, and tells nobody', async () => {
      const { a, b } = await pair()
      for (let i = 0; i < 9; i++) a.transport.send(R1, 'consensus', new Uint8Array(100_000 + i))
      const waiting = a.transport.queuedBytes()
      expect(waiting).toBeGreaterThan(900_000)
      a.transport.update(rosterOf(3, 0, 2, 1))
      expect(a.transport.queuedBytes()).toBe(waiting)
      expect([R0, R1, R2, R3].map((each) => a.transport.connected(each))).toEqual([false, false, false, true])
      expect(a.transport.send(R1, 'consensus', frame('to itself'))).toBe(false)
      expect(a.transport.send(R3, 'consensus', frame('the tenth'))).toBe(true)
      await b.heard.heard('consensus from 0: the tenth')
      expect(b.heard.frames.map(({ length }) => length)).toEqual([...Array(9).keys()].map((i) => 100_000 + i).concat(9))
      b.transport.send(R0, 'transfer', frame('back'))
      await a.heard.heard('transfer from 3: back')
      expect([a.heard.lines, b.heard.lines.slice(0, 1)]).toEqual([['up 1', 'transfer from 3: back'], ['up 0']])
    })

    it('keeps what is under way to an end whose roster changes before it arrives', async () => {
      const { a, b } = await pair()
      a.transport.send(R1, 'consensus', frame('on its way'))
      b.transport.update(rosterOf(1, 2, 0, 3))
      await b.heard.heard('consensus from 2: on its way')
    })

    it('changes nothing for the same roster again, nor for other addresses', async () => {
      const { a, b } = await pair()
      a.transport.update(rosterOf(0, 1, 2, 3))
      a.transport.update(rosterOf(0, 1, 2, 3).map((entry) => ({ ...entry, addresses: ['/ip4/127.0.0.1/tcp/1'] })))
      a.transport.send(R1, 'consensus', frame('still there'))
      await b.heard.heard('consensus from 0: still there')
      expect([a.heard.lines, b.heard.lines.slice(0, 1)]).toEqual([['up 1'], ['up 0']])
    })

    it('ends the link of one that left, under its old position, and forgets what waited for it', async () => {
      const { a, b } = await pair()
      a.transport.send(R1, 'consensus', new Uint8Array(100_000))
      a.transport.update(rosterOf(0, 2))
      expect(a.heard.lines).toEqual(['up 1', 'down 1'])
      expect([a.transport.connected(R1), a.transport.queuedBytes()]).toEqual([false, 0])
      expect(a.transport.send(R1, 'consensus', frame('gone'))).toBe(false)
      await b.heard.heard('down 0')
    })

    it('refuses one that left like any stranger, and hears nothing of it', async () => {
      const { a, b } = await pair()
      b.heard.onPeerUp = () => b.transport.send(R0, 'consensus', frame('I am still here'))
      b.transport.send(R0, 'consensus', frame('last words'))
      a.transport.update(rosterOf(0, 2, 3))
      b.transport.send(R0, 'consensus', frame('more words'))
      await b.heard.heard('down 0')
      await member(2)
      await a.heard.until(() => a.heard.lines.lastIndexOf('up 1') > 0)
      // Whoever was turned away dials again.
      while (a.transport.counters()['stranger-refused'] === undefined) await new Promise((done) => setImmediate(done))
      expect(a.heard.lines).toEqual(['up 1', 'down 1', 'up 1'])
    })

    it('links one again that left and returned', async () => {
      const { a, b } = await pair()
      a.transport.update(rosterOf(0, 2, 3))
      a.transport.update(rosterOf(2, 3, 0, 1))
      await a.heard.heard('up 3')
      await a.heard.until(() => a.transport.send(R3, 'consensus', frame('again')))
      await b.heard.heard('consensus from 0: again')
      expect(a.heard.lines).toEqual(['up 1', 'down 1', 'up 3'])
    })

    it('disturbs no link of one that stays, however often others come and go', async () => {
      const { a, b } = await pair()
      await member(2)
      await a.heard.heard('up 2')
      a.heard.onPeerFrame = (from, channel, bytes) => a.transport.send(from === 1 ? R1 : R2, channel, bytes)
      for (let i = 0; i < 30; i++) {
        a.transport.update(i % 2 === 0 ? rosterOf(0, 3, 1) : rosterOf(2, 1, 0, 3))
        b.transport.send(R0, 'consensus', frame(`round ${i}`))
        await b.heard.heard(`consensus from 0: round ${i}`)
      }
      expect(b.heard.lines).not.toContain('down 0')
    })

    it('answers one that was a member once, one time a connection, and hears nothing else of it', async () => {
      const { a, b } = await former((transport) => {
        for (const text of ['what of me', 'a vote', 'another vote']) transport.send(R0, 'consensus', frame(text))
      })
      const sent: boolean[] = []
      a.heard.onFormerFrame = (link) => {
        sent.push(link.send(frame('you left')), link.send(frame('and more')))
      }
      await b.heard.heard('consensus from 0: you left')
      await b.heard.until(() => b.heard.lines.filter((line) => line === 'down 0').length >= 2)
      await a.heard.until(() => a.heard.visits.length >= 2)
      const [first] = a.heard.visits
      expect(first?.send(frame('too late'))).toBe(false)
      expect(sent.slice(0, 2)).toEqual([true, false])
      expect(new Set(a.heard.lines)).toEqual(new Set(['up 1', 'down 1', 'former: what of me']))
      expect(new Set(b.heard.lines)).toEqual(new Set(['up 0', 'down 0', 'consensus from 0: you left']))
      expect(a.transport.counters()['stranger-refused']).toBeUndefined()
      expect([R0, R1, R2, R3].some((each) => a.transport.connected(each))).toBe(false)
    })

    it('hears no bulk of one that was a member once', async () => {
      const { a } = await former((transport) => {
        transport.send(R0, 'transfer', frame('bulk'))
        transport.send(R0, 'transfer', frame('more bulk'))
        transport.send(R0, 'consensus', frame('what of me'))
      })
      await a.heard.heard('former: what of me')
      expect(a.heard.lines).toEqual(['up 1', 'down 1', 'former: what of me'])
    })

    it('bounds what one that was a member once may say, and be told', async () => {
      let size = SMALL_LIMITS.maxFormerFrameBytes + 1
      const { a, b } = await former((transport) => {
        transport.send(R0, 'consensus', new Uint8Array(size))
        size = SMALL_LIMITS.maxFormerFrameBytes
      })
      const sent: boolean[] = []
      a.heard.onFormerFrame = (link) => {
        for (const more of [1, 0]) sent.push(link.send(new Uint8Array(SMALL_LIMITS.maxFormerAnswerBytes + more)))
      }
      await b.heard.heard(`consensus from 0: ${SMALL_LIMITS.maxFormerAnswerBytes} bytes`)
      expect(sent.slice(0, 2)).toEqual([false, true])
      expect(a.heard.lines[2]).toBe(`former: ${SMALL_LIMITS.maxFormerFrameBytes} bytes`)
      // One frame of theirs and one of ours at least.
      expect(a.transport.counters()['frame-too-large']).toBeGreaterThanOrEqual(2)
    })

    it('makes one that was a member once a member again, with all of its rights', async () => {
      const { a, b } = await former((transport) => transport.send(R0, 'consensus', frame('what of me')))
      await a.heard.heard('former: what of me')
      a.transport.update(rosterOf(0, 2, 3, 1))
      await a.heard.heard('up 3')
      await a.heard.heard('consensus from 3: what of me')
      await a.heard.until(() => a.transport.send(R3, 'consensus', frame('welcome')))
      await b.heard.heard('consensus from 0: welcome')
    })

    it('lets no client in under a key that is in the roster by now', async () => {
      const { heard, transport } = await member(0, undefined, new HeardByReplica(['transport 4']))
      const later = await client('transport 4')
      await Promise.all([later.heard.heard('up 0'), heard.until(() => heard.links.size === 1)])
      transport.update(rosterOf(0, 1, 2, 3, 4))
      await Promise.all([later.heard.heard('down 0'), heard.until(() => heard.links.size === 0)])
    })

    it('keeps the bound of a queue, and no second one, where its receiver stands elsewhere', async () => {
      const { a } = await pair()
      const fill = (to: typeof R1) => {
        let taken = 0
        while (a.transport.send(to, 'consensus', new Uint8Array(100_000))) taken++
        return taken
      }
      expect(fill(R1)).toBe(9)
      a.transport.update(rosterOf(0, 3, 1))
      expect(fill(R2)).toBe(0)
      expect(a.transport.queuedBytes()).toBeLessThanOrEqual(SMALL_LIMITS.maxPeerQueueBytes)
      a.transport.update(rosterOf(0, 3))
      expect(a.transport.queuedBytes()).toBe(0)
    })

    it('refuses what cannot be a roster, and stays with the one that it has', async () => {
      const { a, b } = await pair()
      const tooMany = Array.from({ length: 101 }, () => rosterOf(0)).flat()
      for (const roster of [rosterOf(0, 2, 2), [{ peerId: 'nobody', addresses: [] }], tooMany]) {
        expect(() => a.transport.update(roster)).toThrow(RangeError)
      }
      expect(a.transport.connected(R1)).toBe(true)
      a.transport.send(R1, 'consensus', frame('as before'))
      await b.heard.heard('consensus from 0: as before')
    })

    it('takes a roster before it starts, while it does, and after it has stopped', async () => {
      const b = await member(1)
      const [transport, heard] = [harness.replica(0), new HeardByReplica()]
      ends.push(transport)
      transport.update(rosterOf(1, 0))
      await transport.start(heard)
      await heard.heard('up 0')
      await transport.stop()
      transport.update(rosterOf(2, 1, 0))
      const starting = transport.start(heard)
      transport.update(rosterOf(3, 2, 0, 1))
      await starting
      await heard.heard('up 3')
      await b.heard.until(() => b.heard.lines.filter((line) => line === 'up 0').length >= 2)
      expect(heard.lines).toEqual(['up 0', 'down 0', 'up 3'])
    })

    it('goes on with all in the roster where the own key is no longer in it', async () => {
      const { a, b } = await pair()
      a.transport.update(rosterOf(1, 2, 3))
      expect(a.transport.connected(R0)).toBe(true)
      a.transport.send(R0, 'consensus', frame('served'))
      await b.heard.heard('consensus from 0: served')
    })

    it('moves the links of a client, drops and adds some, and keeps those that stay', async () => {
      const [a, b] = [await member(0), await member(1)]
      const joiner = await member(4, rosterOf(4, 0))
      for (const { heard } of [a, b, joiner]) heard.onClientFrame = (link, bytes) => link.send(bytes)
      const { transport, heard } = await client('client admin')
      await Promise.all([heard.heard('up 0'), heard.heard('up 1')])
      transport.send(R1, frame('under way'))
      transport.update(rosterOf(1, 4))
      expect(heard.lines).toContain('down 0')
      expect(heard.lines).not.toContain('down 1')
      expect([transport.connected(R0), transport.send(R2, frame('nobody'))]).toEqual([true, false])
      await Promise.all([heard.heard('frame from 0: under way'), a.heard.until(() => a.heard.links.size === 0)])
      await heard.until(() => heard.lines.filter((line) => line === 'up 1').length >= 2)
      await heard.until(() => transport.send(R1, frame('hello')))
      await heard.heard('frame from 1: hello')
      expect(b.heard.lines.filter((line) => line.startsWith('client down'))).toEqual([])
      expect(() => transport.update(rosterOf(0, 0))).toThrow(RangeError)
    })

    it('takes a roster of a client before it starts', async () => {
      await member(1)
      const [transport, heard] = [harness.client('client admin'), new HeardByClient()]
      ends.push(transport)
      transport.update(rosterOf(3, 2, 1))
      await transport.start(heard)
      await heard.heard('up 2')
      expect(heard.lines).toEqual(['up 2'])
    })
  })
}

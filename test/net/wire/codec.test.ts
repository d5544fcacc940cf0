import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { fromHex, utf8 } from '../../../crypto/index.ts'
import * as wire from '../../../net/wire/index.ts'

function bytesOf(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(' ', ''))
  if (bytes === undefined) throw new Error(`${text} is no hexadecimal`)
  return bytes
}

/** What the decoder of messages says to the bytes behind a version byte. */
function faultOf(text: string): string {
  const decoded = wire.decodeMessage(bytesOf(`01 ${text}`))
  return decoded.ok ? 'taken' : `${decoded.fault.code}: ${decoded.fault.detail}`
}

const HASH = '11'.repeat(32)

describe('a frame', () => {
  it('is proto3 behind a version byte', () => {
    const heartbeat = { view: 300, active: true, chosen: 0, executed: 5, stable: 0, heard: [0, 2] }
    expect(wire.encodeMessage({ kind: 'heartbeat', value: heartbeat, epoch: 0 })).toEqual(
      bytesOf('01 5a 0b  08 ac02  10 01  20 05  32 02 00 02'),
    )
  })

  it.each([
    ['a fetch', '62 04 08 01 10 02'],
    ['numbers of zero, which are absent', '62 00'],
    ['an epoch behind it', '62 00 f8 7f ac 02'],
    ['the largest number', '62 09 08 ff ff ff ff ff ff ff 0f'],
  ])('is taken with %s', (_, text) => {
    expect(faultOf(text)).toBe('taken')
  })

  it.each([
    ['nothing behind the version', '', 'truncated'],
    ['a number that is longer than needed', '62 05 08 81 00 10 02', 'not-canonical: FetchEntries.from'],
    ['a zero that is sent', '62 04 08 00 10 02', 'not-canonical: FetchEntries.from'],
    ['a false that is sent', '5a 02 10 00', 'not-canonical: Heartbeat.active'],
    ['a flag that is neither true nor false', '5a 02 10 02', 'bad-value: Heartbeat.active'],
    ['2^53', '62 09 08 80 80 80 80 80 80 80 10', 'bad-value: FetchEntries.from'],
    ['2^56', '62 0a 08 80 80 80 80 80 80 80 80 01', 'bad-value: FetchEntries.from'],
    ['a number without an end', '62 02 08 80', 'truncated: FetchEntries.from'],
    ['a number that ends behind its message', '62 02 08 80 01', 'truncated: FetchEntries.from'],
    ['fields out of order', '62 04 10 02 08 01', 'not-canonical: FetchEntries'],
    ['a field twice', '62 04 08 01 08 01', 'not-canonical: FetchEntries'],
    ['a field that nobody knows', '62 04 08 01 18 01', 'trailing: FetchEntries'],
    ['a field of another wire type', '62 03 0a 01 01', 'not-canonical: FetchEntries'],
    ['a tag that is longer than needed', '62 03 88 00 01', 'trailing: FetchEntries'],
    ['a kind that nobody knows', 'fa 01 00', 'unknown-kind: Message'],
    ['two kinds', '72 00 7a 00', 'trailing: Message'],
    ['one kind twice', '72 00 72 00', 'trailing: Message'],
    ['a zero behind the end', '72 00 00', 'trailing: Message'],
    ['an epoch of zero that is sent', '72 00 f8 7f 00', 'not-canonical: Message.epoch'],
    ['an epoch twice', '72 00 f8 7f 01 f8 7f 01', 'trailing: Message'],
    ['an epoch before its message', 'f8 7f 01 72 00', 'unknown-kind: Message'],
    ['an epoch without an end', '72 00 f8 7f 80', 'truncated: Message.epoch'],
    ['a hash of 31 bytes', `6a 23 0a 21 12 1f ${'11'.repeat(31)}`, 'bad-value: BodyName.digest'],
    ['a hash that is missing', '6a 04 0a 02 08 01', 'bad-value: BodyName.digest is missing'],
    ['a part that is missing', '12 00', 'bad-value: Propose.vote is missing'],
    ['empty bytes that are sent', '0a 04 12 02 22 00', 'not-canonical: Request.command'],
    ['an empty list that is sent', '5a 02 32 00', 'not-canonical: Heartbeat.heard'],
    ['a list of numbers that is not packed', '5a 02 30 01', 'not-canonical: Heartbeat'],
    ['a member beyond the largest group', '5a 03 32 01 64', 'bad-value: Heartbeat.heard'],
    ['more members than the largest group', `5a 67 32 65 ${'00'.repeat(101)}`, 'too-large: Heartbeat.heard'],
    ['more digests than asked for at once', `6a a409 ${`0a 22 12 20 ${HASH}`.repeat(33)}`, 'too-large'],
  ])('is refused with %s', (_, text, fault) => {
    expect(faultOf(text)).toContain(fault)
  })

  it.each([
    ['an empty text that is sent', '1a 06 1a 04 32 02 0a 00', 'not-canonical'],
    ['a text that is not UTF-8', '1a 07 1a 05 32 03 0a 01 ff', 'bad-value'],
    ['a surrogate in a text', '1a 09 1a 07 32 05 0a 03 ed a0 80', 'bad-value'],
  ])('is refused with %s', (_, text, code) => {
    expect(wire.decodeReplicaFrame(bytesOf(`01 ${text}`))).toMatchObject({ ok: false, fault: { code } })
  })

  it.each([
    ['no version', '', 'truncated'],
    ['version 0', '00 72 00', 'bad-version'],
    ['version 2', '02 72 00', 'bad-version'],
  ])('is refused with %s', (_, text, code) => {
    expect(wire.decodeMessage(bytesOf(text))).toMatchObject({ ok: false, fault: { code } })
  })

  it('is refused where it is longer than its channel allows, whatever is in it', () => {
    const frame = new Uint8Array(wire.MAX_FRAME_BYTES.client + 1)
    frame[0] = wire.WIRE_VERSION
    expect(wire.decodeClientFrame(frame)).toMatchObject({ ok: false, fault: { code: 'too-large' } })
  })

  it.each([
    ['a list of digests', '6a ffffffff07', ''],
    ['a vote', '1a ffffffff07', ''],
    ['the statement of a vote', '1a 06 0a ffffffff07', ''],
    ['the command of a request', '0a 08 12 06 22 ffffffff07', ''],
    ['packed numbers', '5a 06 32 ffffffff07', '00'.repeat(64)],
    ['2^53 - 1 packed numbers', '5a 0a 32 ffffffffffffff0f', '00'.repeat(64)],
  ])('of which %s claims 2 GiB is refused, and nothing is allocated for it', (_, text, more) => {
    const frame = bytesOf(`01 ${text} ${more}`)
    wire.decodeMessage(frame)
    const before = process.memoryUsage()
    for (let i = 0; i < 100; i++) {
      expect(wire.decodeMessage(frame)).toMatchObject({ ok: false, fault: { code: 'truncated' } })
    }
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1024 * 1024)
  })

  it('with more small items than the limit is refused at the first one too many', () => {
    // Empty requests: two bytes each, four million of them.
    const items = 4 * 1024 * 1024
    const frame = new Uint8Array(1 + 1 + 4 + 2 * items)
    frame.set([wire.WIRE_VERSION, 0x0a, 0x80, 0x80, 0x80, 0x04])
    for (let i = 6; i < frame.length; i += 2) frame[i] = 0x12
    expect(wire.decodeMessage(frame)).toEqual({
      ok: false,
      fault: { code: 'too-large', detail: `Requests.requests: at most ${wire.MAX_REQUESTS}` },
    })
  })

  it('with more small items in all its lists than the limit is refused, though no list is too long', () => {
    // Eight entries of as many empty requests as one may have.
    const requests = Array.from({ length: wire.MAX_REQUESTS }, () => {
      return { bundle: 0, index: 0, sequence: 0, command: new Uint8Array(0) }
    })
    const batch = { timestampMs: 1, root: new Uint8Array(32), requests: { bundles: [], requests } }
    const entriesOf = (count: number) => Array.from({ length: count }, () => ({ slot: 1, epoch: 0, batch }))
    const faultFor = (count: number) => {
      const decoded = wire.decodeMessage(
        wire.encodeMessage({ kind: 'bodies', value: { entries: entriesOf(count) }, epoch: 0 }),
      )
      return decoded.ok ? 'taken' : `${decoded.fault.code}: ${decoded.fault.detail}`
    }
    expect(faultFor(4)).toBe('taken')
    expect(faultFor(8)).toBe(`too-large: Requests.requests: at most ${wire.MAX_FRAME_ITEMS} items of all lists`)
  })

  it('gives byte strings as views of itself', () => {
    const value = { slot: 1, path: utf8('x'), frontier: new Uint8Array(8), timestampMs: 2, chunk: utf8('chunk') }
    const frame = wire.encodeTransferFrame({ kind: 'chunk', value })
    const decoded = wire.decodeTransferFrame(frame)
    if (!decoded.ok || decoded.value.kind !== 'chunk') throw new Error('refused')
    expect(decoded.value.value.chunk.buffer).toBe(frame.buffer)
  })
})

describe('an encoder', () => {
  it.each<[string, wire.Message]>([
    ['a negative number', { kind: 'probe', value: { view: -1 }, epoch: 0 }],
    ['a fraction', { kind: 'probe', value: { view: 0.5 }, epoch: 0 }],
    ['2^53', { kind: 'probe', value: { view: 2 ** 53 }, epoch: 0 }],
    ['no number', { kind: 'probe', value: { view: Number.NaN }, epoch: 0 }],
    ['a short hash', { kind: 'fetchBodies', value: { digests: [{ slot: 1, digest: new Uint8Array(31) }] }, epoch: 0 }],
    [
      'a member beyond the largest group',
      {
        kind: 'vote',
        value: { statement: new Uint8Array(161), replica: 100, signature: new Uint8Array(64) },
        epoch: 0,
      },
    ],
    [
      'too many items',
      {
        kind: 'entries',
        epoch: 0,
        value: {
          entries: Array.from({ length: 65 }, () => ({
            entry: { slot: 1, epoch: 0, batch: undefined },
            certificate: utf8('x'),
          })),
        },
      },
    ],
  ])('refuses %s, which no decoder would take', (_, message) => {
    expect(() => wire.encodeMessage(message)).toThrow(RangeError)
  })
})

it('another implementation of proto3 reads and writes the same bytes', async () => {
  const folder = new URL('../../../net/wire/', import.meta.url)
  const root = new protobuf.Root()
  root.resolvePath = (_, target) => new URL(target.split('/').at(-1) ?? '', folder).pathname
  for (const file of ['common', 'consensus', 'archive', 'client', 'transfer']) {
    const { readFileSync } = await import('node:fs')
    protobuf.parse(readFileSync(new URL(`${file}.proto`, folder), 'utf8'), root)
  }
  const vote = { statement: new Uint8Array(161).fill(7), replica: 99, signature: new Uint8Array(64).fill(8) }
  const bundle = { client: new Uint8Array(32).fill(1), count: 3, signature: vote.signature, hashes: new Uint8Array(64) }
  const request = { bundle: 0, index: 2, sequence: 2 ** 40, command: utf8('command') }
  const batch = {
    timestampMs: 2 ** 41,
    root: bundle.client,
    requests: { bundles: [bundle], requests: [request, request] },
  }
  const messages: wire.Message[] = [
    { kind: 'propose', value: { vote, entry: { slot: 300, epoch: 0, batch } }, epoch: 0 },
    { kind: 'bodies', value: { entries: [{ slot: 0, epoch: 1, batch: undefined }] }, epoch: 1 },
    {
      kind: 'heartbeat',
      value: { view: 1, active: true, chosen: 0, executed: 5, stable: 0, heard: [0, 99, 1] },
      epoch: 2 ** 40,
    },
  ]
  const type = root.lookupType('quorate.wire.Message')
  for (const message of messages) {
    const bytes = wire.encodeMessage(message).subarray(1)
    const theirs = type.decode(bytes)
    expect(type.toObject(theirs, { longs: Number, defaults: false })).toHaveProperty(message.kind)
    expect(Uint8Array.from(type.encode(theirs).finish())).toEqual(bytes)
  }
})

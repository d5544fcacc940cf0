// What a watch of a single replica notices of its lies, each by itself; docs/watches.md says what it cannot notice.

import { describe, expect, it } from 'vitest'
import { replicaIndex, slot, utf8 } from '../../crypto/index.ts'
import { WatchEnded } from '../../src/client/index.ts'
import { encodeKvCommand } from '../../src/machine/index.ts'
import type { WatchedSlot } from '../../src/wire/index.ts'
import { rounds, useTestClock } from './support.ts'
import { follow, slots, WatchFakes, type WatchLie } from './watch-fakes.ts'

useTestClock()

const put = (key: string, value: string) =>
  ({ kind: 'put', key: utf8(key), value: utf8(value), previous: false }) as const

/** The script: three puts of one key, one of another in the third slot, a transaction, and a deletion of both. */
function play(fakes: WatchFakes): void {
  fakes.put('k', '1')
  fakes.put('k', '2')
  fakes.execute(put('k', '3'), put('kk', 'other'))
  fakes.execute({ kind: 'txn', compares: [], success: [put('k', '4')], failure: [put('k', '5')] })
  fakes.execute({ kind: 'delete-range', start: utf8('k'), end: undefined, previous: false })
  fakes.put('k', '6')
}

const TRUTH = ['k=1 v1', 'k=2 v2', 'k=3 v3', 'kk=other v1', 'k=4 v4', 'k gone', 'kk gone', 'k=6 v1']

/** In one slot. */
function at(which: number, change: (slot: WatchedSlot) => WatchedSlot | undefined): WatchLie {
  return slots((each) => (each.slot === which ? change(each) : each))
}

function withStored(truth: WatchedSlot, change: (stored: Uint8Array) => Uint8Array): WatchedSlot {
  return { ...truth, changes: truth.changes.map((each) => ({ ...each, value: each.value && change(each.value) })) }
}

/** The stored bytes with one of their three numbers (create, mod, version) changed. */
function numbered(which: number, value: number): (truth: WatchedSlot) => WatchedSlot {
  return (truth) =>
    withStored(truth, (stored) => {
      const copy = Uint8Array.from(stored)
      copy[8 * which + 7] = value
      return copy
    })
}

const LIES: readonly (readonly [name: string, lie: WatchLie, fault: string])[] = [
  ['leaves out an event of a key', at(2, () => undefined), 'version 1 of the key is followed by 3'],
  ['leaves out a deletion', at(5, () => undefined), 'version 4 of the key is followed by 1'],
  [
    'leaves out one event of a slot',
    at(5, (truth) => ({ ...truth, changes: truth.changes.slice(1) })),
    'version 4 of the key is followed by 1',
  ],
  ['leaves out the first event', at(1, () => undefined), 'version 0 of the key is followed by 2'],
  [
    'changes a value',
    at(2, (truth) => withStored(truth, (stored) => Uint8Array.of(...stored, 1))),
    'does not account for the event',
  ],
  [
    'turns a put into a deletion',
    at(2, (truth) => ({ ...truth, changes: truth.changes.map((each) => ({ ...each, value: undefined })) })),
    'does not account for the event',
  ],
  [
    'says that a put happened by itself',
    at(2, (truth) => ({ ...truth, changes: truth.changes.map((each) => ({ ...each, index: undefined })) })),
    'does not account for the event',
  ],
  [
    'invents a deletion of a key that is not there',
    at(1, (truth) => ({ ...truth, changes: [{ index: undefined, key: Uint8Array.of(1, 107), value: undefined }] })),
    'deleted that was not there',
  ],
  [
    'tells an event twice',
    at(2, (truth) => ({ ...truth, changes: [...truth.changes, ...truth.changes] })),
    'version 2 of the key is followed by 2',
  ],
  [
    'shows another command for a request',
    at(2, (truth) => ({
      ...truth,
      requests: truth.requests.map((each) => ({
        ...each,
        identity: { kind: 'proof', command: encodeKvCommand(put('k', 'x')), path: [] },
      })),
    })),
    'a request is not in the entry',
  ],
  [
    'names another client for a request',
    at(2, (truth) => ({
      ...truth,
      requests: truth.requests.map((each) => ({ ...each, sequence: each.sequence + 1 })),
    })),
    'a request is not in the entry',
  ],
  [
    'shows too few signatures',
    at(2, ({ certificate, ...truth }) => ({
      ...truth,
      certificate: { ...certificate, signatures: certificate.signatures.slice(1) },
    })),
    'no quorum signed the entry (too-few-signers)',
  ],
  [
    'shows the certificate of another entry',
    at(2, ({ header, ...truth }) => ({ ...truth, header: { ...header, timestampMs: header.timestampMs - 1 } })),
    'no quorum signed the entry (wrong-digest)',
  ],
  ['lets the time go back', at(2, (truth) => ({ ...truth, timestampMs: 1 })), 'the time goes back'],
  ['counts a version too many', at(2, numbered(2, 3)), 'version 1 of the key is followed by 3'],
  ['lets the revision go back', at(3, numbered(1, 1)), 'version and revisions do not fit one another'],
  ['says that the key was made anew', at(3, numbered(0, 2)), 'the key was made anew'],
  [
    'tells the events of a slot in another order',
    at(3, (truth) => ({ ...truth, changes: truth.changes.toReversed() })),
    'the events are out of order',
  ],
  [
    'leaves slots out of its account',
    (truth) => (truth.kind === 'batch' && truth.after > 1 ? { ...truth, after: slot(truth.after + 1) } : truth),
    'watch-gap',
  ],
]

async function watched(lie: WatchLie | undefined) {
  const fakes = new WatchFakes()
  if (lie !== undefined) fakes.lies.set(1, lie)
  const client = await fakes.cluster.connect()
  const watch = client.watch({ prefix: 'k' }, { after: 0, replica: replicaIndex(1) })
  await rounds()
  const seen = follow(watch)
  play(fakes)
  await rounds()
  await client.close()
  await rounds()
  return { watch, seen }
}

describe('a watch of one replica', () => {
  it('tells what happened, and bears it out', async () => {
    const { seen } = await watched(undefined)
    expect(seen.lines).toEqual(TRUTH)
    expect(seen.error).toMatchObject({ code: 'closed' })
  })

  it.each(LIES)('ends when the replica %s', async (_, lie, fault) => {
    const { seen } = await watched(lie)
    expect(seen.error).toBeInstanceOf(WatchEnded)
    expect(seen.error).toMatchObject({ code: 'lied' })
    expect(String(seen.error)).toContain('replica 1')
    expect(String(seen.error)).toContain(fault)
    // What it said before was true, if not the whole truth.
    expect(seen.lines.filter((line) => !TRUTH.includes(line))).toEqual([])
  })

  it('is refused where votes are unsigned, since nothing could be borne out', async () => {
    const fakes = new WatchFakes({ replicas: 3, byzantine: 0, parameters: { signedVotes: false } })
    const client = await fakes.cluster.connect()
    expect(() => client.watch({ key: 'k' }, { replica: replicaIndex(0) })).toThrow(
      'one replica cannot be watched alone',
    )
    await client.close()
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { kv, type StateMachine } from '../../src/machine/index.ts'
import { repairableDamage } from '../../src/replica/damage.ts'
import type { DamagedRecord, Store, StoreRecord } from '../../src/storage/index.ts'
import { ARCHIVE_KINDS, RECORD_KINDS } from '../../src/wire/index.ts'
import { MemoryCluster, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

/** A store that has lost the records for which `lost` holds. */
function damagedStore(store: Store, lost: (record: StoreRecord) => boolean): Store {
  const { recovered } = store
  const damaged = recovered.records
    .filter(lost)
    .map(({ kind, slot: at }, i): DamagedRecord => ({ file: 'log-1', offset: 100 * i, kind, slot: at, needed: true }))
  return {
    recovered: { ...recovered, damaged, records: recovered.records.filter((each) => !lost(each)) },
    get firstSlot() {
      return store.firstSlot
    },
    append: (records, done) => store.append(records, done),
    putSnapshot: (at, meta, chunks) => store.putSnapshot(at, meta, chunks),
    adopt: (key) => store.adopt(key),
    cut: (at) => store.cut(at),
    read: (from, to) => store.read(from, to),
    counters: () => store.counters(),
    close: () => store.close(),
  }
}

const kinds = { ...RECORD_KINDS, ...ARCHIVE_KINDS }

describe('damage', () => {
  it.each(['entry', 'chosen', 'stable', 'evidence', 'receipt'] as const)(
    'to a record of kind %s is repairable',
    (kind) => {
      const record = { file: 'log-1', offset: 7, kind: kinds[kind], slot: 9, needed: true }
      expect(repairableDamage([record], 'data')).toBe(1)
    },
  )

  it.each(['vote', 'promise', 'prepared', 'new-view', 'checkpoint'] as const)(
    'to a %s keeps the replica out',
    (kind) => {
      const record = { file: 'log-1', offset: 7, kind: kinds[kind], slot: 9, needed: true }
      expect(() => repairableDamage([record], 'data')).toThrow(
        /^data: log-1 is damaged at byte 7, .* bring back the folder .*, or retire this replica and its key$/,
      )
    },
  )

  it('to a record of unknown kind keeps the replica out, unless it binds nobody', () => {
    const record = { file: 'log-1', offset: 7, kind: undefined, slot: undefined, needed: true }
    expect(() => repairableDamage([record], 'data')).toThrow('damaged')
    expect(repairableDamage([{ ...record, needed: false }], 'data')).toBe(1)
  })

  it.each(['entry', 'chosen'] as const)('to every %s of a replica is repaired from its peers', async (kind) => {
    let broken = false
    cluster = new MemoryCluster({
      wrapStore: (replica, store) =>
        replica === 2 && broken ? damagedStore(store, (record) => record.kind === kinds[kind]) : store,
    })
    await cluster.start()
    const c = cluster
    const client = await c.client()
    for (let i = 0; i < 12; i++) await client.submit([client.put(`k${i}`, 'v')])
    await until(() => c.running.every((each) => each.status().executed >= 12))
    await c.stop(2)
    broken = true
    await c.start(2)
    expect(c.status(2).executed).toBeLessThan(12)
    await until(() => c.status(2).executed >= 12)
    expect(c.fatal).toEqual([])
  })

  it('to a vote makes the start fail with one sentence, and gives everything back', async () => {
    let broken = false
    cluster = new MemoryCluster({
      wrapStore: (replica, store) =>
        replica === 2 && broken ? damagedStore(store, (record) => record.kind === kinds.vote) : store,
    })
    await cluster.start()
    const c = cluster
    const client = await c.client()
    await client.submit([client.put('k', 'v')])
    await until(() => c.status(2).executed >= 1)
    await c.stop(2)
    broken = true
    await expect(c.start(2)).rejects.toMatchObject({ name: 'StoreError', code: 'damaged' })
    expect(c.fatal).toEqual([])
  })
})

describe('a restart', () => {
  it('remembers its view and its votes in it, though the store wrote the promise of that view again after them', async () => {
    // Long enough that a busy machine does not make it leave the view that it has just remembered.
    cluster = new MemoryCluster({ parameters: { viewTimeoutMs: 2000, viewTimeoutCapMs: 20_000 } })
    await cluster.start()
    const c = cluster
    const client = await c.client()
    await c.stop(0)
    for (let i = 0; i < 3; i++) await client.submit([client.put(`k${i}`, 'v')])
    await until(() => [1, 2, 3].every((i) => c.status(i).executed >= 3 && c.status(i).active && c.status(i).view > 0))
    await c.stop(3)
    const contents = c.contents[3]
    if (contents === undefined) throw new Error('no contents')
    const isPromise = ({ key }: StoreRecord) => key === 'promise'
    contents.records = [...contents.records.filter((each) => !isPromise(each)), ...contents.records.filter(isPromise)]
    expect(contents.records.at(-1)?.key).toBe('promise')
    // Alone, so that nobody can tell it where its view is.
    await c.stop()
    await c.start(3)
    expect(c.status(3).active).toBe(true)
    expect(c.status(3).view).toBeGreaterThan(0)
    await until(() => c.status(3).executed === 3)
  })

  it('does not trust a replayed state that is not the one agreed: it raises an alarm and fetches that', async () => {
    let broken = false
    // In all slots up to the first checkpoint: which of them hold requests is the leader's choice.
    const forgetful: StateMachine = {
      name: kv.name,
      apply: (command, context, store) => (context.slot <= 8 ? new Uint8Array() : kv.apply(command, context, store)),
    }
    cluster = new MemoryCluster({ machine: (replica) => (replica === 2 && broken ? forgetful : kv) })
    await cluster.start()
    const c = cluster
    const client = await c.client()
    for (let i = 0; i < 10; i++) await client.submit([client.put(`k${i}`, 'v')])
    await until(() => c.running.every((each) => each.status().stable >= 8))
    await c.stop(2)
    broken = true
    await c.start(2)
    expect(c.status(2).alarms).toEqual([expect.stringContaining('state-diverged')])
    for (let i = 0; i < 10; i++) await client.submit([client.put(`later ${i}`, 'v')])
    await until(() => c.status(2).stable >= 16 && !c.status(2).transferring)
    await until(() => c.running.every((each) => each.status().stable === c.status(2).stable))
    for (const replica of c.running) expect(replica.status().stateRoot).toEqual(c.status(2).stateRoot)
    expect(c.status(2).alarms).toHaveLength(1)
  })
})

// What it costs to make something durable: appends of 1 KiB one by one and several at once, with and without syncs, against a
// bare append and fdatasync to a file; a snapshot; and opening a store again.

import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Durability, openStore, type Store, type StoreOptions } from '../src/storage/index.ts'
import type { Case, Plan, Suite } from './measure.ts'

const BATCH_BYTES = 1024
const AT_ONCE = 16
/** Appends between two cuts, which keep the disk from filling. */
const CUT_INTERVAL = 4096
const CHUNK_BYTES = 256 * 1024

export const storageSuite: Suite = async ({ quick }) => {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-bench-'))
  const logBytes = quick ? 256 * 1024 : 12 * 1024 * 1024
  const chunks = quick ? 2 : 64
  const [synced, written] = [await Appender.open(folder, 'fsync'), await Appender.open(folder, 'os')]
  const bare = await bareAppender(join(folder, 'bare'))
  const full = await filledStore(folder, logBytes)
  const plan: Plan = {
    settings: { 'bytes an append': BATCH_BYTES, 'appends at once': AT_ONCE, 'snapshot bytes': chunks * CHUNK_BYTES },
    groups: [
      [
        { name: 'bare append and fdatasync', unit: 'us', operations: 1, call: bare.append },
        { name: 'fsync: append, one by one', unit: 'us', operations: 1, call: () => synced.append() },
        { name: `fsync: append, ${AT_ONCE} at once`, unit: 'us', operations: AT_ONCE, call: () => synced.appendMany() },
        { name: 'os: append, one by one', unit: 'us', operations: 1, call: () => written.append() },
        { name: `os: append, ${AT_ONCE} at once`, unit: 'us', operations: AT_ONCE, call: () => written.appendMany() },
      ],
      [
        rate('fsync: appends, one by one', 1, () => synced.append()),
        rate(`fsync: appends, ${AT_ONCE} at once`, AT_ONCE, () => synced.appendMany()),
        rate('os: appends, one by one', 1, () => written.append()),
        rate(`os: appends, ${AT_ONCE} at once`, AT_ONCE, () => written.appendMany()),
      ],
      [
        { name: 'fsync: put a snapshot', unit: 'us', operations: 1, call: () => synced.snapshot(chunks) },
        { name: `open a store of ${logBytes / 1024} KiB`, unit: 'us', operations: 1, call: () => reopen(full) },
      ],
    ],
    ratios: [
      {
        name: 'append one by one: store / bare',
        dividend: 'fsync: append, one by one',
        divisor: 'bare append and fdatasync',
      },
    ],
    async close() {
      await Promise.all([synced.close(), written.close(), bare.close()])
      await rm(folder, { recursive: true })
    },
  }
  return plan
}

function rate(name: string, operations: number, call: () => Promise<void>): Case {
  return { name, unit: '/s', operations, call }
}

function optionsFor(path: string, durability: Durability): StoreOptions {
  const onFailure = (error: Error) => {
    throw error
  }
  const identity = { clusterId: new Uint8Array(32), replica: 0, consensusKey: new Uint8Array(32) }
  return { path, identity, durability, create: true, onFailure }
}

class Appender {
  private readonly store: Store
  private readonly bytes = new Uint8Array(BATCH_BYTES).fill(7)
  private slot = 1

  private constructor(store: Store) {
    this.store = store
  }

  static async open(folder: string, durability: Durability): Promise<Appender> {
    return new Appender(await openStore(optionsFor(join(folder, durability), durability)))
  }

  append(): Promise<void> {
    const slot = this.slot++
    if (slot % CUT_INTERVAL === 0) this.store.cut(slot - 1)
    return new Promise((done) => this.store.append([{ kind: 1, slot, bytes: this.bytes }], done))
  }

  async appendMany(): Promise<void> {
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.append()))
  }

  async snapshot(chunks: number): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES).fill(7)
    await this.store.putSnapshot(
      this.slot,
      this.bytes,
      Array.from({ length: chunks }, () => chunk),
    )
  }

  async close(): Promise<void> {
    await this.store.close()
  }
}

/** What the store is held against: the same bytes at the end of a file, and its sync. */
async function bareAppender(path: string): Promise<{ append(): Promise<void>; close(): Promise<void> }> {
  const file = await open(path, 'w')
  const bytes = new Uint8Array(BATCH_BYTES).fill(7)
  let position = 0
  return {
    async append() {
      await file.write(bytes, 0, bytes.length, position)
      position += bytes.length
      await file.datasync()
    },
    close: () => file.close(),
  }
}

/** The options of a closed store with so much in its log. */
async function filledStore(folder: string, bytes: number): Promise<StoreOptions> {
  const options = optionsFor(join(folder, 'full'), 'os')
  const store = await openStore(options)
  const records = Array.from({ length: bytes / BATCH_BYTES }, (_, i) => ({
    ...{ kind: 1, slot: i + 1 },
    bytes: new Uint8Array(BATCH_BYTES - 64).fill(7),
  }))
  for (let i = 0; i < records.length; i += AT_ONCE) {
    await new Promise<void>((done) => store.append(records.slice(i, i + AT_ONCE), done))
  }
  await store.close()
  return options
}

async function reopen(options: StoreOptions): Promise<void> {
  await (await openStore(options)).close()
}

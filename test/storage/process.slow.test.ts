// Real processes and the real disk.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { openStore, type Store, type StoreOptions } from '../../src/storage/index.ts'
import { SEGMENT_BYTES } from '../../src/storage/limits.ts'
import { append, slotsOf } from './compliance.ts'
import { bytesOf, IDENTITY, keyed, lengthOf, textOf, vote } from './records.ts'

const WRITER = fileURLToPath(new URL('./writer-process.ts', import.meta.url))

const children: ChildProcess[] = []
const folders: string[] = []

afterEach(async () => {
  for (const child of children.splice(0)) await killed(child)
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function newPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-process-'))
  folders.push(folder)
  return join(folder, 'store')
}

function openAt(path: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  const onFailure = (error: Error) => {
    throw error
  }
  return openStore({ path, identity: IDENTITY, durability: 'fsync', create: false, onFailure, ...options })
}

/** Lines of a new process, and the process. */
function writer(...args: readonly string[]): { readonly child: ChildProcess; readonly lines: AsyncIterable<string> } {
  const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return { child, lines: createInterface({ input: child.stdout }) }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function firstLine(lines: AsyncIterable<string>): Promise<string | undefined> {
  for await (const line of lines) return line
  return undefined
}

describe('kill -9 in the middle of appends', () => {
  it.each(['fsync', 'os'])('loses nothing that was acknowledged, in life after life (%s)', async (durability) => {
    const path = await newPath()
    let [next, cut, promised] = [1, 0, 0]
    for (let life = 0; life < 6; life++) {
      const { child, lines } = writer(path, durability, String(next))
      const goal = next + 150 * (life + 1)
      let opened = false
      for await (const line of lines) {
        const [what, number] = line.split(' ')
        if (what === 'open') opened = true
        if (what === 'append') next = Number(number) + 1
        if (what === 'promise') promised = Number(number)
        if (what === 'cut') cut = Number(number)
        // Lines that were written before the end still come.
        if (next > goal) child.kill('SIGKILL')
      }
      await killed(child)
      expect({ opened, code: child.exitCode, signal: child.signalCode }).toEqual({
        opened: true,
        code: null,
        signal: 'SIGKILL',
      })
      const store = await openAt(path)
      const { recovered } = store
      const texts = new Set(recovered.records.map(textOf))
      expect(recovered.damaged).toEqual([])
      for (let slot = cut + 1; slot < next; slot++) expect(texts).toContain(textOf(vote(slot, lengthOf(slot))))
      const promises = recovered.records.filter(({ key }) => key === 'promise')
      expect(promises).toHaveLength(1)
      expect(Number(promises.map(({ bytes }) => Buffer.from(bytes)))).toBeGreaterThanOrEqual(promised)
      if (cut > 0) expect(recovered.snapshot?.slot).toBeGreaterThanOrEqual(cut)
      // What was appended and not acknowledged may be there, and is not appended again under the same slot.
      next = Math.max(next, ...recovered.records.map(({ slot }) => slot + 1))
      await store.close()
    }
    expect(next).toBeGreaterThan(2000)
    expect(cut).toBeGreaterThan(0)
    expect(promised).toBeGreaterThan(0)
  })
})

describe('a lock', () => {
  it('names the process that has it, and goes with it however it ends', async () => {
    const path = await newPath()
    const { child, lines } = writer(path, 'fsync', 'hold')
    expect(await firstLine(lines)).toBe('open')
    await expect(openAt(path)).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`process ${child.pid} has ${path} open`),
    })
    await killed(child)
    await (await openAt(path)).close()
  })

  it('is taken by one of many that start at once', async () => {
    const path = await newPath()
    const first = await Promise.all([1, 2, 3, 4, 5, 6].map(() => firstLine(writer(path, 'fsync', 'hold').lines)))
    expect(first.filter((line) => line === 'open')).toHaveLength(1)
    expect(first.filter((line) => line?.startsWith('locked'))).toHaveLength(5)
  })
})

describe('under load', () => {
  it('the disk holds no more than what retention asks for, what is above the cut, two segments and two snapshots', async () => {
    const path = await newPath()
    const retention = { bytes: 4 * SEGMENT_BYTES }
    const store = await openAt(path, { create: true, durability: 'os', retention })
    const slotBytes = 256 * 1024
    const interval = 16
    const snapshotBytes = 1024 * 1024
    // A slot above the cut, at most an interval of them, and one more segment that a cut has not passed yet.
    const bound = retention.bytes + 2 * SEGMENT_BYTES + 2 * interval * slotBytes + 2 * snapshotBytes
    for (let slot = 1; slot <= 4096; slot++) {
      await append(store, [
        { kind: 1, slot, bytes: new Uint8Array(slotBytes).fill(slot) },
        keyed('promise', slot % 256),
      ])
      if (slot % interval !== 0) continue
      await store.putSnapshot(slot, bytesOf(1), [bytesOf(slot % 256, snapshotBytes - 4096)])
      store.cut(slot)
      expect(store.counters().bytesOnDisk).toBeLessThanOrEqual(bound)
    }
    expect(store.counters().bytesWritten).toBeGreaterThan(10 * bound)
    const kept = await slotsOf(store, store.firstSlot, 4096)
    expect(kept.length * slotBytes).toBeGreaterThanOrEqual(retention.bytes - SEGMENT_BYTES)
    await store.close()
    const sizes = await Promise.all((await readdir(path)).map(async (name) => (await stat(join(path, name))).size))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(bound)
  })
})

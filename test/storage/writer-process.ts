// A process that appends to a store until it is killed, and says on its standard output what was acknowledged, one line each:
// `open`, `locked PID`, `append SLOT`, `promise SLOT`, `cut SLOT`. Arguments: folder, durability, `hold` or the first slot.

import { writeSync } from 'node:fs'
import { openStore, StoreError, type StoreOptions } from '../../src/storage/index.ts'
import { bytesOf, IDENTITY, lengthOf, promise, vote } from './records.ts'

const [path = '', durability = 'fsync', what = '1'] = process.argv.slice(2)

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

try {
  const store = await openStore({
    ...{ path, identity: IDENTITY, create: true },
    durability: durability === 'os' ? 'os' : 'fsync',
    onFailure: (error) => {
      throw error
    },
  } satisfies StoreOptions)
  say('open')
  let next = Number(what)
  let writing = false
  if (what === 'hold') setInterval(() => {}, 1000)
  // So many appends are under way at once.
  else for (let i = 0; i < 6; i++) appendNext()

  function appendNext(): void {
    const slot = next++
    store.append([vote(slot, lengthOf(slot))], () => {
      say(`append ${slot}`)
      appendNext()
    })
    if (slot % 5 === 0) store.append([promise(slot)], () => say(`promise ${slot}`))
    if (slot % 100 === 0 && !writing) void cutAt(slot - 50)
  }

  async function cutAt(slot: number): Promise<void> {
    writing = true
    await store.putSnapshot(slot, bytesOf(1), [bytesOf(2, 5000)])
    writing = false
    store.cut(slot)
    say(`cut ${slot}`)
  }
} catch (error) {
  if (!(error instanceof StoreError && error.code === 'locked')) throw error
  say(`locked ${/process (\d+)/.exec(error.message)?.[1]}`)
}

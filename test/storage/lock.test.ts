// The lock of a store against a rival that is between the steps in which SQLite takes it.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LOCK_FILE, lockFolder } from '../../src/storage/lock.ts'

/** Holds the first step, a shared lock, until it hears a word; then gives it back, as one does who finds the second step taken. */
const RIVAL = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { DatabaseSync } = require('node:sqlite')
  const database = new DatabaseSync(workerData)
  database.exec('BEGIN')
  database.prepare('SELECT * FROM sqlite_master').all()
  parentPort.once('message', () => database.close())
  parentPort.postMessage('holds')
`

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-lock-'))
})

afterEach(() => rm(folder, { recursive: true }))

it('a lock is not refused for a rival that is about to be refused it', async () => {
  const rival = new Worker(RIVAL, { eval: true, workerData: join(folder, LOCK_FILE) })
  await once(rival, 'message')
  rival.postMessage('give it back')
  const lock = lockFolder(folder)
  expect(() => lockFolder(folder)).toThrow(`process ${process.pid} has ${folder} open`)
  lock.release()
  await once(rival, 'exit')
})

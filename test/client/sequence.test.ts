import { fork } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SEQUENCE_BLOCK, SEQUENCE_RESERVE, SEQUENCE_SPAN, STATE_SEATS } from '../../src/client/limits.ts'
import {
  clockSequence,
  clockSequences,
  exclusiveSequences,
  type Sequences,
  sharedSequences,
} from '../../src/client/sequence.ts'
import { SESSION_WINDOW } from '../../src/machine/index.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-sequence-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

let files = 0
const place = () => join(root, `folder-${files++}`, 'state')

async function take(sequences: Sequences, count = 1): Promise<number[]> {
  const numbers: number[] = []
  while (numbers.length < count) {
    if (sequences.peek() === undefined) await sequences.reserve(1)
    numbers.push(sequences.next())
  }
  return numbers
}

/** What the file says is reserved. */
async function reserved(path: string): Promise<number> {
  return Number((await readFile(path, 'utf8')).trim().split(' ')[1])
}

/** The number of a process that is no more. */
async function deadProcess(): Promise<number> {
  const child = fork('-', [], { stdio: 'ignore', execArgv: ['--eval', '0'] })
  await new Promise((resolve) => child.once('exit', resolve))
  return child.pid ?? 0
}

describe('numbers from a file', () => {
  it('begin at the clock, go up by one, and are reserved before they are given', async () => {
    const path = place()
    const sequences = await exclusiveSequences(path)
    const before = Date.now() * 1000
    const numbers = await take(sequences, 3 * SEQUENCE_BLOCK)
    expect(numbers[0]).toBeGreaterThanOrEqual(before)
    for (const [i, number] of numbers.entries()) expect(number).toBe((numbers[0] ?? 0) + i)
    expect(await reserved(path)).toBeGreaterThanOrEqual(numbers.at(-1) ?? Number.POSITIVE_INFINITY)
    await sequences.close()
  })

  it('go on above what a crashed process had reserved, within what the cluster still tells apart', async () => {
    const path = place()
    const crashed = await exclusiveSequences(path)
    const used = await take(crashed, 700)
    // Its lock stays behind, as that of a process that was killed.
    const dead = await deadProcess()
    await writeFile(`${path}.lock`, `${hostname()} ${dead} - left-behind\n`)
    const next = await exclusiveSequences(path)
    const [first = 0] = await take(next)
    const last = used.at(-1) ?? 0
    expect(first).toBeGreaterThan(last)
    expect(first - last).toBeLessThanOrEqual(SEQUENCE_BLOCK + SEQUENCE_RESERVE + 1)
    // The oldest that was under way at the crash is in the window of the first new one.
    expect(last - SEQUENCE_SPAN + 1).toBeGreaterThanOrEqual(first - SESSION_WINDOW + 1)
    await next.close()
  })

  it('are not given to a second process, which is told whom it waits for', async () => {
    const path = place()
    const holder = await exclusiveSequences(path)
    await expect(exclusiveSequences(path)).rejects.toMatchObject({
      ...{ name: 'ClientError', code: 'state-file-in-use' },
      message: expect.stringContaining(`${path} is in use by process ${process.pid} on ${hostname()}`),
    })
    await holder.close()
    await (await exclusiveSequences(path)).close()
  })

  it('are given again after a process died whose number another one has now', async () => {
    const path = place()
    await (await exclusiveSequences(path)).close()
    await writeFile(`${path}.lock`, `${hostname()} ${process.pid} 12 left-behind\n`)
    await (await exclusiveSequences(path)).close()
  })

  it('are not given where the lock is held on another machine', async () => {
    const path = place()
    await (await exclusiveSequences(path)).close()
    await writeFile(`${path}.lock`, 'elsewhere 1 - x\n')
    await expect(exclusiveSequences(path)).rejects.toThrow('process 1 on elsewhere')
  })

  it('are not given any more once somebody removed the lock', async () => {
    const path = place()
    const robbed = await exclusiveSequences(path)
    await rm(`${path}.lock`)
    const other = await exclusiveSequences(path)
    await expect(robbed.reserve(1)).rejects.toMatchObject({ code: 'state-file-in-use' })
    expect(await take(other)).toHaveLength(1)
    await robbed.close()
    await expect(exclusiveSequences(path)).rejects.toThrow('is in use')
    await other.close()
  })

  it.each(['', 'garbage\n', 'quorate-client-state-v1 -5\n', 'quorate-client-state-v1 99999999999999999\n'])(
    'are not made of a file that holds %j',
    async (text) => {
      const path = place()
      await (await exclusiveSequences(path)).close()
      await writeFile(path, text)
      const opened = exclusiveSequences(path)
      await expect(opened).rejects.toMatchObject({ name: 'ClientError', code: 'state-file' })
      await expect(stat(`${path}.lock`)).rejects.toMatchObject({ code: 'ENOENT' })
    },
  )

  it('jump above what the cluster has seen', async () => {
    const path = place()
    const sequences = await exclusiveSequences(path)
    const [first = 0] = await take(sequences)
    sequences.advance(first + 10_000)
    expect(await take(sequences, 2)).toEqual([first + 10_001, first + 10_002])
    expect(await reserved(path)).toBeGreaterThanOrEqual(first + 10_002)
    await sequences.close()
  })
})

describe('a state file that several use', () => {
  it('gives everybody other numbers, without gaps', async () => {
    const path = place()
    const runs = Array.from({ length: 50 }, async () => {
      const sequences = await sharedSequences(path)
      const numbers = await take(sequences, 2)
      await sequences.close()
      return numbers
    })
    const numbers = (await Promise.all(runs)).flat()
    expect(new Set(numbers).size).toBe(100)
    expect(Math.max(...numbers) - Math.min(...numbers)).toBe(99)
    expect(await readdir(dirname(path))).toEqual(['state'])
  })

  it('lets so many be connected at once as a replica takes, and the next one when somebody leaves', async () => {
    const path = place()
    const first = await Promise.all(Array.from({ length: STATE_SEATS }, () => sharedSequences(path)))
    const stop = new AbortController()
    const given = sharedSequences(path, stop.signal)
    const patient = sharedSequences(path)
    stop.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await first[3]?.close()
    await (await patient).close()
    await Promise.all(first.map((sequences) => sequences.close()))
  })

  it('reserves as many at once as are wanted', async () => {
    const sequences = await sharedSequences(place())
    await sequences.reserve(5)
    expect(await take(sequences, 5)).toHaveLength(5)
    expect(sequences.peek()).toBeUndefined()
    await sequences.close()
  })
})

describe('numbers from the clock', () => {
  it('go up by one from a microsecond of now, below 2^53, and jump above what the cluster has seen', async () => {
    const sequences = clockSequences(clockSequence(Date.UTC(2250, 0), 0.999))
    const [first = 0, second] = await take(sequences, 2)
    expect(first).toBeLessThan(Number.MAX_SAFE_INTEGER)
    expect(second).toBe(first + 1)
    sequences.advance(first + 7)
    expect(await take(sequences)).toEqual([first + 8])
  })
})

// `quorate lock` and `quorate elect` against a cluster of real processes.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'

const BIN = join(import.meta.dirname, '../../src/cli/quorate.js')

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-lock-'))
  cluster = await LocalCluster.make({
    folder: join(root, 'cluster'),
    replicas: 4,
    clients: 2,
    parameters: { clockDriftMs: 500 },
  })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

class Run {
  readonly child: ChildProcess
  out = ''
  error = ''

  constructor(...args: string[]) {
    const environment = { ...process.env, QUORATE_CLUSTER: cluster.folder }
    this.child = spawn(process.execPath, [BIN, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout?.on('data', (part: Buffer) => {
      this.out += part.toString()
    })
    this.child.stderr?.on('data', (part: Buffer) => {
      this.error += part.toString()
    })
  }

  get exit(): Promise<number | null> {
    const { child } = this
    if (child.exitCode !== null) return Promise.resolve(child.exitCode)
    return new Promise((resolve) => child.once('close', resolve))
  }

  async says(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}: ${this.error}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** Prints the token, and ends so. */
const PRINT = `console.log(process.env.QUORATE_FENCING_TOKEN, process.env.QUORATE_FENCING_TOKEN_FILE); process.exit(3)`
/** Long enough; it must not stay behind when `quorate lock` is killed. */
const FOR_EVER = `console.log('running'); setTimeout(() => {}, 60_000)`
const node = (program: string) => ['--', process.execPath, '-e', program]

describe('quorate lock', () => {
  it('runs a command with the token of its turn, passes its exit code on, and lets the next one have a greater token', async () => {
    const numbers: number[] = []
    for (const file of ['a.jsonl', 'b.jsonl'].map((name) => join(root, name))) {
      const run = new Run('lock', 'db', '--token', file, ...node(PRINT))
      expect(await run.exit).toBe(3)
      const [number, named] = run.out.trim().split(' ')
      expect(named).toBe(file)
      numbers.push(Number(number))
      const genesis = join(cluster.folder, 'genesis.json')
      const checked = new Run('audit', 'verify', file, '--genesis', genesis, '--lock', 'db')
      expect(await checked.exit).toBe(0)
      expect(checked.out).toContain(`fencing token ${number} `)
    }
    expect(numbers[1]).toBeGreaterThan(numbers[0] ?? Number.NaN)
  })

  it('keeps the token of a run for which none was asked only as long as that takes', async () => {
    const run = new Run('lock', 'db', ...node(PRINT))
    expect(await run.exit).toBe(3)
    await expect(readFile(run.out.trim().split(' ')[1] ?? '')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('of a process that was killed goes to the one that waits, after its time', async () => {
    const first = new Run('lock', 'db', '--ttl', '8', ...node(FOR_EVER))
    await first.says('running')
    const second = new Run('lock', 'db', '--client', 'writer-1', ...node(PRINT))
    first.child.kill('SIGKILL')
    expect(await second.exit).toBe(3)
  })

  it('stops the command, lets the lock go and ends with it when it is told to end itself', async () => {
    const run = new Run('lock', 'db', ...node(FOR_EVER))
    await run.says('running')
    run.child.kill('SIGTERM')
    expect(await run.exit).toBe(128 + 15)
    expect(await new Run('lock', 'db', ...node(PRINT)).exit).toBe(3)
  })
})

describe('quorate elect', () => {
  it('says when it leads, and resigns when it is interrupted, so that the next one leads', async () => {
    const first = new Run('elect', 'boss', '--value', 'one')
    await first.says('leading boss with token ')
    const second = new Run('elect', 'boss', '--value', 'two', '--client', 'writer-1', '--json')
    first.child.kill('SIGINT')
    expect(await first.exit).toBe(0)
    expect(first.out).toContain('resigned from boss')
    await second.says('"event":"elected"')
    second.child.kill('SIGINT')
    expect(await second.exit).toBe(0)
    expect(second.error).toBe('')
  })
})

describe('a lock whose cluster is gone', () => {
  it('is lost: the command is told to stop, and the exit code is 1 with a sentence', async () => {
    const run = new Run('lock', 'db', '--ttl', '8', ...node(FOR_EVER))
    await run.says('running')
    await Promise.all(cluster.indexes.map((index) => cluster.kill(index)))
    expect(await run.exit).toBe(1)
    expect(run.out).toContain('the lock db was lost while ')
  })
})

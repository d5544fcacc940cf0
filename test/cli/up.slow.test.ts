// `quorate up` and `quorate replica` as a user runs them: processes, signals, and what is said when something is in the way.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePorts } from '../../src/cli/launch/ports.ts'

const BIN = join(import.meta.dirname, '../../src/cli/quorate.js')

const REFUSES_WITHIN_MS = 60_000

let root: string
let cluster: string
let started: ChildProcess[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-up-'))
  cluster = join(root, 'cluster')
  started = []
})

afterEach(async () => {
  for (const child of started) child.kill('SIGKILL')
  for (const replica of replicasLeft()) process.kill(Number.parseInt(replica, 10), 'SIGKILL')
  await rm(root, { recursive: true, force: true })
})

function quorate(...args: string[]) {
  // What should refuse and runs instead would hold the test for ever.
  const options = { encoding: 'utf8', cwd: root, timeout: REFUSES_WITHIN_MS } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], options)
  return { status, stdout, stderr }
}

async function keygen(replicas: number): Promise<string[]> {
  const addresses = (await freePorts(replicas)).map((port) => `/ip4/127.0.0.1/tcp/${port}`)
  await writeFile(join(root, 'addresses'), addresses.join('\n'))
  const made = quorate('keygen', cluster, '--replicas', String(replicas), '--addresses', join(root, 'addresses'))
  expect(made).toMatchObject({ status: 0, stderr: '' })
  return addresses
}

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly errors: () => string
  /** Resolves with the first line of standard output that fits. */
  line(fits: (line: string) => boolean): Promise<string>
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const lines: string[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  return {
    ...{ child, ended, errors: () => errors },
    line: (fits) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find(fits)
          if (found !== undefined) {
            waiting.delete(look)
            resolve(found)
          }
        }
        waiting.add(look)
        void ended.then((code) => reject(new Error(`ended with ${code}; said ${lines.join('\n')}; errors ${errors}`)))
        look()
      }),
  }
}

interface Table {
  readonly replicas: readonly { replica: number; state: string; liar: string; connected?: number[]; view?: number }[]
}

const tableOf = (line: string): Table => JSON.parse(line)
const allRun = (line: string) =>
  tableOf(line).replicas.every(({ state, connected }) => state === 'running' && connected?.length === 3)

/** Processes whose command line names this keyset: process id, then the command line. */
function replicasLeft(): string[] {
  const list = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
  return list.split('\n').filter((line) => line.includes(`replica ${cluster} `))
}

async function noneLeft(): Promise<void> {
  while (replicasLeft().length > 0) await new Promise((resolve) => setTimeout(resolve, 50))
}

describe('quorate up', () => {
  it('runs every replica, says who lies, and stops them all on SIGINT', async () => {
    await keygen(4)
    const up = start('up', cluster, '--json', '--liar', '2=mute')
    const table = tableOf(await up.line(allRun))
    expect(table.replicas.map(({ liar }) => liar)).toEqual(['', '', 'mute', ''])
    up.child.kill('SIGINT')
    expect(await up.ended).toBe(0)
    expect(replicasLeft()).toEqual([])
  })

  it('leaves no replica behind when it is killed', async () => {
    await keygen(4)
    const up = start('up', cluster, '--json')
    await up.line(allRun)
    expect(replicasLeft()).toHaveLength(4)
    up.child.kill('SIGKILL')
    await up.ended
    await noneLeft()
  })

  it('shows a replica that dies, and starts it for nobody', async () => {
    await keygen(4)
    const up = start('up', cluster)
    await up.line((line) => line.startsWith('4 of 4 run'))
    const [victim = ''] = replicasLeft().filter((line) => line.includes('--index 3'))
    process.kill(Number.parseInt(victim, 10), 'SIGKILL')
    expect(await up.line((line) => line.includes('replica 3 has stopped'))).toContain('(killed by SIGKILL)')
    await up.line((line) => line.startsWith('3 of 4 run'))
    up.child.kill('SIGTERM')
    expect(await up.ended).toBe(1)
  })

  it('says in one sentence that a port is in use, and leaves nothing running', async () => {
    const [, address = ''] = await keygen(2)
    const port = Number(address.split('/').at(-1))
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const run = quorate('up', cluster)
    server.close()
    expect(run).toMatchObject({ status: 1, stdout: '' })
    expect(run.stderr).toMatch(
      new RegExp(`quorate: replica 1 did not start \\(.*port ${port} on 127\\.0\\.0\\.1 is already in use`),
    )
    expect(run.stderr).not.toMatch(/\n\s+at /)
    expect(replicasLeft()).toEqual([])
  })
})

describe('quorate replica', () => {
  it('runs until SIGTERM, starts again on its store, and never on an empty one', async () => {
    const [address] = await keygen(1)
    for (let round = 0; round < 2; round++) {
      const replica = start('replica', cluster, '--index', '0')
      await replica.line((line) => line.startsWith('replica 0 of cluster-'))
      replica.child.kill('SIGTERM')
      expect(await replica.ended).toBe(0)
    }
    await rename(join(cluster, 'replica-0/data'), join(root, 'moved'))
    const lost = quorate('replica', cluster, '--index', '0')
    expect(lost).toMatchObject({ status: 1, stdout: '' })
    expect(lost.stderr).toContain('replica 0 has voted before, but there is no store in')
    const place = `--index 1 --replace 0 --address ${address}`
    expect(lost.stderr).toContain(`put a new replica in its place: quorate member join --cluster ${cluster} ${place}`)
    expect(existsSync(join(cluster, 'replica-0/data'))).toBe(false)
    const elsewhere = quorate('replica', cluster, '--index', '0', '--data', join(root, 'elsewhere'))
    expect(elsewhere.status).toBe(1)
    await rename(join(root, 'moved'), join(cluster, 'replica-0/data'))
    const again = start('replica', cluster, '--index', '0')
    await again.line((line) => line.startsWith('replica 0 of cluster-'))
  })

  it('refuses a store of another cluster', async () => {
    await keygen(1)
    const first = start('replica', cluster, '--index', '0')
    await first.line((line) => line.startsWith('replica 0 of cluster-'))
    first.child.kill('SIGTERM')
    await first.ended
    const data = join(cluster, 'replica-0/data')
    cluster = join(root, 'other')
    await keygen(1)
    const run = quorate('replica', cluster, '--index', '0', '--data', data)
    expect(run).toMatchObject({ status: 1, stdout: '' })
    expect(run.stderr).toMatch(/^quorate: .*another/)
  })
})

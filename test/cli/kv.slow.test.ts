// The commands on keys against a cluster of real processes.

import { spawn } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadClientKey, loadGenesis } from '../../keys/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { main } from '../../src/cli/main.ts'
import { connect } from '../../src/client/index.ts'
import { quorateIn } from './run.ts'

const BIN = join(import.meta.dirname, '../../src/cli/quorate.js')

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-kv-'))
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 2 })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const quorate = (...args: string[]) => quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args)

/** With `--json`, and read. */
async function facts(...args: string[]) {
  const { code, out, error } = await quorate(...args, '--json')
  return { code, ...JSON.parse(out === '' ? error : out) }
}

async function connectAdmin() {
  const genesis = await loadGenesis(join(cluster.folder, 'genesis.json'))
  const folder = join(cluster.folder, 'client-admin')
  const { signer, seed } = await loadClientKey(folder, genesis)
  // Numbered like the commands' requests, which come after.
  return connect({ genesis, key: signer, seed, stateFile: join(folder, 'sequence'), shareStateFile: true })
}

/** As a user runs it, with something on standard input. */
async function piped(input: Uint8Array, ...args: string[]) {
  const environment = { ...process.env, QUORATE_CLUSTER: cluster.folder }
  const child = spawn(process.execPath, [BIN, ...args], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  child.stdin.end(input)
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { code, out: Buffer.concat(parts).toString() }
}

describe('the commands on keys', () => {
  it('store, read and delete', async () => {
    const put = await quorate('put', 'greeting', 'hello')
    expect(put).toMatchObject({ code: 0, error: '' })
    expect(put.out).toMatch(/^revision 1, agreed in slot [0-9]+ and signed by replicas [0-3], [0-3]\n$/)
    expect(await quorate('get', 'greeting')).toEqual({ code: 0, out: 'hello\n', error: '' })
    expect(await facts('get', 'greeting')).toMatchObject({ code: 0, found: true, value: 'hello', version: 1 })
    expect(await facts('del', 'greeting')).toMatchObject({ code: 0, deleted: true })
    expect(await quorate('get', 'greeting')).toEqual({ code: 1, out: 'there is no key greeting\n', error: '' })
    expect(await facts('get', 'greeting')).toMatchObject({ code: 1, found: false })
    expect(await quorate('del', 'greeting')).toEqual({ code: 0, out: 'there was no such key\n', error: '' })
  })

  it('take and give bytes that are no text', async () => {
    expect(await facts('put', 'AP8=', '/wD+', '--base64')).toMatchObject({ code: 0 })
    expect(await quorate('get', 'AP8=', '--base64')).toMatchObject({ code: 0, out: '/wD+\n' })
    expect(await facts('get', 'AP8=', '--base64')).toMatchObject({ valueBase64: '/wD+', keyBase64: 'AP8=' })
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(await piped(bytes, 'put', 'all-bytes', '-')).toMatchObject({ code: 0 })
    expect(await facts('get', 'all-bytes')).toMatchObject({ valueBase64: Buffer.from(bytes).toString('base64') })
    const shown = await quorate('get', 'all-bytes')
    expect(shown).toMatchObject({ code: 2, out: '' })
    expect(shown.error).toContain('the value has 256 bytes that are no text; print them with --base64')
  })

  it('read from a quorum, and from one replica with a proof that holds offline', async () => {
    const { checkpointInterval } = (await loadGenesis(join(cluster.folder, 'genesis.json'))).parameters
    await quorate('put', 'read/me', 'here')
    expect(await facts('get', 'read/me', '--read', 'quorum')).toMatchObject({
      ...{ code: 0, found: true, value: 'here', mode: 'quorum' },
      replicas: expect.arrayContaining([expect.any(Number)]),
    })
    expect(await facts('get', 'read/me')).toMatchObject({ value: 'here', mode: 'ordered', signers: expect.anything() })
    expect(await quorate('get', 'read/no', '--read', 'quorum')).toMatchObject({ code: 1 })
    expect((await quorate('range', 'read/', '--read', 'quorum')).out).toBe('read/me  here\n')

    const client = await connectAdmin()
    for (let slot = 0; slot < checkpointInterval; ) slot = (await client.put('fill', 'x')).slot
    await client.close()
    const proof = join(root, 'proof.jsonl')
    const stale = ['--read', 'stale', '--proof', proof]
    const read = await facts('get', 'read/me', ...stale)
    expect(read).toMatchObject({
      code: 0,
      value: 'here',
      mode: 'stale',
      slot: expect.any(Number),
      ageMs: expect.any(Number),
    })
    const genesis = ['--genesis', join(cluster.folder, 'genesis.json')]
    const verified = await facts('audit', 'verify', proof, ...genesis)
    expect(verified).toMatchObject({
      code: 0,
      valid: true,
      shown: [{ key: 'read/me', value: 'here', checkpoint: read.slot }],
    })
    expect(await quorate('get', 'read/no', ...stale)).toMatchObject({ code: 1 })
    expect(await facts('audit', 'verify', proof, ...genesis)).toMatchObject({ shown: [{ present: false }] })

    const old = await quorate('get', 'read/me', '--read', 'stale', '--max-age', '0')
    expect(old).toMatchObject({
      code: 1,
      error: expect.stringMatching(/no replica proved a state of the last 0 s: the newest/),
    })
  })

  it('list a prefix or a range, and say when there is more', async () => {
    for (const key of ['list/a', 'list/b', 'list/c', 'lisu']) await quorate('put', key, `of ${key}`)
    expect((await quorate('range', 'list/')).out).toBe('list/a  of list/a\nlist/b  of list/b\nlist/c  of list/c\n')
    expect((await quorate('range', 'list/b', '--end', 'lisu', '--keys-only')).out).toBe('list/b\nlist/c\n')
    expect((await quorate('range', 'list/', '--limit', '2')).out).toMatch(
      /list\/b\nthere are more: --limit left them out\n$/,
    )
    expect(await facts('range', 'list/', '--count-only')).toMatchObject({ count: 3, more: false, entries: [] })
    expect((await quorate('range', 'nothing/')).out).toBe('\n')
  })

  it('make a transaction of a file or of standard input', async () => {
    const file = join(root, 'once.json')
    const once = {
      compares: [{ key: 'once', target: 'version', relation: '=', number: 0 }],
      success: [{ kind: 'put', key: 'once', value: '1' }],
      failure: [{ kind: 'get', key: 'once' }],
    }
    await writeFile(file, JSON.stringify(once))
    expect(await facts('txn', file)).toMatchObject({ code: 0, succeeded: true, responses: [{ kind: 'put' }] })
    const again = await piped(await readFile(file), 'txn', '-')
    expect(again.code).toBe(0)
    expect(again.out).toMatch(/^not all comparisons held: failure \(slot [0-9]+\)\n {2}get: 1\n$/)
  })

  it('keep a receipt that the auditor accepts with nothing but the genesis', async () => {
    const file = join(root, 'receipt.jsonl')
    expect(await quorate('put', 'kept', 'x', '--receipt', file)).toMatchObject({ code: 0 })
    const verified = await quorate('audit', 'verify', file, '--genesis', join(cluster.folder, 'genesis.json'))
    expect(verified).toMatchObject({ code: 0, error: '' })
    const nowhere = await quorate('put', 'kept', 'x', '--receipt', join(root, 'no/such/folder'))
    expect(nowhere.code).toBe(2)
    expect(nowhere.error).toContain('the request was executed, but its receipt could not be written')
  })

  it('refuse what the machine refuses, and what the role does not allow', async () => {
    const twice = JSON.stringify({ success: ['1', '2'].map((value) => ({ kind: 'put', key: 'a', value })) })
    const file = join(root, 'twice.json')
    await writeFile(file, twice)
    const { code, error } = await facts('txn', file)
    expect({ code, error }).toMatchObject({ code: 1, error: { code: 'refused', detail: 'duplicate-key' } })
  })

  it('work from a key folder that cannot be written, and as another client', async () => {
    const folder = cluster.clientFolder('writer-1')
    await chmod(folder, 0o500)
    expect(await facts('put', 'ro', '1', '--client', 'writer-1')).toMatchObject({ code: 0 })
    expect(await facts('get', 'ro', '--client', 'writer-1')).toMatchObject({ code: 0, value: '1' })
    await chmod(folder, 0o700)
  })
})

describe('fifty at once', () => {
  it('under one key are all executed, each with a number of its own', async () => {
    const puts = Array.from({ length: 50 }, (_, i) => facts('put', `many/${i}`, `${i}`, '--timeout', '120'))
    const done = await Promise.all(puts)
    expect(done.filter(({ code }) => code !== 0)).toEqual([])
    expect(new Set(done.map(({ revision }) => revision)).size).toBe(50)
    expect(await facts('range', 'many/', '--count-only')).toMatchObject({ count: 50 })
    expect((await readdir(cluster.clientFolder('admin'))).sort()).toEqual(['key.pem', 'sequence'])
  })
})

describe('status', () => {
  it('shows all replicas, and those that are gone', async () => {
    const all = await facts('status', '--timeout', '30')
    expect(all).toMatchObject({ code: 0, answers: 4, quorum: 3 })
    expect(all.replicas.map(({ replica }: { replica: number }) => replica)).toEqual([0, 1, 2, 3])
    await cluster.kill(3)
    const three = await quorate('status', '--timeout', '10')
    expect(three.code).toBe(0)
    expect(three.out).toContain('3 of 4 replicas answer; 3 decide')
    expect(three.out).toMatch(/^3 +unreachable$/m)
  })
})

describe('without a quorum', () => {
  it('the outcome is unknown, the request is kept, and asking again finishes it once', async () => {
    await cluster.kill(2)
    const lost = await quorate('put', 'late', 'in the end', '--timeout', '3')
    expect(lost.code).toBe(3)
    expect(lost.error).toContain('it may or may not be executed')
    const file = /ask again with: quorate resume (\S+)/.exec(lost.error)?.[1] ?? ''
    await cluster.start(2)
    await cluster.start(3)
    expect(await facts('resume', file, '--timeout', '60')).toMatchObject({ code: 0, executed: true })
    expect(await facts('resume', file, '--timeout', '60')).toMatchObject({ code: 0, executed: true })
    expect(await facts('get', 'late', '--timeout', '60')).toMatchObject({ value: 'in the end', version: 1 })
  })
})

describe('quorate watch', () => {
  /** Runs it until it has printed so many lines, then as if somebody pressed Ctrl-C. */
  async function watched(lines: number, ...args: string[]) {
    const [out, error, interrupt]: [string[], string[], AbortController] = [[], [], new AbortController()]
    const running = main(['watch', ...args], {
      environment: { QUORATE_CLUSTER: cluster.folder },
      signal: interrupt.signal,
      out: (text) => {
        out.push(text)
        if (out.length === lines) interrupt.abort()
      },
      error: (text) => error.push(text),
      progress: () => {},
    })
    return { code: await running, out: out.join(''), error: error.join('') }
  }

  it('prints what happens as it happens, and where to go on', async () => {
    const running = watched(3, '--prefix', 'watched/', '--after', '0')
    await quorate('put', 'watched/a', '1')
    await quorate('put', 'other', '1')
    await quorate('put', 'watched/a', '2')
    await quorate('del', 'watched/a')
    const { code, out, error } = await running
    expect(code).toBe(0)
    expect(out.replaceAll(/^[0-9]+/gm, 'S')).toBe('S  put  watched/a  1\nS  put  watched/a  2\nS  del  watched/a\n')
    expect(error).toMatch(/^watching what comes after slot 0\ngo on from here with --after [0-9]+\n$/)
  })

  it('goes on after a slot, of one replica, as JSON', async () => {
    const { slot } = await facts('put', 'json/a', '1')
    await quorate('put', 'json/a', '2')
    const { code, out } = await watched(2, 'json/a', '--after', String(slot), '--replica', '2', '--json')
    expect(code).toBe(0)
    const [start, event, end] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(start).toEqual({ position: slot })
    expect(event).toMatchObject({ event: 'put', key: 'json/a', value: '2', version: 2 })
    expect(end.position).toBeGreaterThanOrEqual(event.slot)
  })

  it('follows the whole log of one replica', async () => {
    const running = watched(2, '--prefix', 'whole/', '--after', '0', '--replica', '1', '--whole-log')
    await quorate('put', 'whole/a', '1')
    await quorate('del', 'whole/a')
    const { code, out } = await running
    expect(code).toBe(0)
    expect(out.replaceAll(/^[0-9]+/gm, 'S')).toBe('S  put  whole/a  1\nS  del  whole/a\n')
  })
})

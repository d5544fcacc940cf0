// What the commands on keys read and print, and what they say before they talk to anybody. test/cli/kv.slow.test.ts runs them against a
// cluster.

import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hex, utf8 } from '../../crypto/index.ts'
import { loadGenesis } from '../../keys/index.ts'
import { UsageError } from '../../src/cli/command.ts'
import { bytesOf, lineOf, shown } from '../../src/cli/kv/bytes.ts'
import { decodeRequestFile, encodeRequestFile } from '../../src/cli/kv/request-file.ts'
import { readTransaction } from '../../src/cli/kv/txn-file.ts'
import { signBundle } from '../../src/client/bundle.ts'
import { decodeKvCommand, encodeKvCommand } from '../../src/machine/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { quorate } from './run.ts'

let root: string
let cluster: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-kv-'))
  cluster = join(root, 'cluster')
  expect(await quorate('keygen', cluster, '--replicas', '1', '--clients', '2', '--base-port', '1')).toMatchObject({
    code: 0,
  })
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('a command on keys', () => {
  it.each([
    [['put', '', 'v'], 'KEY is empty; a key has at least one byte'],
    [['put', 'a', '???', '--base64'], 'KEY is not padded base64, which --base64 says it is'],
    [['put', 'YQ==', '???', '--base64'], 'VALUE is not padded base64, which --base64 says it is'],
    [['range', 'a', '--end', ''], '--end is empty; leave it away for a prefix'],
    [['range', 'a', '--limit', '0'], '--limit must be a whole number from 1 to 100000, not "0"'],
    [['get', 'a', '--timeout', 'soon'], '--timeout must be a whole number from 1 to 86400, not "soon"'],
    [['get', 'a', '--read', 'fast'], '--read must be one of ordered, quorum, lease, stale, not "fast"'],
    [['range', 'a', '--read', 'stale'], 'a range cannot be read stale: the state proves single keys'],
    [['get', 'a', '--max-age', '5'], '--max-age is for --read stale, and this is --read ordered'],
    [['get', 'a', '--read', 'quorum', '--proof', 'p'], '--proof is for --read stale, and this is --read quorum'],
    [['get', 'a', '--read', 'lease', '--proof', 'p'], '--proof is for --read stale, and this is --read lease'],
    [
      ['get', 'a', '--read', 'stale', '--receipt', 'r'],
      '--receipt is for --read ordered: a stale read leaves no receipt',
    ],
    [['get', 'a', '--read', 'stale', '--max-age', 'x'], '--max-age must be a whole number from 0 to'],
    [['txn', '/nowhere/t.json'], '/nowhere/t.json cannot be read: there is no such file'],
    [['watch'], 'name either a KEY or a --prefix'],
    [['watch', 'a', '--prefix', 'b'], 'name either a KEY or a --prefix'],
    [['watch', 'a', '--after', 'now'], '--after must be a whole number from 0 to 9007199254740991, not "now"'],
    [['watch', 'a', '--whole-log'], '--whole-log needs --replica: whose log is to be followed'],
    [['watch', 'a', '--replica', '0', '--max-age', '60'], '--max-age needs --whole-log'],
    [['watch', 'a', '--replica', '1'], '--replica must be a whole number from 0 to 0, not "1"'],
    [['client', 'add', 'Big Name'], 'NAME has 1 to 63 lower-case letters, digits and dashes'],
    [['client', 'add', 'new', '--role', 'king'], '--role must be one of reader, writer, admin, not "king"'],
    [['client', 'add', 'writer-1'], 'has had a client writer-1 from its beginning; choose another name'],
    [['client', 'role', 'admin', 'king'], 'ROLE must be one of reader, writer, admin, not "king"'],
    [['client', 'remove', 'stranger'], 'NAME stranger is no client of the genesis, and no key is in'],
    [['admin', 'approve', 'abc'], 'PROPOSAL must be 64 hexadecimal digits, not "abc"'],
    [['get', 'a', '--frob'], "unknown option '--frob'"],
  ])('%j is wrong usage and says why', async (args, sentence) => {
    const run = await quorate(...args, ...(args.includes('--frob') ? [] : ['--cluster', cluster]))
    expect(run).toMatchObject({ code: 2, out: '' })
    expect(run.error).toContain(sentence)
  })

  it('does not take a key of more than 1 KiB', async () => {
    const run = await quorate('get', 'k'.repeat(1025), '--cluster', cluster)
    expect(run).toMatchObject({ code: 2, error: expect.stringContaining('KEY has 1025 bytes; a key has at most 1024') })
  })

  it('says where it looked for a keyset, and how to make one', async () => {
    const run = await quorate('get', 'a', '--cluster', join(root, 'nowhere'))
    expect(run).toMatchObject({ code: 2, error: expect.stringContaining(`there is no keyset in ${root}/nowhere`) })
    expect(run.error).toContain('quorate keygen')
  })

  it('names the clients that there are where it knows none of that name', async () => {
    const run = await quorate('get', 'a', '--cluster', cluster, '--client', 'stranger')
    expect(run).toMatchObject({
      code: 2,
      error: expect.stringMatching(/has no client stranger, and no key is in .*; it began with admin/),
    })
  })

  it('makes no key for a client whom the cluster was certainly not asked to take', async () => {
    const run = await quorate('client', 'add', 'late', '--cluster', cluster, '--timeout', '1')
    expect(run).toMatchObject({ code: 1, error: expect.stringContaining('no replica could be reached') })
    expect(existsSync(join(cluster, 'client-late'))).toBe(false)
  })

  it('refuses a key file that others can read', async () => {
    const file = join(cluster, 'client-writer-1', 'key.pem')
    await chmod(file, 0o644)
    const run = await quorate('get', 'a', '--cluster', cluster, '--client', 'writer-1')
    await chmod(file, 0o600)
    expect(run).toMatchObject({ code: 1, error: expect.stringContaining(`run: chmod 600 ${file}`) })
  })

  it('refuses a value over the limit before it is sent, and names both sizes', async () => {
    const run = await quorate('put', 'k', 'v'.repeat(70_000), '--cluster', cluster)
    expect(run).toMatchObject({ code: 1, out: '' })
    expect(run.error).toContain('the request has 70009 bytes, and the cluster takes at most 65536 (maxRequestBytes)')
  })

  it('ends when nobody can be reached, says where it tried and that nothing was done', async () => {
    const run = await quorate('put', 'k', 'v', '--cluster', cluster, '--timeout', '1', '--json')
    expect(run.code).toBe(1)
    const { error } = JSON.parse(run.error)
    expect(error).toMatchObject({ code: 'unreachable' })
    expect(error.message).toContain('so nothing was sent: replica 0 (/ip4/127.0.0.1/tcp/1)')
  })

  it('shows replicas that cannot be reached as such', async () => {
    const run = await quorate('status', '--cluster', cluster, '--timeout', '1')
    expect(run.code).toBe(1)
    expect(run.out).toContain('0 of 1 replicas answer; 1 decide')
    expect(run.out).toMatch(/^0 +unreachable$/m)
    expect(run.out).toContain('could not be reached: replica 0 (/ip4/127.0.0.1/tcp/1)')
  })
})

describe('bytes', () => {
  it('are text where they are text, and base64 where they are not or it is asked for', () => {
    expect(bytesOf('X', 'grün', false)).toEqual(utf8('grün'))
    expect(bytesOf('X', '/w==', true)).toEqual(Uint8Array.of(255))
    expect(shown('value', utf8('grün'), false)).toEqual({ value: 'grün' })
    expect(shown('value', Uint8Array.of(255), false)).toEqual({ valueBase64: '/w==' })
    expect(shown('value', utf8('a'), true)).toEqual({ valueBase64: 'YQ==' })
    expect(lineOf(Uint8Array.of(255), false)).toBe('base64:/w==')
    expect(lineOf(Uint8Array.of(255), true)).toBe('/w==')
  })
})

describe('a transaction file', () => {
  const read = (value: unknown) =>
    readTransaction('t.json', utf8(typeof value === 'string' ? value : JSON.stringify(value)))

  it('holds comparisons and operations of every kind', () => {
    const transaction = read({
      compares: [
        { key: 'a', target: 'value', relation: '=', value: { base64: '/w==' } },
        { key: 'a', target: 'version', relation: '>', number: 0 },
      ],
      success: [
        { kind: 'put', key: 'a', value: '1' },
        { kind: 'get', key: 'b' },
        { kind: 'delete', key: 'c', previous: true },
      ],
      failure: [
        { kind: 'range', prefix: 'x/', limit: 5 },
        { kind: 'delete-range', start: 'a', end: 'b' },
        { kind: 'range', start: 'a', keysOnly: true },
      ],
    })
    expect(decodeKvCommand(encodeKvCommand(transaction))).toEqual(transaction)
    expect(transaction.compares[0]).toMatchObject({ value: Uint8Array.of(255) })
    expect(transaction.failure[0]).toMatchObject({ start: utf8('x/'), end: utf8('x0'), limit: 5, keysOnly: false })
    expect(read({})).toEqual({ kind: 'txn', compares: [], success: [], failure: [] })
  })

  it.each([
    ['{', 'is not JSON'],
    [{ succes: [] }, 'Unrecognized key: "succes"'],
    [{ success: [{ kind: 'increment', key: 'a' }] }, 'at success.0.kind'],
    [{ success: [{ kind: 'put', key: 'a', value: 5 }] }, 'at success.0.value: must be a string, or {"base64": "..."}'],
    [{ success: [{ kind: 'put', key: '', value: '' }] }, 'at success.0.key: has from 1 to 1024 bytes'],
    [{ success: [{ kind: 'put', key: 'a', value: { base64: '?' } }] }, 'is not padded base64'],
    [{ success: [{ kind: 'range', start: 'a', prefix: 'b' }] }, 'at success.0: give either "prefix", or "start"'],
    [{ success: [{ kind: 'range' }] }, 'at success.0: give either "prefix", or "start"'],
    [
      { compares: [{ key: 'a', target: 'value', relation: '=', number: 1 }] },
      'at compares.0: a value is compared with "value"',
    ],
    [
      { compares: [{ key: 'a', target: 'version', relation: '=' }] },
      'at compares.0: a version is compared with "number"',
    ],
  ])('%j is refused, and the sentence says where', (value, sentence) => {
    expect(() => read(value)).toThrow(UsageError)
    expect(() => read(value)).toThrow(sentence)
  })
})

describe('a long transaction', () => {
  it('is refused', () => {
    const success = Array.from({ length: 129 }, () => ({ kind: 'get', key: 'a' }))
    expect(() => readTransaction('t.json', utf8(JSON.stringify({ success })))).toThrow('at success: Too big')
  })
})

describe('a kept request', () => {
  it('is the same signed request when it is read again, and of its own cluster alone', async () => {
    const genesis = await loadGenesis(join(cluster, 'genesis.json'))
    const client = signerNamed('client admin')
    const requests = [1, 2, 3].map((sequence) => ({ client: client.publicKey, sequence, command: utf8(`${sequence}`) }))
    const [, request] = signBundle(requests, genesis.clusterId, client)
    if (request === undefined) throw new Error('unreachable')
    const text = encodeRequestFile(request, genesis)
    expect(decodeRequestFile('f', text, genesis)).toEqual(request)
    const first = hex(genesis.clusterId).startsWith('0') ? '1' : '0'
    const foreign = text.replace(/"cluster": "./, `"cluster": "${first}`)
    expect(() => decodeRequestFile('f', foreign, genesis)).toThrow('another cluster')
  })

  it.each(['', '{}', '[]', 'null', '{"format":"quorate-request-v1"}'])('is not %j', async (text) => {
    const genesis = await loadGenesis(join(cluster, 'genesis.json'))
    expect(() => decodeRequestFile('f.request', text, genesis)).toThrow(UsageError)
    await writeFile(join(root, 'bad.request'), text)
    const run = await quorate('resume', join(root, 'bad.request'), '--cluster', cluster)
    expect(run.code).toBe(2)
    expect(await readFile(join(root, 'bad.request'), 'utf8')).toBe(text)
  })
})

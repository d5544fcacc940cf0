// `quorate lock` and `quorate elect` before they talk to anybody, the command that they run, and tokens in `quorate audit verify`.
// test/cli/lock.slow.test.ts runs them against a cluster.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hex, inclusionProof, leafHash, merkleTree, utf8 } from '../../crypto/index.ts'
import { encodeReceiptFile } from '../../src/audit/verify/index.ts'
import { inputOf, UsageError } from '../../src/cli/command.ts'
import { runGuarded } from '../../src/cli/kv/guarded.ts'
import { lockTransaction } from '../../src/machine/index.ts'
import { TestLog, testGenesis } from '../audit/support.ts'
import { quorate } from './run.ts'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-lock-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('the command line of a lock', () => {
  it.each([
    [['lock', 'db'], "missing required argument 'COMMAND'"],
    [['lock'], "missing required argument 'NAME'"],
    [['lock', '', '--', 'true'], 'NAME must be a text of at least one and at most 512 bytes'],
    [['lock', 'n'.repeat(513), '--', 'true'], 'NAME must be a text of at least one and at most 512 bytes'],
    [['lock', 'db', '--ttl', '0', '--', 'true'], '--ttl must be a whole number from 1 to 86400, not "0"'],
    [['lock', 'db', '--cluster', '/nowhere', '--', 'true'], 'there is no keyset in /nowhere'],
    [['elect', 'boss', '--ttl', 'long'], '--ttl must be a whole number from 1 to 86400, not "long"'],
    [['elect', 'boss', 'extra'], 'too many arguments'],
  ])('%j is wrong usage and says why', async (args, sentence) => {
    const run = await quorate(...args)
    expect(run).toMatchObject({ code: 2, out: '' })
    expect(run.error).toContain(sentence)
  })

  it('leaves what stands behind -- to the command, also what looks like an option of ours', async () => {
    const run = await quorate('lock', 'db', '--cluster', '/nowhere', '--', 'ls', '--json', '--help', '-V')
    expect(run).toMatchObject({ code: 2, out: '' })
    // In words, and not as JSON.
    expect(run.error).toMatch(/^quorate: there is no keyset/)
    const input = inputOf({ COMMAND: ['ls', '--json'], ONE: 'x' }, {})
    expect([input.rest('COMMAND'), input.rest('ONE'), input.rest('NONE')]).toEqual([['ls', '--json'], ['x'], []])
    expect(() => input.argument('COMMAND')).toThrow('has no argument COMMAND')
  })
})

describe('a command that runs while something is held', () => {
  const never = new AbortController().signal
  const node = (program: string) => [process.execPath, '-e', program]

  it('has its environment, and its exit code is passed on', async () => {
    const file = join(root, 'seen')
    const program = `fs.writeFileSync(process.env.OUT, process.env.TOKEN + ' ' + process.env.NONE); process.exit(7)`
    const environment = { OUT: file, TOKEN: '12', NONE: undefined }
    expect(await runGuarded(node(program), { environment, lost: never, stop: never })).toBe(7)
    expect(await readFile(file, 'utf8')).toBe('12 undefined')
  })

  it.each(['lost', 'stop'] as const)('gets SIGTERM once "%s" is aborted, and is waited for', async (which) => {
    const abort = new AbortController()
    const ready = join(root, `ready-${which}`)
    const program = `
      process.on('SIGTERM', () => process.exit(9))
      setInterval(() => {}, 1000)
      fs.writeFileSync(process.env.READY, '')`
    const guard = { lost: never, stop: never, [which]: abort.signal, environment: { READY: ready } }
    const exit = runGuarded(node(program), guard)
    while ((await readFile(ready).catch(() => undefined)) === undefined) await new Promise((next) => setImmediate(next))
    abort.abort()
    expect(await exit).toBe(9)
  })

  it('that a signal ended has the exit code that a shell gives it', async () => {
    const program = `process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)`
    expect(await runGuarded(node(program), { environment: {}, lost: never, stop: never })).toBe(128 + 9)
  })

  it('and cannot be run is wrong usage', async () => {
    const run = runGuarded(['/nowhere/program'], { environment: {}, lost: never, stop: never })
    await expect(run).rejects.toThrow(new UsageError('/nowhere/program cannot be run: there is no such program'))
  })
})

describe('audit verify on a fencing token', () => {
  const test = testGenesis()
  const files = { genesis: '', token: '', plain: '' }

  beforeAll(async () => {
    const log = new TestLog(test)
    const claim = { kind: 'lock', name: 'db', value: utf8('host 1'), lease: 1 } as const
    for (const command of [{ kind: 'lease-grant', ttlMs: 9_000 } as const, lockTransaction(claim)]) {
      log.append(log.bundle(command))
    }
    log.append([log.put('k')])
    const receiptFile = (slot: number) => {
      const { entry, records, receipts } = log.slots[slot - 1] ?? fail()
      const { digest } = receipts[0]?.statement ?? fail()
      const at = receipts[0]?.statement.slot ?? fail()
      return encodeReceiptFile(
        {
          request: entry.requests[0] ?? fail(),
          record: records[0] ?? fail(),
          certificate: log.certificate('receipt', { slot: at, digest }, [0, 1]),
          ...{ index: 0, count: 1, path: inclusionProof(merkleTree(records.map(leafHash)).read, 0, 1) },
        },
        test.genesis,
      )
    }
    for (const name of ['genesis', 'token', 'plain'] as const) files[name] = join(root, `${name}.json`)
    await writeFile(files.genesis, test.genesisBytes)
    await writeFile(files.token, receiptFile(2))
    await writeFile(files.plain, receiptFile(3))
  })

  const verify = (file: string, ...more: string[]) =>
    quorate('audit', 'verify', file, '--genesis', files.genesis, ...more)

  it('shows its number, its holder and its lock, also unasked', async () => {
    const holder = hex(test.client.publicKey)
    const line = `fencing token 2 (revision 1) of lock "db", taken by client ${holder}`
    for (const more of [[], ['--lock', 'db']]) {
      const run = await verify(files.token, ...more)
      expect(run.code).toBe(0)
      expect(run.out.split('\n')[0]).toBe(line)
    }
    const facts = JSON.parse((await verify(files.token, '--lock', 'db', '--json')).out)
    expect(facts).toMatchObject({
      valid: true,
      token: { kind: 'lock', name: 'db', number: 2, revision: 1, holder, value: 'host 1' },
    })
  })

  it.each([
    [['--lock', 'other'], 'NOT the fencing token of lock "other": it is of lock "db"'],
    [['--election', 'db'], 'NOT the fencing token of election "db": it is of lock "db"'],
  ])('refuses one of something else (%j)', async (more, sentence) => {
    const run = await verify(files.token, ...more)
    expect(run.code).toBe(1)
    expect(run.out).toContain(sentence)
  })

  it('refuses a receipt that is none, and says no word about tokens where nobody asks', async () => {
    expect(await verify(files.plain, '--lock', 'db')).toMatchObject({
      code: 1,
      out: expect.stringContaining('the request in it takes no lock and no election'),
    })
    const plain = await verify(files.plain)
    expect(plain.code).toBe(0)
    expect(plain.out).not.toContain('token')
  })

  it('refuses to look for both', async () => {
    expect(await verify(files.token, '--lock', 'a', '--election', 'b')).toMatchObject({ code: 2 })
  })

  it('says nothing of a token in a file that does not hold', async () => {
    const text = await readFile(files.token, 'utf8')
    const forged = join(root, 'forged.json')
    await writeFile(forged, text.replace(/"count":1/, '"count":2'))
    const run = await verify(forged, '--lock', 'db')
    expect(run.code).toBe(1)
    expect(run.out).not.toContain('fencing token 2')
  })
})

function fail(): never {
  throw new Error('not there')
}

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { slot, view } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { encodeReceiptFile, encodeStateFile } from '../../src/audit/verify/index.ts'
import { type Command, type Context, inputOf, type Outcome, UsageError } from '../../src/cli/command.ts'
import { auditBlame } from '../../src/cli/commands/audit-blame.ts'
import { auditExport } from '../../src/cli/commands/audit-export.ts'
import { auditVerify } from '../../src/cli/commands/audit-verify.ts'
import { receiptFor, TestLog, testGenesis, writeBundle } from '../audit/support.ts'
import { bytesFor } from '../support/cluster.ts'

const test = testGenesis()
let root: string
let genesis: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-audit-'))
  genesis = await file('genesis.json', test.genesisBytes)
})

afterAll(() => rm(root, { recursive: true, force: true }))

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(root, name)
  await writeFile(path, content)
  return path
}

async function run(command: Command, args: Record<string, string>, options: Record<string, unknown>): Promise<Outcome> {
  const plain = (_: unknown, text: string) => text
  const context: Context = {
    environment: {},
    signal: new AbortController().signal,
    progress: () => {},
    stage: { json: false, print: () => {}, warn: () => {}, redraw: undefined, paint: plain, paintError: plain },
    parent: undefined,
  }
  return await command.run(inputOf(args, options), context)
}

const verify = (path: string, level?: string) =>
  run(auditVerify, { FILE: path }, { genesis, ...(level !== undefined && { level }) })

describe('quorate audit verify', () => {
  const log = new TestLog(test).fill(9)

  it('shows each entry with who signed, its checkpoint and the verdict, and ends with the whole', async () => {
    const { status, text } = await verify(await file('good.jsonl', writeBundle(log)))
    expect(status).toBe('done')
    expect(text).toMatch(/^slot +digest +requests +chosen by +results by +checkpoint +verdict$/m)
    expect(text).toMatch(/^1 +[0-9a-f]{16} +1 +0 1 2 +0 1 +4 +good$/m)
    expect(text).toMatch(/^9 .* not yet checkpointed +good$/m)
    expect(text.split('\n').at(-1)).toMatch(/is valid .* at level certificates: 9 entries, 2 checkpoints, 1 not yet/)
  })

  it('names the check that failed and the entry, and refuses', async () => {
    const path = await file('tail.jsonl', writeBundle(log))
    const { status, text } = await verify(path, 'log')
    expect(status).toBe('refused')
    expect(text).toContain('slot 9: check "inclusion" failed (not-checkpointed)')
    expect(text).toMatch(/NOT VALID .* at level log: 1 fault: check "inclusion" at slot 9$/)
  })

  it('executes a log from its beginning, and says why it cannot for others', async () => {
    expect((await verify(await file('whole.jsonl', writeBundle(log, { to: 8 })), 'replay')).status).toBe('done')
    const { status, text } = await verify(await file('part.jsonl', writeBundle(log, { from: 2, to: 8 })), 'replay')
    expect(status).toBe('refused')
    expect(text).toContain('cannot replay: that needs every entry from slot 1, and this bundle begins at slot 2')
  })

  it('of a long bundle shows only what is wrong', async () => {
    const long = new TestLog(test).fill(60)
    const { text, value } = await verify(await file('long.jsonl', writeBundle(long)))
    expect(text.split('\n')).toHaveLength(1)
    expect(value).toMatchObject({ valid: true, entries: 60 })
  })

  it('verifies the proof of a key, and says first what it is about', async () => {
    const state = new TestLog(test).fill(4)
    const made = (key: string) => encodeStateFile(state.state(key), test.genesis, nativeVerifier) ?? ''
    const there = await verify(await file('state.jsonl', made('key-2')))
    expect(there.status).toBe('done')
    expect(there.text).toMatch(
      /^proof: key key-2 is present, revision 2, value value, in the state of checkpoint 4, agreed at 2023-\S+Z, signed by replicas 0, 1, 2\n.* is valid .*: the proof of one key, 1 checkpoint$/,
    )
    expect(there.value).toMatchObject({
      valid: true,
      shown: [
        { kind: 'state', key: 'key-2', present: true, value: 'value', revision: 2, checkpoint: 4, signers: [0, 1, 2] },
      ],
    })
    const absent = await verify(await file('absent.jsonl', made('none')))
    expect(absent.text).toMatch(/^proof: key none is absent, in the state of checkpoint 4/)
    expect(absent.value).toMatchObject({ shown: [{ key: 'none', present: false }] })
  })

  it('refuses the proof of a key with another value', async () => {
    const state = new TestLog(test).fill(4).state('key-2')
    const lie = { ...state, proof: { ...state.proof, value: undefined } }
    const path = await file('lie.jsonl', encodeStateFile(lie, test.genesis, nativeVerifier) ?? '')
    const { status, text } = await verify(path)
    expect(status).toBe('refused')
    expect(text).toMatch(/^proof NOT GOOD: key key-2\nthe key of the state: check "state" failed \(not-in-state\)/)
  })

  it('verifies a receipt, and says first what it is about', async () => {
    const path = await file('receipt.jsonl', encodeReceiptFile(receiptFor(log, 3), test.genesis))
    const { status, text } = await verify(path)
    expect(status).toBe('done')
    expect(text.split('\n')[0]).toMatch(/^receipt: request 3 of client \w+ was answered "done" in slot 3, .* 0 and 1$/)
  })

  it.each<[string, { FILE?: string; level?: string }, string]>([
    ['a level that is none', { level: 'deep' }, '--level must be one of'],
    ['a file that is not there', { FILE: '/nowhere/x' }, "/nowhere/x can't be read"],
    ['a folder', { FILE: '.' }, 'is a folder'],
  ])('calls %s a usage error', async (_, { FILE = '', ...options }, message) => {
    const path = FILE === '' ? await file('any.jsonl', writeBundle(log)) : FILE
    const outcome = run(auditVerify, { FILE: path }, { genesis, ...options })
    await expect(outcome).rejects.toThrow(UsageError)
    await expect(outcome).rejects.toThrow(message)
  })

  it('refuses a file that is no bundle with a sentence', async () => {
    for (const content of ['', 'hello\n', '{}\n', '\0\0\0', `${'x'.repeat(9 * 1024 * 1024)}`]) {
      const { status, text } = await verify(await file('none.jsonl', content))
      expect(status).toBe('refused')
      expect(text).toContain('line 1: check "format" failed')
    }
  })
})

describe('quorate audit blame', () => {
  const log = new TestLog(test).fill(2)
  const first = log.vote(2, { kind: 'prepare', view: view(3), slot: slot(7), digest: bytesFor('one') })
  const second = log.vote(2, { kind: 'prepare', view: view(3), slot: slot(7), digest: bytesFor('other') })
  log.evidence.push({ kind: 'two-votes', accused: first.replica, first, second })

  const blame = (path: string, other?: string) =>
    run(auditBlame, { FILE: path, ...(other !== undefined && { OTHER: other }) }, { genesis })

  it('names the liar first, then what it did, and both statements as they were signed', async () => {
    const { status, text } = await blame(await file('lies.jsonl', writeBundle(log)))
    expect(status).toBe('refused')
    expect(text.split('\n')[0]).toMatch(/^replica 2 of cluster audited-\w+ lied: one proof$/)
    expect(text).toContain('replica 2 signed two different Prepare statements for view 3, slot 7 (two-votes):')
    expect(text.match(/signed bytes +1e71756f726174652d766f74652d7631[0-9a-f]+$/gm)).toHaveLength(2)
    expect(text.match(/signature +[0-9a-f]{128}$/gm)).toHaveLength(2)
  })

  it('convicts nobody of an honest log', async () => {
    const { status, text } = await blame(await file('honest.jsonl', writeBundle(new TestLog(test).fill(2))))
    expect(status).toBe('done')
    expect(text).toMatch(/^nobody in cluster/)
  })

  it('names those who signed for two logs, from two bundles that are each good', async () => {
    const [one, other] = ['mine', 'theirs'].map((text, i) => {
      const fork = new TestLog(test).fill(1)
      fork.append([fork.put('key', text)], i === 0 ? [0, 2, 3] : [1, 2, 3])
      return fork
    })
    if (one === undefined || other === undefined) throw new Error('two logs')
    const paths = [await file('one.jsonl', writeBundle(one)), await file('other.jsonl', writeBundle(other))] as const
    expect((await verify(paths[0])).status).toBe('done')
    expect((await verify(paths[1])).status).toBe('done')
    const { status, text, value } = await blame(...paths)
    expect(status).toBe('refused')
    expect(value).toMatchObject({ guilty: expect.arrayContaining([2, 3]), forks: [2] })
    expect(text).toContain('the log is forked: slot 2 has good certificates for two entries')
  })
})

describe('quorate audit export', () => {
  it('leaves nothing behind where it cannot do what it is asked', async () => {
    const options = { cluster: root, data: [join(root, 'no-such-folder')], out: join(root, 'never.jsonl') }
    await expect(run(auditExport, {}, options)).rejects.toThrow()
    expect((await readdir(root)).filter((name) => name.startsWith('never'))).toEqual([])
  })

  it.each([
    [{ slots: '5..2' }, '--slots must be A..B'],
    [{ slots: '0..2' }, '--slots must be A..B'],
    [{ slots: '1..2', key: 'k' }, 'exclude one another'],
    [{ key: '' }, '--key must not be empty'],
    [{}, "holds no client's key"],
  ])('calls %j a usage error', async (options, message) => {
    const outcome = run(auditExport, {}, { cluster: root, out: join(root, 'x.jsonl'), ...options })
    await expect(outcome).rejects.toThrow(message)
    await expect(outcome).rejects.toThrow(UsageError)
  })
})

describe('a whole file', () => {
  it('is what the exporter wrote, under its own name only when it is done', async () => {
    const { wholeFile } = await import('../../src/cli/audit/files.ts')
    const path = join(root, 'whole-file')
    const writing = await wholeFile(path)
    await writing.write('one ')
    await writing.write('two')
    await expect(readFile(path)).rejects.toThrow()
    await writing.done()
    await writing.close()
    expect(await readFile(path, 'utf8')).toBe('one two')
    const given = await wholeFile(path)
    await given.write('three')
    await given.close()
    expect(await readFile(path, 'utf8')).toBe('one two')
    expect((await readdir(root)).filter((name) => name.includes('.part-'))).toEqual([])
  })
})

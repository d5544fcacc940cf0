// What `quorate replica` and `quorate up` refuse before anything starts.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'

let root: string
let cluster: string

async function quorate(args: readonly string[], environment: Record<string, string> = {}) {
  const [out, error]: [string[], string[]] = [[], []]
  const code = await main(args, {
    ...{ environment, signal: new AbortController().signal, progress: () => {} },
    out: (text) => out.push(text),
    error: (text) => error.push(text),
  })
  return { code, out: out.join(''), error: error.join('') }
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-replica-'))
  cluster = join(root, 'cluster')
  expect((await quorate(['keygen', cluster, '--replicas', '2'])).code).toBe(0)
})

afterAll(() => rm(root, { recursive: true, force: true }))

describe('quorate replica', () => {
  it.each([
    [['--index', '4'], '--index must be a whole number from 0 to 1, or that of a replica that joined; 4 is neither'],
    [['--index', '0', '--liar', 'nonsense'], 'unknown behaviour "nonsense"; known are: mute,'],
    [['--index', '0', '--durability', 'disk'], '--durability must be fsync, os, memory, not "disk"'],
    [['--index', '0', '--listen', '127.0.0.1'], '--listen: "127.0.0.1" is not of the form'],
    [['--index', '0', '--metrics-port', '70000'], '--metrics-port must be a whole number from 0 to 65535'],
    [['--index', '0', '--config', '/nowhere/c.yaml'], "/nowhere/c.yaml can't be read"],
    [['--index', '0', '--metrics', '1'], "unknown option '--metrics'"],
    [[], "required option '--index <i>' not specified"],
  ])('refuses %j with one sentence and exit code 2', async (args, sentence) => {
    const run = await quorate(['replica', cluster, ...args])
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
    expect(run.error.trim().split('\n').slice(0, 1)).toEqual([expect.stringMatching(/^quorate: /)])
    expect(run.error).not.toMatch(/\n\s+at /)
  })

  it.each([
    ['durabilty: os', 'durabilty: unknown field; did you mean durability?'],
    ['liar: nonsense', 'unknown behaviour "nonsense"'],
    ['peers: { 5: /ip4/10.0.0.1/tcp/1 }', 'peers.5: no such member, n is 2'],
    ['peers: { 0: /ip4/10.0.0.1/tcp/1 }', 'peers.0: is this replica itself'],
  ])('refuses the config %j', async (text, sentence) => {
    const file = join(root, 'c.yaml')
    await writeFile(file, text)
    const run = await quorate(['replica', cluster, '--index', '0', '--config', file])
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
  })

  it('finds its keyset by QUORATE_CLUSTER', async () => {
    const run = await quorate(['replica', '--index', '7'], { QUORATE_CLUSTER: cluster })
    expect(run.error).toContain('from 0 to 1, or that of a replica that joined; 7 is neither')
  })

  it('refuses a key file that others can read', async () => {
    const file = join(cluster, 'replica-1/consensus.pem')
    await chmod(file, 0o644)
    const run = await quorate(['replica', cluster, '--index', '1'])
    await chmod(file, 0o600)
    expect(run).toMatchObject({ code: 1, out: '', error: expect.stringContaining(`run: chmod 600 ${file}`) })
  })
})

describe('quorate up', () => {
  it('names the command that makes the keyset that is missing', async () => {
    const folder = join(root, 'none')
    expect(await quorate(['up', folder])).toEqual({
      code: 2,
      out: '',
      error: `quorate: there is no keyset in ${folder}; make one with: quorate keygen ${folder} --replicas 4\n`,
    })
  })

  it.each([
    ['2=mute', 'no replica 2, n is 2'],
    ['mute', 'write I=BEHAVIOUR'],
    ['0=nonsense', 'unknown behaviour "nonsense"'],
  ])('refuses --liar %s', async (liar, sentence) => {
    const run = await quorate(['up', cluster, '--liar', liar])
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
  })
})

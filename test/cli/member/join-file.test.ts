import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../../crypto/index.ts'
import { UsageError } from '../../../src/cli/command.ts'
import { type Join, joinText, readJoin } from '../../../src/cli/member/join-file.ts'
import { GENESIS } from '../../audit/epochs-keys.ts'
import { EpochsLog } from '../../audit/epochs-log.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-join-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const edit = new EpochsLog().replacement(0, 'joiner')
if (edit.op !== 'replace') throw new Error('a replacement')
const made: Join = {
  clusterId: GENESIS.clusterId,
  base: GENESIS.membership.digest,
  member: { ...edit.member, held: utf8('a note\n4\n\n— signature\n'), operator: GENESIS.clients[1]?.key },
}
const good: Record<string, unknown> = JSON.parse(joinText(made))

async function file(text: string): Promise<string> {
  const path = join(folder, 'join.json')
  await writeFile(path, text)
  return path
}

describe('the file of a joining replica', () => {
  it.each([
    ['with an operator and a checkpoint', made],
    ['without', { ...made, member: { ...made.member, operator: undefined, held: new Uint8Array(0) } }],
  ])('is read as it was written, %s', async (_, join) => {
    expect(await readJoin(await file(joinText(join)))).toEqual(join)
  })

  it.each([
    ['no JSON', 'nonsense', 'it: '],
    ['another format', { ...good, format: 'quorate-join-9' }, 'format: '],
    ['a field that nobody knows', { ...good, colour: 'red' }, 'Unrecognized key'],
    ['a key that is short', { ...good, consensusKey: 'ab' }, 'consensusKey: must be 64 hexadecimal digits'],
    ['a signature in capitals', { ...good, joined: String(good.joined).toUpperCase() }, 'joined: must be 128'],
    ['no address', { ...good, addresses: [] }, 'addresses: '],
    ['more than any such file', { ...good, held: 'x'.repeat(70_000) }, 'it is longer than 65536 bytes'],
  ])('is refused with one sentence where it has %s', async (_, contents, sentence) => {
    const path = await file(typeof contents === 'string' ? contents : JSON.stringify(contents))
    const error = await readJoin(path).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UsageError)
    expect(String(error)).toContain(`${path} is no file of a joining replica: `)
    expect(String(error)).toContain(sentence)
    expect(String(error)).toContain('quorate member join writes one')
  })

  it('that is not there is said to be', async () => {
    await expect(readJoin(join(folder, 'nowhere'))).rejects.toThrow('nowhere cannot be read')
  })
})

// docs/your-own-machine.md: what stands there runs, and prints what it says.

import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePorts } from '../../src/cli/launch/ports.ts'

const ROOT = join(import.meta.dirname, '../..')
/** The package's doors, as package.json exports them, in the sources. */
const DOORS: Readonly<Record<string, string>> = {
  quorate: 'src/client/index.ts',
  'quorate/keys': 'keys/index.ts',
  'quorate/machine': 'src/machine/index.ts',
  'quorate/replica': 'src/replica/index.ts',
}

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-machine-'))
})

afterAll(() => rm(root, { recursive: true, force: true }))

it('the machine of the manual is under forty lines and does what the manual says', async () => {
  const manual = await readFile(join(ROOT, 'docs/your-own-machine.md'), 'utf8')
  const [, program = ''] = /```ts\n(.*?)```/s.exec(manual) ?? []
  expect(program.trim().split('\n').length).toBeLessThan(40)
  const [, first = '', second = ''] = /It prints `(.*?)` and `(.*?)`/.exec(manual) ?? []
  const addresses = (await freePorts(4)).map((port) => `/ip4/127.0.0.1/tcp/${port}\n`)
  await writeFile(join(root, 'addresses'), addresses.join(''))
  const quorate = [join(ROOT, 'src/cli/quorate.js'), 'keygen', 'auction', '--replicas', '4', '--addresses', 'addresses']
  expect(spawnSync(process.execPath, quorate, { cwd: root, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  const linked = program.replaceAll(/from '(quorate[^']*)'/g, (whole, name: string) => {
    const door = DOORS[name]
    return door === undefined ? whole : `from '${pathToFileURL(join(ROOT, door))}'`
  })
  const file = join(root, 'auction.ts')
  await writeFile(file, linked)
  const run = spawnSync(process.execPath, [file], { cwd: root, encoding: 'utf8', timeout: 120_000 })
  expect({ out: run.stdout, status: run.status }).toEqual({ out: `${first}\n${second}\n`, status: 0 })
})

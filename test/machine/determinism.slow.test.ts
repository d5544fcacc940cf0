import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { executeSampleLog } from './sample-log.ts'

const program = fileURLToPath(new URL('sample-log.ts', import.meta.url))

it.each<[string, readonly string[], Readonly<Record<string, string>>]>([
  ['in Turkish on the Chatham Islands', [], { TZ: 'Pacific/Chatham', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' }],
  ['in the C locale in Apia', [], { TZ: 'Pacific/Apia', LANG: 'C', LC_ALL: 'C' }],
  ['without optimising compilers', ['--no-opt', '--no-maglev', '--no-sparkplug'], { TZ: 'UTC', LANG: 'de_DE.UTF-8' }],
  ['with a small stack and a small heap', ['--stack-size=400', '--max-old-space-size=128'], { LANG: 'ar_EG.UTF-8' }],
])('the same log gives the same roots %s (P46)', async (_name, flags, environment) => {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program], {
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
    maxBuffer: 1 << 20,
  })
  expect(JSON.parse(stdout)).toEqual(executeSampleLog())
})

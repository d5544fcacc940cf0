// The pool finds its threads' program in a checkout and in the built package, and lets a process end that forgot to close it.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..')

describe('a process that uses the pool and never closes it', () => {
  it('gets its verdicts and ends by itself, from .ts sources', () => {
    expect(verdictsFrom(join(ROOT, 'keys/native/index.ts'))).toEqual([true, false])
  })

  it('gets its verdicts and ends by itself, from built .js', () => {
    // Inside of node_modules, so that the built files find their packages.
    const cache = join(ROOT, 'node_modules/.cache')
    mkdirSync(cache, { recursive: true })
    const folder = mkdtempSync(join(cache, 'verifier-pool-'))
    try {
      const config = { extends: join(ROOT, 'tsconfig.build.json'), compilerOptions: { rootDir: ROOT, outDir: folder } }
      const include = [join(ROOT, 'keys/native')]
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...config, include }))
      execFileSync(join(ROOT, 'node_modules/.bin/tsc'), [
        '-p',
        folder,
        '--typeRoots',
        join(ROOT, 'node_modules/@types'),
      ])
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
      expect(verdictsFrom(join(folder, 'keys/native/index.js'))).toEqual([true, false])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

function verdictsFrom(door: string): unknown {
  const program = `
    import { createVerifierPool, nativeSigner } from ${JSON.stringify(pathToFileURL(door).href)}
    const signer = nativeSigner(new Uint8Array(32))
    const message = new Uint8Array(161)
    const job = { key: signer.publicKey, message, signature: signer.sign(message) }
    const bad = { ...job, signature: new Uint8Array(64) }
    console.log(JSON.stringify(await createVerifierPool({ threads: 1 }).verifyBatch([job, bad])))`
  const args = ['--input-type=module', '--eval', program]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout)
}

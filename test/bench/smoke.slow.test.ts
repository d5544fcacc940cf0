import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe('npm run bench -- smoke', () => {
  it('runs every suite and clusters of every kind, reads back what was written, and leaves nothing behind', () => {
    const { status, stdout, stderr, temporary } = bench('smoke')
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^all \d+ passed$/m)
    expect(status).toBe(0)
    expect(readdirSync(temporary).filter((name) => name.startsWith('quorate-bench-'))).toEqual([])
  })
})

describe('npm run bench -- load', () => {
  it('shows examples in its help', () => {
    expect(bench('load', '--help').stdout).toContain('$ npm run bench -- load --steady --seconds 600')
  })

  it.each([
    [['load', '--size', 'large'], /^error: --size must be a whole number/],
    [['load', '--plot', 'x.svg'], /^error: --plot needs an option with a comma list/],
    [['load', '--size', '1,2', '--plot', '/no/such/x.svg'], /^error: --plot .* cannot be written/],
    [['load', '--steady', '--size', '1,2'], /^error: --steady measures one setting/],
    [['load', '--parameter', 'window=1000000'], /^error: .*window/],
  ])('exits with 2 and one sentence for %j', (args, sentence) => {
    const { status, stdout, stderr } = bench(...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describe('npm run bench -- floor', () => {
  it('shows in its help how many clients are measured', () => {
    const { stdout } = bench('floor', '--help')
    expect(stdout).toContain('$ npm run bench -- floor --clients 16 --outstanding 64')
    expect(stdout).toMatch(/--clients <c>[^-]*\(default:\s+1\)/)
  })

  it.each([
    [['floor', '--clients', '0'], /^error: --clients must be a whole number from 1 to 256, not "0"$/m],
    [['floor', '--clients', 'many'], /^error: --clients must be a whole number from 1 to 256, not "many"$/m],
    [['floor', '--clients', '1,2', '--outstanding', '1,2'], /^error: --clients and --outstanding have several values/],
    [['floor', '--durability', 'memory'], /^error: --durability memory: the floor writes what it agrees on/],
  ])('exits with 2 and one sentence for %j', (args, sentence) => {
    const { status, stdout, stderr } = bench(...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

describe('a load that is stopped by SIGINT', () => {
  it('ends with 1 and one sentence, and leaves nothing behind', async () => {
    const temporary = temporaryFolder()
    const watcher = watch(temporary)
    const child = spawn(process.execPath, [MAIN, 'load'], { env: { ...process.env, TMPDIR: temporary } })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    await once(watcher, 'change')
    watcher.close()
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect({ code, errors }).toEqual({ code: 1, errors: 'error: stopped before it was done\n' })
    expect(readdirSync(temporary)).toEqual([])
  })
})

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'))
  folders.push(folder)
  return folder
}

function bench(...args: string[]) {
  const temporary = temporaryFolder()
  const result = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: temporary },
  })
  return { ...result, temporary }
}

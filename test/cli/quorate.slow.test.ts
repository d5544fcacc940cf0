import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const BIN = join(ROOT, 'src/cli/quorate.js')

let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'quorate-bin-'))
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

function run(args: readonly string[], options: { node?: string; nodeArgs?: readonly string[]; bin?: string } = {}) {
  const { node = process.execPath, nodeArgs = [], bin = BIN } = options
  const { QUORATE_PASSPHRASE: _, NODE_OPTIONS: __, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(node, [...nodeArgs, bin, ...args], { encoding: 'utf8', cwd: root, env })
  return { status, stdout, stderr }
}

/** Node before version 24 on this machine's path, if any. */
const oldNodes = [...new Set((process.env.PATH ?? '').split(delimiter))]
  .map((folder) => join(folder, 'node'))
  .filter((path) => existsSync(path))
  .filter(
    (path) => Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' })) < 24,
  )

describe('the command', () => {
  it('makes, shows and checks a keyset', () => {
    const made = run(['keygen', 'mine', '--replicas', '4', '--json'])
    expect(made).toMatchObject({ status: 0, stderr: '' })
    const { genesis, clusterId } = JSON.parse(made.stdout)
    expect(JSON.parse(run(['genesis', 'show', genesis, '--json']).stdout).clusterId).toBe(clusterId)
    expect(run(['genesis', 'check', genesis])).toMatchObject({ status: 0, stdout: expect.stringContaining(clusterId) })
    expect(run(['keygen', 'mine', '--replicas', '4'])).toMatchObject({ status: 1, stdout: '' })
  })

  it('makes the largest keyset', () => {
    const made = run(['keygen', 'large', '--replicas', '100', '--clients', '10', '--json'])
    expect(made).toMatchObject({ status: 0, stderr: '' })
    expect(JSON.parse(made.stdout)).toMatchObject({ n: 100, b: 33, c: 0, q: 67, t: 34 })
  })

  it('does not mind when its reader stops early', () => {
    const shell = spawnSync('sh', ['-c', `"$0" "$1" keygen --help | true; "$0" "$1" --version`, process.execPath, BIN])
    expect({ status: shell.status, stderr: String(shell.stderr) }).toEqual({ status: 0, stderr: '' })
  })

  it('leaves nothing behind when interrupted', async () => {
    const watcher = watch(root)
    const begun = new Promise<void>((resolve) => {
      watcher.on('change', (_, name) => String(name).startsWith('.stopped.tmp-') && resolve())
    })
    const args = [BIN, 'keygen', 'stopped', '--replicas', '100', '--clients', '1000']
    const child = spawn(process.execPath, args, { cwd: root })
    const closed = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    await begun
    watcher.close()
    child.kill('SIGINT')
    expect(await closed).toBe(130)
    expect(readdirSync(root).filter((name) => name.includes('stopped'))).toEqual([])
  })
})

describe('on an old Node the command', () => {
  const sentence = /^quorate needs Node 24 or newer; this is v[0-9.]+\. In a checkout run it as `npx quorate`\.\n$/

  it('says so in one sentence, exit code 2 (a faked version)', () => {
    const fake = 'Object.defineProperty(process, "versions", { value: { node: "20.20.2" } })'
    const result = run(['--version'], { nodeArgs: ['--import', `data:text/javascript,${encodeURIComponent(fake)}`] })
    expect(result).toEqual({ status: 2, stdout: '', stderr: expect.stringMatching(sentence) })
    expect(result.stderr).toContain('this is v20.20.2.')
  })

  it('says so in one sentence, exit code 2 (every old Node on the path)', () => {
    for (const node of oldNodes) {
      expect(run(['--version'], { node })).toEqual({ status: 2, stdout: '', stderr: expect.stringMatching(sentence) })
    }
  })
})

describe('the published package', () => {
  it('has a command that runs what was built, without the sources', () => {
    const folder = join(root, 'package')
    cpSync(BIN, join(folder, 'src/cli/quorate.js'))
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    // Only what it writes counts here; whether all types are right, `npm run types` says.
    spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')])
    const bin = join(folder, 'src/cli/quorate.js')
    expect(run(['--version'], { bin })).toMatchObject({ status: 0, stderr: '' })
    expect(run(['keygen', 'built', '--replicas', '1'], { bin })).toMatchObject({ status: 0, stderr: '' })
  })
})

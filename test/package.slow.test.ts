import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string
  dependencies: Record<string, string>
  exports: Record<string, { default: string; types: string } | string>
}

/** A folder in which the packed package is installed as a user has it, beside its run-time dependencies and nothing else. */
let home = ''
let files: string[] = []

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'quorate-pack-'))
  // npm test has built dist already; npm pack would build it again under the feet of other tests.
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', home], { cwd: ROOT })
  const [report] = JSON.parse(packed.toString()) as [{ filename: string; files: { path: string }[] }]
  files = report.files.map((file) => file.path)
  const modules = join(home, 'node_modules')
  mkdirSync(join(modules, 'quorate'), { recursive: true })
  execFileSync('tar', ['-xzf', join(home, report.filename), '-C', join(modules, 'quorate'), '--strip-components=1'])
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
})

afterAll(() => rmSync(home, { recursive: true, force: true }))

function run(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: home, encoding: 'utf8' })
}

describe('the published package', () => {
  it('holds the build, the binary and the papers, and nothing else', () => {
    const papers = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md']
    const strangers = files.filter(
      (path) => !papers.includes(path) && path !== 'src/cli/quorate.js' && !/^dist\/.+\.(js|d\.ts)$/.test(path),
    )
    expect(strangers).toEqual([])
    expect(files).toEqual(expect.arrayContaining([...papers, 'src/cli/quorate.js', 'dist/src/cli/main.js']))
    expect(files.filter((path) => /\b(test|bench)\//.test(path))).toEqual([])
  })

  it('runs its binary from the build, without sources', () => {
    expect(run('node_modules/quorate/src/cli/quorate.js', '--version').trim()).toContain(manifest.version)
  })

  it('has every door that package.json names, with its types', () => {
    const doors = Object.entries(manifest.exports).filter(([, door]) => typeof door !== 'string')
    expect(doors.length).toBeGreaterThan(2)
    for (const [name, door] of doors) {
      if (typeof door === 'string') continue
      expect(files).toContain(door.types.slice(2))
      const program = `const door = await import('quorate${name.slice(1)}'); console.log(Object.keys(door).length)`
      expect(Number(run('--input-type=module', '--eval', program)), name).toBeGreaterThan(0)
    }
  })
})

// The house rules of the tree as one table. README.md draws the same arrows.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { codeOnly, readSources, type Sources, specifiersOf, targetOf } from './support/imports.ts'

interface Zone {
  /** The folder; of nested zones the innermost counts. */
  readonly folder: string
  /** Zones that it may import, besides itself; only through their index.ts. */
  readonly may: readonly string[]
  /** No I/O, clock or randomness; imports only the npm packages named. */
  readonly pure?: readonly string[]
}

const ZONES: readonly Zone[] = [
  { folder: 'crypto', may: [], pure: ['@noble/ed25519', '@noble/hashes', 'multiformats'] },
  {
    folder: 'keys/genesis',
    may: ['crypto'],
    pure: ['@noble/hashes', 'canonicalize', 'multiformats', 'zod'],
  },
  { folder: 'keys/charter', may: ['crypto', 'keys/genesis'], pure: [] },
  { folder: 'keys/native', may: ['crypto'] },
  { folder: 'keys', may: ['crypto', 'keys/genesis', 'keys/native'] },
  { folder: 'net/wire', may: ['crypto'], pure: [] },
  { folder: 'net', may: ['crypto', 'keys', 'keys/genesis', 'keys/native', 'net/wire'] },
  { folder: 'src/storage', may: ['crypto', 'keys', 'keys/genesis', 'keys/native'] },
  { folder: 'src/consensus', may: ['crypto', 'keys/charter', 'keys/genesis'], pure: ['@noble/hashes'] },
  { folder: 'src/machine', may: ['crypto', 'keys/charter', 'keys/genesis'], pure: ['@noble/hashes'] },
  {
    folder: 'src/wire',
    may: ['crypto', 'keys/charter', 'keys/genesis', 'net/wire', 'src/consensus', 'src/machine'],
    pure: ['@noble/hashes'],
  },
  {
    folder: 'src/byzantine',
    may: ['crypto', 'keys/charter', 'keys/genesis', 'src/consensus', 'src/machine'],
    pure: ['@noble/hashes'],
  },
  {
    folder: 'src/simulation',
    may: [
      'crypto',
      'keys/charter',
      'keys/genesis',
      'net/wire',
      'src/wire',
      'src/consensus',
      'src/machine',
      'src/byzantine',
      'src/audit/verify',
    ],
    pure: ['@noble/hashes'],
  },
  {
    folder: 'src/audit/verify',
    may: ['crypto', 'keys/charter', 'keys/genesis', 'net/wire', 'src/wire', 'src/consensus', 'src/machine'],
    pure: ['@noble/hashes'],
  },
  {
    folder: 'src/audit',
    may: [
      'crypto',
      'keys',
      'keys/charter',
      'keys/genesis',
      'keys/native',
      'net/wire',
      'src/wire',
      'src/audit/verify',
      'src/consensus',
      'src/machine',
    ],
  },
  {
    folder: 'src/client',
    may: [
      'crypto',
      'keys',
      'keys/charter',
      'keys/genesis',
      'keys/native',
      'net',
      'src/wire',
      'src/storage',
      'src/audit/verify',
      'src/consensus',
      'src/machine',
    ],
  },
  {
    folder: 'src/replica',
    may: [
      'crypto',
      'keys',
      'keys/charter',
      'keys/genesis',
      'keys/native',
      'net',
      'src/wire',
      'src/storage',
      'src/consensus',
      'src/machine',
      'src/byzantine',
    ],
  },
  {
    folder: 'src/cli',
    may: [
      'crypto',
      'keys',
      'keys/charter',
      'keys/genesis',
      'keys/native',
      'src/audit',
      'src/audit/verify',
      'src/byzantine',
      'src/client',
      'src/consensus',
      'src/machine',
      'src/replica',
      'src/simulation',
      'src/storage',
      'src/wire',
      'net',
    ],
  },
]

/** Words that pure code may not use: I/O, clocks, randomness, and what differs from machine to machine (pitfall P46). */
const IMPURE =
  /(?<![.\w])(?:Date|Math\.random|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|Buffer|console|fetch|globalThis|crypto|Intl|require)\b(?=\s*[.(\x5b]|\s*$)|(?<![.\w])(?:window|document|navigator)\.|\b(?:toLocale\w+|localeCompare)\b/m

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const FOLDERS = ['crypto', 'keys', 'net', 'src'].filter((folder) => existsSync(join(ROOT, folder)))

/** Every break of the table in `sources`, one sentence each. */
function violations(sources: Sources): string[] {
  return [...sources].flatMap(([path, source]) => {
    const zone = zoneOf(path)
    if (zone === undefined) return [`${path} lies in no zone: add its folder to ZONES`]
    const arrows = specifiersOf(source).flatMap((specifier) => arrowFault(zone, path, specifier) ?? [])
    const word = zone.pure === undefined ? null : IMPURE.exec(codeOnly(source))
    return word === null ? arrows : [...arrows, `${path} is pure and uses ${word[0]}`]
  })
}

function zoneOf(path: string): Zone | undefined {
  return ZONES.filter((zone) => path.startsWith(`${zone.folder}/`)).sort((a, b) => b.folder.length - a.folder.length)[0]
}

function arrowFault(zone: Zone, path: string, specifier: string): string | undefined {
  const target = targetOf(path, specifier)
  if (target.kind === 'builtin') return zone.pure && `${path} is pure and imports ${specifier}`
  if (target.kind === 'package') {
    return zone.pure === undefined || zone.pure.includes(target.name)
      ? undefined
      : `${path} is pure and imports the package ${target.name}`
  }
  const other = zoneOf(target.path)
  if (other === zone) return undefined
  if (other === undefined)
    return zone.folder === 'src/cli' ? undefined : `${path} imports ${target.path}, outside the table`
  if (!zone.may.includes(other.folder))
    return `${path} imports ${target.path}: ${zone.folder} may not import ${other.folder}`
  return target.path === `${other.folder}/index.ts`
    ? undefined
    : `${path} imports ${target.path}, not ${other.folder}'s door`
}

describe('the architecture', () => {
  it('holds in the whole tree', () => {
    const sources = readSources(ROOT, FOLDERS)
    expect(sources.size).toBeGreaterThan(10)
    expect(violations(sources)).toEqual([])
  })

  it('has arrows that point one way: no zone reaches itself', () => {
    const reaches = (from: string, seen: ReadonlySet<string>): boolean => {
      const zone = ZONES.find((each) => each.folder === from)
      return (zone?.may ?? []).some((next) => seen.has(next) || reaches(next, new Set([...seen, next])))
    }
    for (const zone of ZONES) expect(reaches(zone.folder, new Set([zone.folder])), zone.folder).toBe(false)
  })

  it.each([
    ['an arrow upwards', 'crypto/a.ts', "import { x } from '../keys/index.ts'", 'crypto may not import keys'],
    [
      'a type alone',
      'src/consensus/a.ts',
      "import type { x } from '../storage/index.ts'",
      'may not import src/storage',
    ],
    ['a side door', 'net/a.ts', "import { x } from '../crypto/bytes.ts'", "not crypto's door"],
    ['a dynamic import', 'src/machine/a.ts', "await import('../../net/index.ts')", 'src/machine may not import net'],
    ['a re-export', 'keys/native/a.ts', "export * from '../index.ts'", 'keys/native may not import keys'],
    ['a Node built-in', 'keys/genesis/a.ts', "import { readFileSync } from 'node:fs'", 'pure and imports node:fs'],
    ['a bare built-in', 'crypto/a.ts', "import fs from 'fs'", 'pure and imports fs'],
    ['libp2p in the core', 'src/consensus/a.ts', "import { x } from 'libp2p'", 'imports the package libp2p'],
    ['a clock', 'src/machine/a.ts', 'const now = Date.now()', 'pure and uses Date'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source under test
    ['a clock in a template', 'src/machine/a.ts', 'const s = `at ${Date.now()}`', 'pure and uses Date'],
    ['randomness', 'src/simulation/a.ts', 'const x = Math.random()', 'pure and uses Math.random'],
    ['the locale', 'src/machine/a.ts', 'keys.sort((a, b) => a.localeCompare(b))', 'pure and uses localeCompare'],
    ['the page', 'src/machine/a.ts', 'const x = window.name', 'pure and uses window'],
    ['a folder nobody listed', 'src/new/a.ts', 'export {}', 'lies in no zone'],
  ])('is seen to be broken by %s', (_, path, source, sentence) => {
    expect(violations(new Map([[path, source]]))).toEqual([expect.stringContaining(sentence)])
  })

  it('is not broken by a comment or a sentence that only speaks of such things', () => {
    const source =
      "// Date.now() from 'node:fs'\n/* Math.random() */\nexport const text = 'process.exit() at Date.now()'\n"
    expect(violations(new Map([['crypto/a.ts', source]]))).toEqual([])
  })

  it('lets nobody but the verifiers and the core call something verified', () => {
    const users = [...readSources(ROOT, FOLDERS)].filter(([, source]) => codeOnly(source).includes('markVerified'))
    const strangers = users.filter(([path]) => !path.startsWith('crypto/') && !path.startsWith('src/consensus/'))
    expect(users.length).toBeGreaterThan(3)
    expect(strangers.map(([path]) => path)).toEqual([])
  })

  it('keeps Node out of every package that pure code reaches, when it is really loaded', () => {
    const doors = ZONES.filter((zone) => zone.pure !== undefined)
      .map((zone) => join(ROOT, zone.folder, 'index.ts'))
      .filter((door) => existsSync(door))
    const program = `
      const reached = []
      registerHooks({
        resolve(specifier, context, next) {
          const found = next(specifier, context)
          if (found.url.startsWith('node:')) reached.push(specifier + ' from ' + context.parentURL)
          return found
        },
      })
      for (const door of ${JSON.stringify(doors)}) await import(pathToFileURL(door).href)
      console.log(JSON.stringify(reached))`
    const prelude = "import { registerHooks } from 'node:module'; import { pathToFileURL } from 'node:url';"
    const args = ['--no-warnings', '--input-type=module', '--eval', prelude + program]
    expect(doors.length).toBeGreaterThan(0)
    expect(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))).toEqual([])
  })
})

import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))

const report = z.object({
  suite: z.string(),
  date: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  figures: z.array(
    z.object({
      name: z.string(),
      unit: z.enum(['us', '/s', 'x']),
      median: z.number().positive(),
      min: z.number().positive(),
      max: z.number().positive(),
      runs: z.literal(2),
    }),
  ),
})

describe('npm run bench -- crypto --quick', () => {
  it('exits with 0, and its JSON has every row and every ratio, with the median between the least and the most', () => {
    const { suite, figures } = report.parse(JSON.parse(bench('crypto', '--quick', '--json')))
    expect(suite).toBe('crypto')
    expect(figures.map(({ name }) => name)).toEqual([
      'sign, native',
      'sign, portable',
      'sign, sodium',
      'verify, native',
      'verify, portable',
      'verify, sodium',
      'admit a key (K1-K4)',
      'SHA-256 of 65 bytes, noble',
      'SHA-256 of 65 bytes, crypto.hash',
      'SHA-256 of 65 bytes, createHash',
      ...[65, 129].flatMap((length) =>
        ['noble', 'one by one', 'in lanes'].map((how) => `SHA-256 of ${length} bytes, 1,024 at once, ${how}`),
      ),
      'certificate, n = 4, q = 3, native',
      'certificate, n = 4, q = 3, portable',
      'certificate, n = 7, q = 5, native',
      'certificate, n = 7, q = 5, portable',
      'certificate, n = 31, q = 21, native',
      'certificate, n = 31, q = 21, portable',
      'checkpoint note, n = 4, q = 3, native',
      'checkpoint note, n = 4, q = 3, portable',
      'verify a batch, inline',
      'verify a batch, pool of 1 thread',
      'verify a batch, pool of 2 threads',
      'main thread a signature, inline',
      'main thread a signature, pool of 1 thread',
      'tree: append a leaf',
      'frontier: append a leaf',
      'make an inclusion proof',
      'verify an inclusion proof',
      'make a consistency proof',
      'verify a consistency proof',
      'sign: sodium / native',
      'sign: portable / native',
      'verify: sodium / native',
      'verify: portable / native',
      'SHA-256 of 65 bytes: one by one / in lanes',
      'SHA-256 of 129 bytes: one by one / in lanes',
      'verify a batch: pool of 1 / inline',
      'verify a batch: pool of 2 / inline',
    ])
    for (const { name, median, min, max } of figures) {
      expect(min, name).toBeLessThanOrEqual(median)
      expect(median, name).toBeLessThanOrEqual(max)
    }
  })

  it('prints a table for people', () => {
    const lines = bench('crypto', '--quick').split('\n')
    expect(lines[0]).toMatch(/^crypto, \d{4}-\d\d-\d\d: Node /)
    expect(lines.filter((line) => /^\| verify, native +\| +[0-9.,]+ µs \|/.test(line))).toHaveLength(1)
  })
})

describe('the bench command', () => {
  it('shows an example in its help', () => {
    expect(bench('--help')).toContain('$ npm run bench -- crypto')
  })

  it.each([[['nonsense']], [['crypto', '--runs', '0']], [[]]])('exits with 2 for the arguments %j', (args) => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr).toMatch(/^error: /)
  })
})

function bench(...args: string[]): string {
  return execFileSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

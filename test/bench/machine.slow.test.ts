import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { z } from 'zod'

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
const report = z.object({
  suite: z.literal('machine'),
  settings: z.record(z.string(), z.union([z.string(), z.number()])),
  figures: z.array(z.object({ name: z.string(), unit: z.literal('us'), median: z.number().positive() })),
})

it('npm run bench -- machine --quick measures every row, and how much memory a key takes', () => {
  const output = execFileSync(process.execPath, [MAIN, 'machine', '--quick', '--json'], { encoding: 'utf8' })
  const { settings, figures } = report.parse(JSON.parse(output))
  expect(typeof settings['bytes kept a key']).toBe('number')
  expect(figures.map(({ name }) => name)).toEqual([
    'execute a put, native',
    'execute a put with its share of the state root, native',
    'execute a put, noble',
    'execute a put with its share of the state root, noble',
    'make a state proof',
    'verify a state proof, noble',
    'snapshot: write a key',
    'restore: verify and load a key, native',
    'state root, 20 changed, native',
    'state root, 20 changed, noble',
    'state root, 2048 changed of 4000',
    'state root, 2048 changed of 8000',
  ])
})

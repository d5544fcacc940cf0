// Golden vectors freeze formats: a file is compared, and rewritten only when UPDATE_GOLDEN=1 is set on purpose.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** The JSON in test/golden/NAME.golden.json; first written from `made` where UPDATE_GOLDEN=1 asks for it. */
export function golden(name: string, made: unknown): unknown {
  const file = join(here, '..', 'golden', `${name}.golden.json`)
  if (process.env.UPDATE_GOLDEN === '1') {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`)
  }
  return JSON.parse(readFileSync(file, 'utf8'))
}

// node tools/wire/generate.ts: makes net/wire/generated from the .proto files beside it. Runs at every install.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { emitIndex, emitModule } from './emit.ts'
import { readSchema } from './schema.ts'

const WIRE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'net', 'wire')
const OUT = join(WIRE, 'generated')

const files = readdirSync(WIRE)
  .filter((file) => file.endsWith('.proto') && file !== 'options.proto')
  .sort()
const messages = readSchema(WIRE, files)
const names = files.map((file) => basename(file, '.proto'))
const modules = new Map(names.map((name) => [`${name}.ts`, emitModule(name, messages)]))
modules.set('index.ts', emitIndex(names, messages))

mkdirSync(OUT, { recursive: true })
for (const stale of readdirSync(OUT)) if (!modules.has(stale)) rmSync(join(OUT, stale))
for (const [file, text] of modules) {
  const path = join(OUT, file)
  // Written only when changed, so that watchers and other processes that read it are left in peace.
  if (textOf(path) !== text) writeFileSync(path, text)
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

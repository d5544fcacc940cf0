import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { emitModule } from '../../../tools/wire/emit.ts'
import { readSchema } from '../../../tools/wire/schema.ts'

const WIRE = fileURLToPath(new URL('../../../net/wire/', import.meta.url))
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-schema-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

function schemaOf(body: string) {
  writeFileSync(join(folder, 'test.proto'), `syntax = "proto3"; package quorate.wire; ${body}`)
  return readSchema(folder, ['test.proto'])
}

describe('the generator', () => {
  it('made what is used here from the schema as it is; if not, run npm run prepare', () => {
    const files = readdirSync(WIRE).filter((file) => file.endsWith('.proto') && file !== 'options.proto')
    const messages = readSchema(WIRE, files.sort())
    for (const file of files) {
      const name = file.replace('.proto', '')
      expect(readFileSync(join(WIRE, 'generated', `${name}.ts`), 'utf8')).toBe(emitModule(name, messages))
    }
  })

  it.each([
    [
      'a list without a bound',
      'message A { repeated uint32 items = 1; }',
      'A.items: a repeated field needs (max_count)',
    ],
    ['bytes without a bound', 'message A { bytes data = 1; }', 'A.data: expected a supported type'],
    ['text without a bound', 'message A { string name = 1; }', 'A.name: expected a supported type'],
    ['signed numbers', 'message A { sint64 change = 1; }', 'A.change: expected a supported type'],
    ['floats', 'message A { double ratio = 1; }', 'A.ratio: expected a supported type'],
    [
      'fields in descending order',
      'message A { uint32 b = 2; uint32 a = 1; }',
      'A.a: fields are declared in ascending order',
    ],
    ['an optional number', 'message A { optional uint32 a = 1; }', 'A.a: only messages, and bytes of a fixed size,'],
    [
      'a number before a oneof',
      'message B {} message A { uint32 n = 1; oneof kind { B b = 2; } }',
      'A.n: what is beside a oneof comes after it',
    ],
    [
      'a number among those of a oneof',
      'message B {} message A { oneof kind { B b = 1; B c = 3; } uint32 n = 2; }',
      'A.n: fields are declared in ascending order',
    ],
    [
      'anything but numbers beside a oneof',
      'message B {} message A { oneof kind { B b = 1; } bool flag = 2; }',
      'A.flag: only numbers may be beside a oneof',
    ],
    ['two oneofs', 'message B {} message A { oneof a { B b = 1; } oneof c { B d = 2; } }', 'A: one oneof at most'],
    ['a oneof of numbers', 'message A { oneof kind { uint32 n = 1; } }', 'A.n: a oneof holds messages'],
    ['a name that the code needs', 'message A { uint32 end = 1; }', 'A.end: the generated code uses this name'],
    ['a number of three bytes', 'message A { uint32 a = 2048; }', 'A.a: numbers up to 2047'],
    ['a retired number', 'message A { reserved 3; uint32 a = 3; }', 'id 3 is reserved'],
  ])('refuses %s', (_, body, sentence) => {
    expect(() => schemaOf(body)).toThrow(sentence)
  })
})

// TypeScript for the messages of one .proto file: a type, a size, a writer and a reader each, straight-line code with nothing to
// look up at run time. Erasable types only, so that Node runs the file as it is.

import type { FieldModel, FieldType, MessageModel } from './schema.ts'

const HEAD = (
  file: string,
) => `// Generated from ${file}.proto by tools/wire/generate.ts; not edited by hand, and not kept in git.
`

/** What modules may import from codec.ts. */
const CODEC = [
  'anySize',
  'fixedSize',
  'NO_BYTES',
  'nestedSize',
  'numberSize',
  'Reader',
  'requireCount',
  'someSize',
  'textSize',
  'varintSize',
  'WireFault',
  'Writer',
]

/** Wire types of proto3. */
const VARINT = 0
const LENGTH = 2

/** The module for the messages of `file`. */
export function emitModule(file: string, all: readonly MessageModel[]): string {
  const messages = all.filter((message) => message.file === file)
  const body = messages.map(emitMessage).join('\n')
  return `${HEAD(file)}\n${imports(file, messages, body)}\n${body}`
}

function imports(file: string, messages: readonly MessageModel[], body: string): string {
  const used = (names: readonly string[]) => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body))
  const lines: string[] = []
  const crypto = used(['Result', 'utf8']).map((name) => (name === 'Result' ? 'type Result' : name))
  if (crypto.length > 0) lines.push(`import { ${crypto.join(', ')} } from '../../../crypto/index.ts'`)
  const codec = used(CODEC).map((name) => (name === 'WireFault' ? 'type WireFault' : name))
  lines.push(`import { ${codec.join(', ')} } from '../codec.ts'`)
  const limits = [...new Set(body.match(/\bMAX_(?!SAFE)[A-Z_]+\b/g) ?? [])].sort()
  if (limits.length > 0) lines.push(`import { ${limits.join(', ')} } from '../limits.ts'`)
  const foreign = new Map<string, Set<string>>()
  for (const { type } of messages.flatMap((message) => message.fields)) {
    if (type.kind !== 'message' || type.file === file) continue
    const names = foreign.get(type.file) ?? new Set()
    for (const name of [`type ${type.name}`, `read${type.name}`, `size${type.name}`, `write${type.name}`])
      names.add(name)
    foreign.set(type.file, names)
  }
  for (const [from, names] of foreign) lines.push(`import { ${[...names].sort().join(', ')} } from './${from}.ts'`)
  return lines.join('\n')
}

function emitMessage(message: MessageModel): string {
  const parts = message.union
    ? [unionType(message), unionSize(message), unionWriter(message), unionReader(message)]
    : [structType(message), structSize(message), structWriter(message), structReader(message)]
  if (message.frame !== undefined) parts.push(frameCodec(message, message.frame))
  return `${parts.join('\n')}`
}

function doc(comment: string, indent = ''): string {
  return comment === '' ? '' : `${indent}/** ${comment.replaceAll('\n', ' ')} */\n`
}

function structType({ name, comment, fields }: MessageModel): string {
  const lines = fields.map((field) => `${doc(field.comment, '  ')}  readonly ${field.name}: ${fieldType(field)}\n`)
  if (fields.length === 0) return `${doc(comment)}export type ${name} = Readonly<Record<string, never>>\n`
  return `${doc(comment)}export interface ${name} {\n${lines.join('')}}\n`
}

function unionType({ name, comment, fields }: MessageModel): string {
  const arms = fields.map(
    (field) => `  | { readonly kind: '${field.name}'; readonly value: ${typeName(field.type)} }\n`,
  )
  return `${doc(comment)}export type ${name} =\n${arms.join('')}`
}

function fieldType({ type, repeated, optional }: FieldModel): string {
  const base = typeName(type)
  return repeated ? `readonly ${base}[]` : optional ? `${base} | undefined` : base
}

function typeName(type: FieldType): string {
  switch (type.kind) {
    case 'number':
      return 'number'
    case 'bool':
      return 'boolean'
    case 'text':
      return 'string'
    case 'fixed':
    case 'bytes':
      return 'Uint8Array'
    case 'message':
      return type.name
  }
}

// Sizes.

function structSize({ name, fields }: MessageModel): string {
  if (fields.length === 0) return `export function size${name}(_value: ${name}): number {\n  return 0\n}\n`
  const lines = fields.map(sizeStatements).join('')
  return `export function size${name}(value: ${name}): number {\n  let size = 0\n${lines}  return size\n}\n`
}

function sizeStatements(field: FieldModel): string {
  const value = `value.${field.name}`
  const tag = tagSize(field)
  const { type, label } = field
  if (!field.repeated) {
    const add = `size += ${sizeOf(type, value, tag, label)}`
    return field.optional ? `  if (${value} !== undefined) ${add}\n` : `  ${add}\n`
  }
  const count = `  requireCount(${value}, ${field.maxCount}, '${label}')\n`
  if (type.kind !== 'number') {
    return `${count}  for (const each of ${value}) size += ${itemSizeOf(type, 'each', tag, label)}\n`
  }
  return `${count}  if (${value}.length > 0) size += nestedSize(${tag}, size${packed(field)}(value))\n`
}

function sizeOf(type: FieldType, value: string, tag: number, label: string): string {
  switch (type.kind) {
    case 'number':
      return `numberSize(${tag}, ${value}, ${type.most}, '${label}')`
    case 'bool':
      return `(${value} ? ${tag + 1} : 0)`
    case 'text':
      return `textSize(${tag}, ${value}, ${type.most}, '${label}')`
    case 'bytes':
      return `someSize(${tag}, ${value}, ${type.most}, '${label}')`
    default:
      return itemSizeOf(type, value, tag, label)
  }
}

/** In a list nothing is left out for being empty. */
function itemSizeOf(type: FieldType, value: string, tag: number, label: string): string {
  switch (type.kind) {
    case 'fixed':
      return `fixedSize(${tag}, ${value}, ${type.size}, '${label}')`
    case 'bytes':
      return `anySize(${tag}, ${value}, ${type.most}, '${label}')`
    case 'text':
      return `anySize(${tag}, utf8(${value}), ${type.most}, '${label}')`
    case 'message':
      return `nestedSize(${tag}, size${type.name}(${value}))`
    default:
      throw new Error(`${label}: not a list of these`)
  }
}

function unionSize({ name, fields }: MessageModel): string {
  const arms = fields.map(
    (field) =>
      `    case '${field.name}':\n      return nestedSize(${tagSize(field)}, size${typeName(field.type)}(value.value))\n`,
  )
  return `export function size${name}(value: ${name}): number {\n  switch (value.kind) {\n${arms.join('')}  }\n}\n`
}

// Writers: last field first.

function structWriter({ name, fields }: MessageModel): string {
  const helpers = fields
    .filter((field) => field.repeated && field.type.kind === 'number')
    .map((field) => packedSize(name, field))
  if (fields.length === 0) return `export function write${name}(_writer: Writer, _value: ${name}): void {}\n`
  const lines = fields.toReversed().map(writeStatements).join('')
  return `export function write${name}(writer: Writer, value: ${name}): void {\n${lines}}\n${helpers.join('')}`
}

function writeStatements(field: FieldModel): string {
  const value = `value.${field.name}`
  const { type } = field
  if (field.repeated && type.kind === 'number') {
    return `  if (${value}.length > 0) {
    const end = writer.at
    for (let i = ${value}.length - 1; i >= 0; i--) writer.varint(${value}[i] ?? 0)
    writer.head(${tagOf(field)}, end)
  }
`
  }
  if (field.repeated) {
    return `  for (let i = ${value}.length - 1; i >= 0; i--) {
    const each = ${value}[i]
    if (each === undefined) continue
${writeItem(field, 'each', '    ')}  }
`
  }
  if (field.optional) return `  if (${value} !== undefined) {\n${writeItem(field, value, '    ')}  }\n`
  return writeOne(field, value)
}

function writeOne(field: FieldModel, value: string): string {
  const tag = tagOf(field)
  switch (field.type.kind) {
    case 'number':
      return `  writer.number(${tag}, ${value})\n`
    case 'bool':
      return `  writer.number(${tag}, ${value} ? 1 : 0)\n`
    case 'text':
      return `  writer.text(${tag}, ${value})\n`
    case 'bytes':
      return `  writer.some(${tag}, ${value})\n`
    default:
      return writeItem(field, value, '  ')
  }
}

function writeItem(field: FieldModel, value: string, indent: string): string {
  const tag = tagOf(field)
  const { type } = field
  if (type.kind === 'text') return `${indent}writer.bytesOf(${tag}, utf8(${value}))\n`
  if (type.kind !== 'message') return `${indent}writer.bytesOf(${tag}, ${value})\n`
  const end = `end${field.number}`
  return `${indent}const ${end} = writer.at
${indent}write${type.name}(writer, ${value})
${indent}writer.head(${tag}, ${end})
`
}

function packed(field: FieldModel): string {
  return `Packed${field.label.replace('.', '_')}`
}

function packedSize(name: string, field: FieldModel): string {
  return `function size${packed(field)}(value: ${name}): number {
  let size = 0
  for (const each of value.${field.name}) size += numberSize(0, each, ${mostOf(field)}, '${field.label}') || 1
  return size
}
`
}

function unionWriter({ name, fields }: MessageModel): string {
  const arms = fields.map(
    (field) => `    case '${field.name}':
      write${typeName(field.type)}(writer, value.value)
      writer.head(${tagOf(field)}, end)
      break
`,
  )
  return `export function write${name}(writer: Writer, value: ${name}): void {
  const end = writer.at
  switch (value.kind) {
${arms.join('')}  }
}
`
}

// Readers.

function structReader({ name, fields }: MessageModel): string {
  const lines = fields.map((field) => readStatements(field)).join('')
  const made = fields.map((field) => field.name).join(', ')
  const last = fields.at(-1)
  const highest = last === undefined ? 0 : firstTagByte(last)
  return `export function read${name}(reader: Reader, end: number): ${name} | undefined {
${lines}  if (reader.at !== end) return reader.unexpected('${name}', ${highest}, end)
  return { ${made} }
}
`
}

function readStatements(field: FieldModel): string {
  const { name, label, type } = field
  if (field.repeated) return type.kind === 'number' ? readPacked(field) : readList(field)
  const there = hasTag(field)
  switch (type.kind) {
    case 'number':
      return `  const ${name} = ${there} ? reader.number(end, ${type.most}, '${label}') : 0\n  if (${name} < 0) return undefined\n`
    case 'bool':
      return `  const ${name}Flag = ${there} ? reader.number(end, 1, '${label}') : 0
  if (${name}Flag < 0) return undefined
  const ${name} = ${name}Flag === 1
`
    case 'text':
      return `  const ${name} = ${there} ? reader.text(end, ${type.most}, '${label}') : ''\n  if (${name} === undefined) return undefined\n`
    case 'bytes':
      return `  const ${name} = ${there} ? reader.some(end, ${type.most}, '${label}') : NO_BYTES\n  if (${name} === undefined) return undefined\n`
    case 'fixed':
      return `  const ${name} = ${there} ? reader.fixed(end, ${type.size}, '${label}') : reader.absent('${label}')\n  if (${name} === undefined) return undefined\n`
    case 'message': {
      const read = `  const ${name}End = reader.nested(end, '${label}')
  if (${name}End < 0) return undefined
  ${field.optional ? '' : 'const '}${name} = read${type.name}(reader, ${name}End)
  if (${name} === undefined) return undefined
`
      if (!field.optional) return `  if (!${there}) return reader.absent('${label}')\n${read}`
      return `  let ${name}: ${type.name} | undefined\n  if (${there}) {\n${read.replaceAll(/^/gm, '  ').trimEnd()}\n  }\n`
    }
  }
}

function readList(field: FieldModel): string {
  const { name, label, type, maxCount } = field
  const item = {
    fixed: () => `    const each = reader.fixed(end, ${type.kind === 'fixed' ? type.size : 0}, '${label}')\n`,
    bytes: () => `    const each = reader.any(end, ${mostOf(field)}, '${label}')\n`,
    text: () => `    const each = reader.anyText(end, ${mostOf(field)}, '${label}')\n`,
    message: () => `    const stop = reader.nested(end, '${label}')
    if (stop < 0) return undefined
    const each = read${typeName(type)}(reader, stop)
`,
    number: () => '',
    bool: () => '',
  }[type.kind]()
  return `  const ${name}: ${typeName(type)}[] = []
  while (${hasTag(field)}) {
    if (${name}.length === ${maxCount}) return reader.tooMany('${label}', ${maxCount})
${item}    if (each === undefined) return undefined
    ${name}.push(each)
  }
`
}

function readPacked(field: FieldModel): string {
  const { name, label, maxCount } = field
  return `  const ${name}: number[] = []
  if (${hasTag(field)}) {
    const stop = reader.nested(end, '${label}')
    if (stop < 0) return undefined
    if (stop === reader.at) return reader.fail('not-canonical', '${label}: nothing is not sent')
    while (reader.at < stop) {
      if (${name}.length === ${maxCount}) return reader.tooMany('${label}', ${maxCount})
      const each = reader.varint(stop, ${mostOf(field)}, '${label}')
      if (each < 0) return undefined
      ${name}.push(each)
    }
  }
`
}

function unionReader({ name, fields }: MessageModel): string {
  const arms = fields.map(
    (field) => `  if (${hasTag(field)}) {
    const stop = reader.nested(end, '${field.label}')
    if (stop < 0) return undefined
    const value = read${typeName(field.type)}(reader, stop)
    if (value === undefined) return undefined
    return stop === end ? { kind: '${field.name}', value } : reader.unexpected('${name}', 0, end)
  }
`,
  )
  return `export function read${name}(reader: Reader, end: number): ${name} | undefined {
${arms.join('')}  return reader.unknownKind('${name}', end)
}
`
}

function frameCodec({ name }: MessageModel, frame: string): string {
  const most = frame === 'record' ? 'Number.MAX_SAFE_INTEGER' : `MAX_FRAME_BYTES.${frame}`
  return `/** @throws {RangeError} where a value is out of the bounds that the schema gives. */
export function encode${name}(value: ${name}): Uint8Array {
  const writer = new Writer(size${name}(value))
  write${name}(writer, value)
  return writer.finish()
}
/** Byte strings in it are views of \`frame\`. Never throws. */
export function decode${name}(frame: Uint8Array): Result<${name}, WireFault> {
  const reader = new Reader(frame)
  return reader.close(reader.open(${most}) ? read${name}(reader, reader.bytes.length) : undefined)
}
`
}

// Tags.

function tagOf({ number, type, repeated }: FieldModel): number {
  const scalar = type.kind === 'number' || type.kind === 'bool'
  return number * 8 + (scalar && !repeated ? VARINT : LENGTH)
}

function tagSize(field: FieldModel): number {
  return tagOf(field) < 0x80 ? 1 : 2
}

function firstTagByte(field: FieldModel): number {
  const tag = tagOf(field)
  return tag < 0x80 ? tag : (tag & 0x7f) | 0x80
}

function hasTag(field: FieldModel): string {
  const tag = tagOf(field)
  return tag < 0x80 ? `reader.tag(${tag}, end)` : `reader.longTag(${(tag & 0x7f) | 0x80}, ${tag >>> 7}, end)`
}

function mostOf({ type, label }: FieldModel): string {
  if ('most' in type) return type.most
  throw new Error(`${label}: has no bound`)
}

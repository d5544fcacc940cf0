// Sizes and writers. Writers put the last field first, since the writer goes backward.

import { mostOf, packed, tagOf, tagSize, typeName } from './naming.ts'
import type { FieldModel, FieldType, MessageModel } from './schema.ts'

export function structSize({ name, fields }: MessageModel): string {
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

export function unionSize({ name, fields, beside }: MessageModel): string {
  const more = beside.map((field) => ` + ${sizeOf(field.type, `value.${field.name}`, tagSize(field), field.label)}`)
  const arms = fields.map((field) => {
    const size = `size${typeName(field.type)}(value.value)`
    return `    case '${field.name}':\n      return nestedSize(${tagSize(field)}, ${size})${more.join('')}\n`
  })
  return `export function size${name}(value: ${name}): number {\n  switch (value.kind) {\n${arms.join('')}  }\n}\n`
}

export function structWriter({ name, fields }: MessageModel): string {
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

function packedSize(name: string, field: FieldModel): string {
  return `function size${packed(field)}(value: ${name}): number {
  let size = 0
  for (const each of value.${field.name}) size += numberSize(0, each, ${mostOf(field)}, '${field.label}') || 1
  return size
}
`
}

export function unionWriter({ name, fields, beside }: MessageModel): string {
  const first = beside.toReversed().map((field) => writeOne(field, `value.${field.name}`))
  const arms = fields.map(
    (field) => `    case '${field.name}':
      write${typeName(field.type)}(writer, value.value)
      writer.head(${tagOf(field)}, end)
      break
`,
  )
  return `export function write${name}(writer: Writer, value: ${name}): void {
${first.join('')}  const end = writer.at
  switch (value.kind) {
${arms.join('')}  }
}
`
}

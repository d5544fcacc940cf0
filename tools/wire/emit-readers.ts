// Readers. Fields must ascend, so each is asked for in turn, and whatever is left at the end does not belong there.

import { firstTagByte, hasTag, mostOf, typeName } from './naming.ts'
import type { FieldModel, MessageModel } from './schema.ts'

export function structReader({ name, fields }: MessageModel): string {
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
  const either = (read: string, absent: string) => `  const ${name} = ${there} ? reader.${read} : ${absent}\n`
  const orRefuse = `  if (${name} === undefined) return undefined\n`
  switch (type.kind) {
    case 'number':
      return `${either(`number(end, ${type.most}, '${label}')`, '0')}  if (${name} < 0) return undefined\n`
    case 'bool':
      return `  const ${name}Flag = ${there} ? reader.number(end, 1, '${label}') : 0
  if (${name}Flag < 0) return undefined
  const ${name} = ${name}Flag === 1
`
    case 'text':
      return either(`text(end, ${type.most}, '${label}')`, "''") + orRefuse
    case 'bytes':
      return either(`some(end, ${type.most}, '${label}')`, 'NO_BYTES') + orRefuse
    case 'fixed': {
      const read = `fixed(end, ${type.size}, '${label}')`
      if (!field.optional) return either(read, `reader.absent('${label}')`) + orRefuse
      const inner = `    ${name} = reader.${read}\n  ${orRefuse}`
      return `  let ${name}: Uint8Array | undefined\n  if (${there}) {\n${inner}  }\n`
    }
    case 'message': {
      const read = `  const ${name}End = reader.nested(end, '${label}')
  if (${name}End < 0) return undefined
  ${field.optional ? '' : 'const '}${name} = read${type.name}(reader, ${name}End)
  if (${name} === undefined) return undefined
`
      if (!field.optional) return `  if (!${there}) return reader.absent('${label}')\n${read}`
      const indented = read.replaceAll(/^/gm, '  ').trimEnd()
      return `  let ${name}: ${type.name} | undefined\n  if (${there}) {\n${indented}\n  }\n`
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
    if (!reader.mayAdd(${name}.length, ${maxCount}, '${label}')) return undefined
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
      if (!reader.mayAdd(${name}.length, ${maxCount}, '${label}')) return undefined
      const each = reader.varint(stop, ${mostOf(field)}, '${label}')
      if (each < 0) return undefined
      ${name}.push(each)
    }
  }
`
}

export function unionReader({ name, fields, beside }: MessageModel): string {
  const made = (kind: string) =>
    beside.length === 0
      ? `    return stop === end ? { kind: '${kind}', value } : reader.unexpected('${name}', 0, end)\n`
      : `    const beside = readBeside${name}(reader, end)
    return beside && { kind: '${kind}', value, ...beside }
`
  const arms = fields.map(
    (field) => `  if (${hasTag(field)}) {
    const stop = reader.nested(end, '${field.label}')
    if (stop < 0) return undefined
    const value = read${typeName(field.type)}(reader, stop)
    if (value === undefined) return undefined
${made(field.name)}  }
`,
  )
  return `export function read${name}(reader: Reader, end: number): ${name} | undefined {
${arms.join('')}  return reader.unknownKind('${name}', end)
}
${besideReader(name, beside)}`
}

function besideReader(name: string, beside: readonly FieldModel[]): string {
  if (beside.length === 0) return ''
  return `
function readBeside${name}(reader: Reader, end: number) {
${beside.map(readStatements).join('')}  return reader.at === end ? { ${beside.map((field) => field.name).join(', ')} } : reader.unexpected('${name}', 0, end)
}
`
}

// The .proto files as the generator needs them: parsed by protobufjs, and refused where they use more than the codec
// supports.

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import protobuf from 'protobufjs'

export interface MessageModel {
  readonly name: string
  /** The file that defines it, without its ending. */
  readonly file: string
  readonly comment: string
  /** Where it stands alone behind a version byte: the channel, or `record`. */
  readonly frame: string | undefined
  /** True for a union: exactly one of its fields is there. */
  readonly union: boolean
  /** Ascending by number. */
  readonly fields: readonly FieldModel[]
  /** Of a union, numbers that come after whichever field is there. */
  readonly beside: readonly FieldModel[]
}

export interface FieldModel {
  readonly name: string
  /** `Message.field`, for faults. */
  readonly label: string
  readonly comment: string
  readonly number: number
  readonly repeated: boolean
  readonly optional: boolean
  readonly type: FieldType
  /** Expression for the most items of a repeated field. */
  readonly maxCount: string | undefined
}

export type FieldType =
  | { readonly kind: 'number'; readonly most: string }
  | { readonly kind: 'bool' }
  | { readonly kind: 'fixed'; readonly size: number }
  | { readonly kind: 'bytes' | 'text'; readonly most: string }
  | { readonly kind: 'message'; readonly name: string; readonly file: string }

/** Parameters and variables of the generated functions. */
const OWN_NAMES: readonly string[] = ['each', 'end', 'reader', 'stop', 'value', 'writer']

/** Where each message is defined: its file, without the ending. */
type Files = ReadonlyMap<protobuf.Type, string>

/**
 * The messages of all `files` in `folder`, in their order. @throws {Error} where the schema asks for what the codec has
 * not.
 */
export function readSchema(folder: string, files: readonly string[]): MessageModel[] {
  const root = new protobuf.Root()
  const definedIn = new Map<protobuf.Type, string>()
  for (const file of files) {
    protobuf.parse(readFileSync(join(folder, file), 'utf8'), root, { alternateCommentMode: true })
    for (const type of typesOf(root)) if (!definedIn.has(type)) definedIn.set(type, basename(file, '.proto'))
  }
  return typesOf(root).map((type) => messageOf(type, definedIn))
}

function typesOf(root: protobuf.Root): protobuf.Type[] {
  const found = root.lookup('quorate.wire')
  if (!(found instanceof protobuf.Namespace)) throw new Error('expected the package quorate.wire')
  return found.nestedArray.filter((each) => each instanceof protobuf.Type)
}

function messageOf(type: protobuf.Type, files: Files): MessageModel {
  const real = type.oneofsArray.filter((each) => !each.isProto3Optional)
  const union = real.length === 1
  if (real.length > 1) throw new Error(`${type.name}: one oneof at most`)
  const arms = real[0]?.fieldsArray.length ?? 0
  const fields = type.fieldsArray.map((field) => fieldOf(type, field, files))
  for (const [i, { number, label, type: kind }] of fields.entries()) {
    const previous = fields[i - 1]
    if (previous !== undefined && previous.number >= number)
      throw new Error(`${label}: fields are declared in ascending order`)
    if (!union) continue
    const inside = type.fields[fields[i]?.name ?? '']?.partOf != null
    if (inside !== i < arms) throw new Error(`${label}: what is beside a oneof comes after it`)
    if (inside && kind.kind !== 'message') throw new Error(`${label}: a oneof holds messages`)
    if (!inside && (kind.kind !== 'number' || fields[i]?.repeated === true))
      throw new Error(`${label}: only numbers may be beside a oneof`)
  }
  return {
    name: type.name,
    file: files.get(type) ?? '',
    comment: type.comment ?? '',
    frame: textOption(type, 'frame'),
    union,
    fields: union ? fields.slice(0, arms) : fields,
    beside: union ? fields.slice(arms) : [],
  }
}

function fieldOf(type: protobuf.Type, field: protobuf.Field, files: Files): FieldModel {
  const label = `${type.name}.${field.name}`
  const maxCount = textOption(field, 'max_count')
  if (field.repeated && maxCount === undefined) throw new Error(`${label}: a repeated field needs (max_count)`)
  if (OWN_NAMES.includes(field.name)) throw new Error(`${label}: the generated code uses this name itself`)
  if (field.id > 2047) throw new Error(`${label}: numbers up to 2047 are supported`)
  const made: FieldModel = {
    name: field.name,
    label,
    comment: field.comment ?? '',
    number: field.id,
    repeated: field.repeated,
    optional: field.getOption('proto3_optional') === true,
    type: typeOf(label, field.resolve(), files),
    maxCount,
  }
  if (made.optional && made.type.kind !== 'message' && made.type.kind !== 'fixed')
    throw new Error(`${label}: only messages, and bytes of a fixed size, may be optional`)
  return made
}

function typeOf(label: string, field: protobuf.Field, files: Files): FieldType {
  if (field.resolvedType instanceof protobuf.Type) {
    return { kind: 'message', name: field.resolvedType.name, file: files.get(field.resolvedType) ?? '' }
  }
  if (field.resolvedType instanceof protobuf.Enum) {
    return { kind: 'number', most: String(Math.max(...Object.values(field.resolvedType.values))) }
  }
  const most = textOption(field, 'max_size')
  switch (field.type) {
    case 'uint32':
    case 'uint64':
      return { kind: 'number', most: mostOf(field) }
    case 'bool':
      return { kind: 'bool' }
    case 'string':
      if (most === undefined) break
      return { kind: 'text', most }
    case 'bytes': {
      const size = field.getOption('(size)')
      if (typeof size === 'number') return { kind: 'fixed', size }
      if (most === undefined) break
      return { kind: 'bytes', most }
    }
  }
  throw new Error(`${label}: expected a supported type, with (size) or (max_size) for bytes, got ${field.type}`)
}

function mostOf(field: protobuf.Field): string {
  const below = textOption(field, 'below')
  const otherwise = field.type === 'uint32' ? '0xffffffff' : 'Number.MAX_SAFE_INTEGER'
  return below === undefined ? (textOption(field, 'most') ?? otherwise) : `${below} - 1`
}

function textOption(of: protobuf.ReflectionObject, name: string): string | undefined {
  const value: unknown = of.getOption(`(${name})`)
  return typeof value === 'string' ? value : undefined
}

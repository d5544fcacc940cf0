// Names, tags and types that the parts of the generator have in common.

import type { FieldModel, FieldType } from './schema.ts'

/** Wire types of proto3. */
const VARINT = 0
const LENGTH = 2

/** Field number and wire type as one number, as it stands before the field. */
export function tagOf({ number, type, repeated }: FieldModel): number {
  const scalar = type.kind === 'number' || type.kind === 'bool'
  return number * 8 + (scalar && !repeated ? VARINT : LENGTH)
}

/** Bytes of the tag. */
export function tagSize(field: FieldModel): number {
  return tagOf(field) < 0x80 ? 1 : 2
}

/** First byte of the tag's varint. */
export function firstTagByte(field: FieldModel): number {
  const tag = tagOf(field)
  return tag < 0x80 ? tag : (tag & 0x7f) | 0x80
}

/** Condition under which the field is next; the reader is then past its tag. */
export function hasTag(field: FieldModel): string {
  const tag = tagOf(field)
  return tag < 0x80 ? `reader.tag(${tag}, end)` : `reader.longTag(${(tag & 0x7f) | 0x80}, ${tag >>> 7}, end)`
}

/** The bound of a field that has one. */
export function mostOf({ type, label }: FieldModel): string {
  if ('most' in type) return type.most
  throw new Error(`${label}: has no bound`)
}

/** The type of one value of the field. */
export function typeName(type: FieldType): string {
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

/** What the function that adds up a packed list is called behind `size`. */
export function packed(field: FieldModel): string {
  return `Packed${field.label.replace('.', '_')}`
}

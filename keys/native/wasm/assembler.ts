// As much of WebAssembly's binary format as the arithmetic of keys/native needs. An expression leaves one value.
// Ref: WebAssembly Core Specification 2.0, section 5.

/** Bytes, in lists of lists that are written out in the end: to copy them at each step took twice as long. */
export type Code = readonly (number | Code)[]

/** A function of i32 parameters without a result. Locals are numbered: parameters, then i64, then i32, then v128. */
export interface Program {
  readonly name: string
  readonly parameters: number
  readonly longs?: number
  readonly ints?: number
  readonly vectors?: number
  readonly body: Code
}

const [I32, I64, V128] = [0x7f, 0x7e, 0x7b]
const [NOTHING, END] = [0x40, 0x0b]
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
/** Those of vectors come after a byte of their own. */
const VECTOR = 0xfd
const CODES = {
  'i32.eq': 0x46,
  'i32.lt_u': 0x49,
  'i32.ge_u': 0x4f,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.shl': 0x74,
  'i32.shr_s': 0x75,
  'i32.shr_u': 0x76,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.or': 0x84,
  'i64.shl': 0x86,
  'i64.shr_s': 0x87,
  'i64.shr_u': 0x88,
  'i8x16.swizzle': 0xfd0e,
  'i8x16.eq': 0xfd23,
  'i8x16.lt_u': 0xfd26,
  'v128.and': 0xfd4e,
  'v128.or': 0xfd50,
  'v128.xor': 0xfd51,
  // The second operand is an i32.
  'i32x4.shl': 0xfdab,
  'i32x4.shr_u': 0xfdad,
  'i32x4.add': 0xfdae,
} as const

export const get = (local: number): Code => [0x20, unsigned(local)]
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)]
export const int = (value: number): Code => [0x41, signed(value)]
export const long = (value: number): Code => [0x42, signed(value)]
export const call = (index: number, ...values: readonly Code[]): Code => [values, 0x10, unsigned(index)]
/** An i32 that is not negative as i64. */
export const widen = (value: Code): Code => [value, 0xad]
export const loadInt = (address: Code, offset: number): Code => [address, 0x28, 2, unsigned(offset)]
export const storeInt = store([0x36], 2)
/** An i32 in memory as i64, with its sign. */
export const loadAsLong = (address: Code, offset: number): Code => [address, 0x34, 2, unsigned(offset)]
/** The lower half of an i64. */
export const storeLow = store([0x3e], 2)
export const storeLong = store([0x37], 3)

/** Sixteen bytes at any address. */
export const loadVector = (address: Code, offset: number): Code => [address, VECTOR, 0x00, 0, unsigned(offset)]
export const storeVector = store([VECTOR, 0x0b], 0)
/** An i32 in memory, four times. */
export const loadSplat = (address: Code, offset: number): Code => [address, VECTOR, 0x09, 2, unsigned(offset)]
/** `vector` with an i32 in memory as its lane `lane`. */
export const loadLane = (address: Code, offset: number, vector: Code, lane: number): Code => [
  ...[address, vector],
  ...[VECTOR, 0x56, 2, unsigned(offset), lane],
]
/** The low byte of an i32, sixteen times. */
export const splatByte = (value: Code): Code => [value, VECTOR, 0x0f]
export const vectorOf = (bytes: readonly number[]): Code => [VECTOR, 0x0c, bytes]
/** Bytes of both by their number: those of `b` begin at 16. */
export const shuffle = (a: Code, b: Code, bytes: readonly number[]): Code => [a, b, VECTOR, 0x0d, bytes]

/** `a` where the condition is not 0; both are evaluated. */
export const choose = (condition: Code, a: Code, b: Code): Code => [a, b, condition, 0x1b]
export const when = (condition: Code, then: Code, otherwise: Code): Code => [
  ...[condition, 0x04, NOTHING],
  ...[then, 0x05, otherwise, END],
]
/** Once, and again for as long as the condition is not 0. */
export const loopWhile = (body: Code, condition: Code): Code => [0x03, NOTHING, body, condition, 0x0d, 0, END]

/** `align`: the logarithm of what the address is a multiple of. */
function store(code: Code, align: number) {
  return (address: Code, offset: number, value: Code): Code => [address, value, code, align, unsigned(offset)]
}

/** Both operands, or more of them from the left. */
export function operate(name: keyof typeof CODES, first: Code, ...others: readonly Code[]): Code {
  const code: number = CODES[name]
  const bytes = code < 0x100 ? [code] : [code >>> 8, unsigned(code & 0xff)]
  return [first, others.map((other) => [other, bytes])]
}

/** A module that exports these functions, which call each other by their index, and its memory of so many pages of 64 KiB. */
export function assemble(programs: readonly Program[], pages: number): Uint8Array<ArrayBuffer> {
  const types = programs.map(({ parameters }) => [0x60, vector(Array(parameters).fill([I32])), 0])
  const exports = programs.map(({ name }, i) => [text(name), 0, unsigned(i)])
  const bodies = programs.map(({ longs = 0, ints = 0, vectors = 0, body }) => {
    const locals = [
      [unsigned(longs), I64],
      [unsigned(ints), I32],
      [unsigned(vectors), V128],
    ]
    return sized([vector(locals), body, END])
  })
  const functions = programs.map((_, i) => unsigned(i))
  return new Uint8Array(
    bytesOf([
      MAGIC,
      section(1, types),
      section(3, functions),
      section(5, [[0, unsigned(pages)]]),
      section(7, [...exports, [text('memory'), 2, 0]]),
      section(10, bodies),
    ]),
  )
}

function section(id: number, entries: readonly Code[]): Code {
  return [id, sized(vector(entries))]
}

function vector(entries: readonly Code[]): Code {
  return [unsigned(entries.length), entries]
}

/** Behind the number of its bytes. */
function sized(code: Code): Code {
  const bytes = bytesOf(code)
  return [unsigned(bytes.length), bytes]
}

function bytesOf(code: Code, bytes: number[] = []): number[] {
  for (const each of code) {
    if (typeof each === 'number') bytes.push(each)
    else bytesOf(each, bytes)
  }
  return bytes
}

function text(value: string): Code {
  return vector(Array.from(value, (letter) => [letter.charCodeAt(0)]))
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, unsigned(value >>> 7)]
}

function signed(value: number): Code {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, signed(value >> 7)]
}

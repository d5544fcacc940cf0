// As much of WebAssembly's binary format as straight-line arithmetic needs. Code is an array of bytes; an expression leaves one value.
// Ref: WebAssembly Core Specification 1.0, section 5.

export type Code = readonly number[]

/** A function of i32 parameters without a result. Locals are numbered: parameters, then i64, then i32. */
export interface Program {
  readonly name: string
  readonly parameters: number
  readonly longs: number
  readonly ints: number
  readonly body: Code
}

const [I32, I64] = [0x7f, 0x7e]
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
const CODES = {
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.shl': 0x74,
  'i32.shr_s': 0x75,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.or': 0x84,
  'i64.shl': 0x86,
  'i64.shr_s': 0x87,
  'i64.shr_u': 0x88,
} as const

export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)]
export const int = (value: number): Code => [0x41, ...signed(value)]
export const long = (value: number): Code => [0x42, ...signed(value)]
export const call = (index: number, ...values: readonly Code[]): Code => [...values.flat(), 0x10, ...unsigned(index)]
/** An i32 that is not negative as i64. */
export const widen = (value: Code): Code => [...value, 0xad]
export const loadInt = (address: Code, offset: number): Code => [...address, 0x28, 2, ...unsigned(offset)]
export const storeInt = store(0x36, 2)
/** An i32 in memory as i64, with its sign. */
export const loadAsLong = (address: Code, offset: number): Code => [...address, 0x34, 2, ...unsigned(offset)]
/** The lower half of an i64. */
export const storeLow = store(0x3e, 2)
export const storeLong = store(0x37, 3)

/** `align`: the logarithm of what the address is a multiple of. */
function store(code: number, align: number) {
  return (address: Code, offset: number, value: Code): Code => [...address, ...value, code, align, ...unsigned(offset)]
}

/** Both operands, or more of them from the left. */
export function operate(name: keyof typeof CODES, first: Code, ...others: readonly Code[]): Code {
  return [...first, ...others.flatMap((other) => [...other, CODES[name]])]
}

/** A module that exports these functions, which call each other by their index, and its memory of so many pages of 64 KiB. */
export function assemble(programs: readonly Program[], pages: number): Uint8Array<ArrayBuffer> {
  const types = programs.map(({ parameters }) => [0x60, ...vector(Array(parameters).fill([I32])), 0])
  const exports = programs.map(({ name }, i) => [...text(name), 0, ...unsigned(i)])
  const bodies = programs.map(({ longs, ints, body }) => {
    const code = [
      ...vector([
        [...unsigned(longs), I64],
        [...unsigned(ints), I32],
      ]),
      ...body,
      0x0b,
    ]
    return [...unsigned(code.length), ...code]
  })
  return Uint8Array.from([
    ...MAGIC,
    ...section(1, types),
    ...section(
      3,
      programs.map((_, i) => unsigned(i)),
    ),
    ...section(5, [[0, ...unsigned(pages)]]),
    ...section(7, [...exports, [...text('memory'), 2, 0]]),
    ...section(10, bodies),
  ])
}

function section(id: number, entries: readonly Code[]): number[] {
  const content = vector(entries)
  return [id, ...unsigned(content.length), ...content]
}

function vector(entries: readonly Code[]): number[] {
  return [...unsigned(entries.length), ...entries.flat()]
}

function text(value: string): number[] {
  return vector(Array.from(value, (letter) => [letter.charCodeAt(0)]))
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: number): number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
}

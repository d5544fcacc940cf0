// Arithmetic modulo p = 2^255 - 19 as WebAssembly, made here by loops over its limbs. An element is ten i32 in memory, of 26 and 25 bits in
// turn, with signs, as in the reference implementation of Ed25519 (ref10), whose bounds hold: what `multiply` gives is at most 1.01 * 2^25
// (odd limbs: 2^24) in size, and it takes 1.65 * 2^26 (2^25), so sums of three of its results.
// Ref: Bernstein, "Curve25519: new Diffie-Hellman speed records", 2006, section 4.

import {
  assemble,
  type Code,
  call,
  get,
  instantiate,
  int,
  loadAsLong,
  loadInt,
  long,
  operate,
  PAGE_BYTES,
  type Program,
  set,
  storeInt,
  storeLong,
  storeLow,
  widen,
} from '../wasm/index.ts'

export const LIMBS = 10
export const ELEMENT_BYTES = 4 * LIMBS

/** Addresses of elements. Where results may lie at the place of an operand, it is said. */
export interface FieldModule {
  readonly memory: { readonly buffer: ArrayBuffer }
  /** product = a * b; may be one of them. */
  multiply(product: number, a: number, b: number): void
  /** Adds a table's point to one of four elements X, Y, Z, T; see the function of that name below. */
  addPoint(point: number, sum: number, difference: number, product: number, z: number, t: number): void
  /** Writes the 32 bytes of the element, which `multiply` gave: below p, little-endian. */
  encode(target: number, element: number): void
}

const isOdd = (limb: number) => limb % 2 === 1
const bits = (limb: number) => (isOdd(limb) ? 25 : 26)
const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i)
const LIMB = numbers(LIMBS)

/** 100 products into ten sums; a product that passes 2^255 counts 19 times, one of two odd limbs twice. Carries go twice around. */
function multiply(): Program {
  const [product, a, b] = [0, 1, 2]
  const [f, g, g19, f2, h, carry] = [3, 13, 23, 33, 43, 53]
  const body: Code[] = []
  for (const i of LIMB) {
    body.push(set(f + i, loadAsLong(get(a), 4 * i)), set(g + i, loadAsLong(get(b), 4 * i)))
    body.push(set(g19 + i, operate('i64.mul', get(g + i), long(19))))
    body.push(set(f2 + i, operate('i64.add', get(f + i), get(f + i))))
  }
  for (const k of LIMB) {
    const terms = LIMB.map((i) => {
      const j = (k - i + LIMBS) % LIMBS
      return operate('i64.mul', get((isOdd(i) && isOdd(j) ? f2 : f) + i), get((i + j < LIMBS ? g : g19) + j))
    })
    const [first = [], ...others] = terms
    body.push(set(h + k, operate('i64.add', first, ...others)))
  }
  for (const from of [0, 4, 1, 5, 2, 6, 3, 7, 4, 8, 9, 0]) {
    const half = long(2 ** (bits(from) - 1))
    body.push(set(carry, operate('i64.shr_s', operate('i64.add', get(h + from), half), long(bits(from)))))
    const carried = from === LIMBS - 1 ? operate('i64.mul', get(carry), long(19)) : get(carry)
    const to = h + ((from + 1) % LIMBS)
    body.push(set(to, operate('i64.add', get(to), carried)))
    const rest = operate('i64.sub', get(h + from), operate('i64.shl', get(carry), long(bits(from))))
    body.push(set(h + from, rest))
  }
  for (const i of LIMB) body.push(storeLow(get(product), 4 * i, get(h + i)))
  return { name: 'multiply', parameters: 3, longs: 51, body }
}

/** Limb by limb, without a carry; not exported to anybody. */
function combine(name: 'plus' | 'minus'): Program {
  const code = name === 'plus' ? 'i32.add' : 'i32.sub'
  const body = LIMB.map((i) => storeInt(get(0), 4 * i, operate(code, loadInt(get(1), 4 * i), loadInt(get(2), 4 * i))))
  return { name, parameters: 3, body }
}

/** Elements for what is under way, at the beginning of the memory. */
const scratch = (i: number) => i * ELEMENT_BYTES
const SUM = { yPlusX: int(scratch(0)), yMinusX: int(scratch(1)), a: int(scratch(2)), b: int(scratch(3)) }
const TERM = { c: int(scratch(4)), d: int(scratch(5)), x: int(scratch(6)), y: int(scratch(7)) }
/** What `z` and `t` of `addPoint` are for a point, and changed over for its negative. */
export const SUM_Z = scratch(8)
export const SUM_T = scratch(9)
export const SCRATCH_BYTES = scratch(10)
const [MULTIPLY, PLUS, MINUS] = [0, 1, 2]

/**
 * (X : Y : Z : T) += a point given as y + x, y - x and 2dxy: the complete addition of a twisted Edwards curve with a = -1, right for any two
 * points. The negative of a point has the first two changed over, and the places of its Z3 and T3 too, which the caller names.
 * Ref: Hisil, Wong, Carter, Dawson, "Twisted Edwards curves revisited", 2008, section 3.1.
 */
function addPoint(): Program {
  const [point, sum, difference, product, z, t] = [0, 1, 2, 3, 4, 5]
  const part = (i: number) => operate('i32.add', get(point), int(i * ELEMENT_BYTES))
  const { c, d, x, y } = TERM
  const body = [
    call(PLUS, SUM.yPlusX, part(1), part(0)),
    call(MINUS, SUM.yMinusX, part(1), part(0)),
    call(MULTIPLY, SUM.a, SUM.yPlusX, get(sum)),
    call(MULTIPLY, SUM.b, SUM.yMinusX, get(difference)),
    call(MULTIPLY, c, get(product), part(3)),
    call(PLUS, d, part(2), part(2)),
    call(MINUS, x, SUM.a, SUM.b),
    call(PLUS, y, SUM.a, SUM.b),
    call(PLUS, get(z), d, c),
    call(MINUS, get(t), d, c),
    call(MULTIPLY, part(0), x, int(SUM_T)),
    call(MULTIPLY, part(1), y, int(SUM_Z)),
    call(MULTIPLY, part(2), int(SUM_Z), int(SUM_T)),
    call(MULTIPLY, part(3), x, y),
  ]
  return { name: 'addPoint', parameters: 6, body }
}

/** The element's multiple of p is found first, from what would be carried out at the top; then limbs become 256 bits. */
function encode(): Program {
  const [target, element] = [0, 1]
  const [w, h, q] = [2, 3, 13]
  const body: Code[] = []
  for (const i of LIMB) body.push(set(h + i, loadInt(get(element), 4 * i)))
  const top = operate('i32.add', operate('i32.mul', get(h + 9), int(19)), int(2 ** 24))
  body.push(set(q, operate('i32.shr_s', top, int(25))))
  for (const i of LIMB) body.push(set(q, operate('i32.shr_s', operate('i32.add', get(h + i), get(q)), int(bits(i)))))
  body.push(set(h, operate('i32.add', get(h), operate('i32.mul', get(q), int(19)))))
  for (const i of LIMB) {
    body.push(set(q, operate('i32.shr_s', get(h + i), int(bits(i)))))
    if (i + 1 < LIMBS) body.push(set(h + i + 1, operate('i32.add', get(h + i + 1), get(q))))
    body.push(set(h + i, operate('i32.sub', get(h + i), operate('i32.shl', get(q), int(bits(i))))))
  }
  for (let word = 0; word < 4; word++) {
    let at = 0
    const parts: Code[] = []
    for (const i of LIMB) {
      const shift = at - 64 * word
      at += bits(i)
      const limb = widen(get(h + i))
      if (shift > -bits(i) && shift < 0) parts.push(operate('i64.shr_u', limb, long(-shift)))
      if (shift >= 0 && shift < 64) parts.push(operate('i64.shl', limb, long(shift)))
    }
    const [first = [], ...others] = parts
    body.push(set(w, operate('i64.or', first, ...others)), storeLong(get(target), 8 * word, get(w)))
  }
  return { name: 'encode', parameters: 2, longs: 1, ints: 11, body }
}

/** With so many bytes of memory at least, of which the first {@link SCRATCH_BYTES} are its own. Undefined where there is no WebAssembly. */
export function fieldModule(bytes: number): FieldModule | undefined {
  const programs = [multiply(), combine('plus'), combine('minus'), addPoint(), encode()]
  return instantiate<FieldModule>(assemble(programs, Math.ceil(bytes / PAGE_BYTES)))
}

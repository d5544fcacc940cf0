// One block of each of four messages at once: word i of all four is one vector.
// Ref: FIPS 180-4, sections 4.1.2, 4.2.2, 5.3.3 and 6.2.2.

import {
  type Code,
  get,
  int,
  loadSplat,
  loadVector,
  loopWhile,
  operate,
  type Program,
  set,
  shuffle,
  storeVector,
} from '../wasm/index.ts'

export const LANES = 4
export const BLOCK_BYTES = 64
export const VECTOR_BYTES = 16
export const STATE_WORDS = 8
const WORDS = 16
const ROUNDS = 64

/** Where the constants of the rounds lie in memory, four bytes each; and behind them the state, a vector a word. */
export const CONSTANTS = 0
export const STATE = CONSTANTS + 4 * ROUNDS

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const fraction = (root: number) => Math.floor((root % 1) * 2 ** 32)
/** The eight words that every message begins with. */
export const initialWords = () => primes(STATE_WORDS).map((prime) => fraction(Math.sqrt(prime)))
/** What each of the 64 rounds adds. */
export const roundConstants = () => primes(ROUNDS).map((prime) => fraction(Math.cbrt(prime)))

function primes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
}

/** Locals: the addresses of the four blocks; where in the constants the loop is; words; a to h; what is of use for one round. */
const CONSTANT = LANES
const W = CONSTANT + 1
const V = W + WORDS
const SUM = V + STATE_WORDS
const A_XOR_B = SUM + 1
const B_XOR_C = A_XOR_B + 1
const VECTORS = WORDS + STATE_WORDS + 3

const add = (first: Code, ...others: readonly Code[]) => operate('i32x4.add', first, ...others)
const xor = (first: Code, ...others: readonly Code[]) => operate('v128.xor', first, ...others)
const shiftRight = (x: number, by: number) => operate('i32x4.shr_u', get(x), int(by))
/** The exclusive or of `x` rotated to the right by each of these. */
const rotations = (x: number, ...by: readonly number[]) => {
  const [first = [], ...others] = by.map((n) => xor(shiftRight(x, n), operate('i32x4.shl', get(x), int(32 - n))))
  return xor(first, ...others)
}

/** Adds the blocks at four addresses to the state. */
export function compress(): Program {
  const vectors = numbers(STATE_WORDS)
  const words = numbers(WORDS)
  const body = [
    numbers(WORDS / LANES).map(loadWords),
    vectors.map((i) => set(V + i, loadVector(int(STATE), VECTOR_BYTES * i))),
    set(B_XOR_C, xor(get(V + 1), get(V + 2))),
    words.map((i) => round(i, int(CONSTANTS))),
    set(CONSTANT, int(CONSTANTS + 4 * WORDS)),
    loopWhile(
      [
        words.map((i) => [extend(i), round(i, get(CONSTANT))]),
        set(CONSTANT, operate('i32.add', get(CONSTANT), int(4 * WORDS))),
      ],
      operate('i32.lt_u', get(CONSTANT), int(CONSTANTS + 4 * ROUNDS)),
    ),
    vectors.map((i) => {
      const before = loadVector(int(STATE), VECTOR_BYTES * i)
      return storeVector(int(STATE), VECTOR_BYTES * i, add(before, get(V + i)))
    }),
  ]
  return { name: 'compress', parameters: LANES, ints: 1, vectors: VECTORS, body }
}

export const BIG_ENDIAN = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]
/** The lower halves of two vectors in turns, word by word, and the upper halves; then the same by pairs of words. */
const LOW_WORDS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23]
const HIGH_WORDS = LOW_WORDS.map((byte) => byte + 8)
const LOW_PAIRS = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]
const HIGH_PAIRS = LOW_PAIRS.map((byte) => byte + 8)

/** Words 4 * part to 4 * part + 3: rows are the lanes, and become columns. */
function loadWords(part: number): Code {
  // They move through the places of a to h, which hold nothing yet.
  const rows = numbers(LANES).map((lane) => V + lane)
  const halves = numbers(LANES).map((lane) => V + LANES + lane)
  const [r0 = 0, r1 = 0, r2 = 0, r3 = 0] = rows
  const [low01 = 0, high01 = 0, low23 = 0, high23 = 0] = halves
  const word = W + LANES * part
  const both = (a: number, b: number, bytes: readonly number[]) => shuffle(get(a), get(b), bytes)
  return [
    rows.map((row, lane) => {
      const loaded = loadVector(get(lane), VECTOR_BYTES * part)
      return set(row, shuffle(loaded, loaded, BIG_ENDIAN))
    }),
    set(low01, both(r0, r1, LOW_WORDS)),
    set(high01, both(r0, r1, HIGH_WORDS)),
    set(low23, both(r2, r3, LOW_WORDS)),
    set(high23, both(r2, r3, HIGH_WORDS)),
    set(word, both(low01, low23, LOW_PAIRS)),
    set(word + 1, both(low01, low23, HIGH_PAIRS)),
    set(word + 2, both(high01, high23, LOW_PAIRS)),
    set(word + 3, both(high01, high23, HIGH_PAIRS)),
  ]
}

/** Word i becomes word i + 16 of the schedule. */
function extend(i: number): Code {
  const [early, late] = [W + ((i + 1) % WORDS), W + ((i + 14) % WORDS)]
  const sigma0 = xor(rotations(early, 7, 18), shiftRight(early, 3))
  const sigma1 = xor(rotations(late, 17, 19), shiftRight(late, 10))
  return set(W + i, add(get(W + i), sigma0, get(W + ((i + 9) % WORDS)), sigma1))
}

/** Nothing moves from a to b and so on: after eight rounds each is at its place again. */
function round(i: number, constants: Code): Code {
  const [a, b, , d, e, f, g, h] = numbers(STATE_WORDS).map((k) => V + ((k - i + ROUNDS) % STATE_WORDS)) as Eight
  const choice = xor(get(g), operate('v128.and', get(e), xor(get(f), get(g))))
  const constant = loadSplat(constants, 4 * i)
  // The majority of a, b, c: b where b = c, and else a.
  const majority = xor(get(b), operate('v128.and', get(A_XOR_B), get(B_XOR_C)))
  return [
    set(SUM, add(get(h), add(constant, get(W + i)), choice, rotations(e, 6, 11, 25))),
    set(d, add(get(d), get(SUM))),
    set(A_XOR_B, xor(get(a), get(b))),
    set(h, add(get(SUM), majority, rotations(a, 2, 13, 22))),
    set(B_XOR_C, get(A_XOR_B)),
  ]
}

type Eight = [number, number, number, number, number, number, number, number]

// Arithmetic on tree sizes and positions up to 2^53 - 1. JavaScript's bit operators cut to 32 bits, so none is used on them.

/** The largest power of two below `size`: where RFC 6962 splits a tree. Requires `size` >= 2. */
export function splitPoint(size: number): number {
  let k = 1
  while (2 * k < size) k *= 2
  return k
}

/** The smallest power of two not below `size`; 1 for 0. */
export function ceilingPower(size: number): number {
  let power = 1
  while (power < size) power *= 2
  return power
}

/** The levels (exponents) of the perfect subtrees that make up a tree of `size` leaves, leftmost and so largest first. */
export function subtreeLevels(size: number): number[] {
  const levels: number[] = []
  for (let level = 0, rest = size; rest > 0; level++, rest = half(rest)) if (isOdd(rest)) levels.push(level)
  return levels.reverse()
}

export function isOdd(value: number): boolean {
  return value % 2 === 1
}

/** Rounded down. */
export function half(value: number): number {
  return Math.floor(value / 2)
}

/** @throws {RangeError} unless `value` is an integer from 0 to 2^53 - 1. */
export function requireCounter(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name}: expected an integer from 0 to 2^53 - 1, got ${value}`)
  }
}

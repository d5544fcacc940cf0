import { randomInt } from 'node:crypto'

const STEPS = 2 ** 32

/** From 0 up to 1, from the system. */
export function systemRandom(): number {
  return randomInt(STEPS) / STEPS
}

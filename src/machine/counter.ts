// The smallest machine that does something: one number, added to and read. The example of docs and tests.
//
// Command: 0x01 and an amount (u64) adds and gives the new sum; 0x02 gives the sum. Result: the sum (u64).

import { utf8 } from '../../crypto/index.ts'
import { ByteReader, ByteWriter } from './bytes-codec.ts'
import { CommandRefused, type StateMachine } from './state-machine.ts'

const SUM = utf8('sum')
const ADD = 0x01
const READ = 0x02

/** A machine that counts; refuses with `malformed`, and with `overflow` where the sum would reach 2^53. */
export const counter: StateMachine = Object.freeze({
  name: 'counter-v1',
  apply(command, _context, store) {
    const stored = store.get(SUM)
    const sum = stored === undefined ? 0 : new ByteReader(stored).u64()
    const reader = new ByteReader(command)
    const kind = reader.u8()
    const amount = kind === ADD ? reader.u64() : 0
    if (!reader.done || (kind !== ADD && kind !== READ)) throw new CommandRefused('malformed')
    if (!Number.isSafeInteger(sum + amount)) throw new CommandRefused('overflow')
    const result = new ByteWriter().u64(sum + amount).finish()
    if (kind === ADD) store.put(SUM, result)
    return result
  },
} satisfies StateMachine)

/** The command that adds `amount`, an integer from 0 to 2^53 - 1. */
export function encodeAdd(amount: number): Uint8Array {
  return new ByteWriter().u8(ADD).u64(amount).finish()
}

/** The command that reads the sum. */
export function encodeReadSum(): Uint8Array {
  return Uint8Array.of(READ)
}

/** The sum in a result. @throws {RangeError} for other bytes. */
export function decodeSum(result: Uint8Array): number {
  const reader = new ByteReader(result)
  const sum = reader.u64()
  if (!reader.done) throw new RangeError(`sum: expected 8 bytes below 2^53, got ${result.length}`)
  return sum
}

// What the generated decoders can't see: parts that have a form of their own, and how parts fit together. The mapping
// functions throw `Malformed`, which never leaves this folder: every exported decoder goes through `read`.

import { failure, type Result, success } from '../../crypto/index.ts'
import type { WireFault, WireFaultCode } from '../../net/wire/index.ts'

export class Malformed extends Error {
  override readonly name = 'Malformed'
  readonly fault: WireFault

  constructor(detail: string, code: WireFaultCode = 'bad-value') {
    super(detail)
    this.fault = { code, detail }
  }
}

/** The value that `map` makes of what was decoded, or why there is none. */
export function read<Wire, Value>(
  decoded: Result<Wire, WireFault>,
  map: (wire: Wire) => Value,
): Result<Value, WireFault> {
  if (!decoded.ok) return decoded
  try {
    return success(map(decoded.value))
  } catch (error) {
    if (error instanceof Malformed) return failure(error.fault)
    throw error
  }
}

/** `value`, where there is one. @throws {Malformed} otherwise. */
export function whole<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Malformed(`${what} is not well formed`)
  return value
}

// Checks of data that somebody else made answer with a value: peer input never throws past a decoder or a verifier.

export type Result<Value, Fault> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: Fault }

export function success<Value>(value: Value): Result<Value, never> {
  return { ok: true, value }
}

export function failure<Fault>(fault: Fault): Result<never, Fault> {
  return { ok: false, fault }
}

/** The end of every switch over a union: a forgotten member does not compile. @throws {Error} when reached. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}

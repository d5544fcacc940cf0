// SHA-256, the one hash of the protocol. It is noble's unless the surroundings have a faster one, as Node has (docs/decisions/006).
// Of noble's, only the object that does it is kept from call to call: its one-shot function makes one each time, with a buffer that
// V8 must move off its heap, and for the short inputs of this protocol that takes three times as long as the hashing.

import { _SHA256, sha256 as sha256Hash } from '@noble/hashes/sha2.js'
import { DIGEST_BYTES, type Digest, digest } from './brands.ts'
import { equalBytes } from './bytes.ts'

/** 32 zero bytes: the justification of the very first view, and of statements that rely on no NewView. */
export const ZERO_DIGEST: Digest = digest(new Uint8Array(DIGEST_BYTES))

const FRESH = new _SHA256()

class Hasher extends _SHA256 {
  hash(parts: readonly Uint8Array[]): Uint8Array {
    FRESH._cloneInto(this)
    for (const part of parts) this.update(part)
    // Into the hasher's own buffer, of which it has a view already; and a copy of that for the caller.
    this.digestInto(this.buffer)
    return this.buffer.slice(0, DIGEST_BYTES)
  }
}

const hasher = new Hasher()

/** Up to this many bytes are joined in a buffer that is kept. */
const JOINED_BYTES = 1024
const joined = new Uint8Array(JOINED_BYTES)
/** Views of the first bytes of `joined`, by their number: making one costs a fifth of a hash. */
const views: Uint8Array[] = []

let injected: Sha256 | undefined
let injectedRunning: (() => RunningSha256) | undefined

/** A whole SHA-256: any number of bytes to 32 fresh ones. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

/** SHA-256 of bytes that come piece by piece. */
export interface RunningSha256 {
  update(bytes: Uint8Array): void
  /** Of all bytes so far; more may follow. 32 fresh bytes. */
  soFar(): Uint8Array
}

/**
 * Hashes with `implementation` from now on, in this whole process or page, and long inputs piece by piece with what `running` makes; with
 * noble's again where they are undefined. What comes out is the same, only sooner or later.
 * @throws {Error} where one of them is not SHA-256.
 */
export function hashWith(implementation: Sha256 | undefined, running?: () => RunningSha256): void {
  const pieces = running?.()
  let all = new Uint8Array(0)
  for (const length of [0, 1, 55, 56, 64, 65, 200]) {
    const sample = new Uint8Array(length).fill(length)
    all = Uint8Array.of(...all, ...sample)
    pieces?.update(sample)
    const whole = implementation === undefined || equalBytes(implementation(sample), hasher.hash([sample]))
    if (whole && (pieces === undefined || equalBytes(pieces.soFar(), hasher.hash([all])))) continue
    throw new Error(`sha256: what was given hashes ${length} bytes to something else`)
  }
  injected = implementation
  injectedRunning = running
}

/** A hash of what comes piece by piece, as of a file; one of few bytes is quicker with {@link sha256Of}. */
export function runningSha256(): RunningSha256 {
  if (injectedRunning !== undefined) return injectedRunning()
  const running = sha256Hash.create()
  return { update: (bytes) => void running.update(bytes), soFar: () => running.clone().digest() }
}

/** SHA-256 of `bytes`. Ref: FIPS 180-4. */
export function sha256(bytes: Uint8Array): Digest {
  return (injected === undefined ? hasher.hash([bytes]) : injected(bytes)) as Digest
}

/** SHA-256 of `parts` one after another, as if they were one byte string. */
export function sha256Of(...parts: readonly Uint8Array[]): Digest {
  return (injected === undefined ? hasher.hash(parts) : injected(join(parts))) as Digest
}

/** To be used before the next call. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const target = length > JOINED_BYTES ? new Uint8Array(length) : viewOf(length)
  let at = 0
  for (const part of parts) {
    target.set(part, at)
    at += part.length
  }
  return target
}

function viewOf(length: number): Uint8Array {
  const known = views[length]
  if (known !== undefined) return known
  const view = joined.subarray(0, length)
  views[length] = view
  return view
}

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

/** Twelve, so that steps of 1, 5, 7 and 11 meet each. */
const EACH_LENGTHS = [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 129, 200]

let injected: Sha256 | undefined
let injectedRunning: (() => RunningSha256) | undefined
let injectedEach: Sha256Each | undefined
/** Until it is known what it makes. */
let makeEach: (() => Sha256Each | undefined) | undefined

/** A whole SHA-256: any number of bytes to 32 fresh ones. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

/** SHA-256 of bytes that come piece by piece. */
export interface RunningSha256 {
  update(bytes: Uint8Array): void
  /** Of all bytes so far; more may follow. 32 fresh bytes. */
  soFar(): Uint8Array
}

/**
 * SHA-256 of each of `count` messages, which lie in `bytes` one after another: message i ends at `ends[i]`, where the next one begins.
 * The digest of message i goes to `target` at `at + 32 * i`. Requires ends that do not decrease, room for all digests, and a `target`
 * that shares no byte with `bytes`.
 */
export type Sha256Each = (bytes: Uint8Array, ends: Uint32Array, count: number, target: Uint8Array, at?: number) => void

/**
 * Hashes with `implementation` from now on, in this whole process or page, and long inputs piece by piece with what `running` makes; with
 * noble's again where they are undefined. Many at once are hashed with what `each` makes, if it does, when they first are: that may take
 * milliseconds. What comes out is the same, only sooner or later.
 * @throws {Error} where one of the first two is not SHA-256; where what `each` makes is not, {@link sha256Each} throws.
 */
export function hashWith(
  implementation: Sha256 | undefined,
  running?: () => RunningSha256,
  each?: () => Sha256Each | undefined,
): void {
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
  injectedEach = undefined
  makeEach = each
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

/** SHA-256 of each of many messages; see {@link Sha256Each}. @throws {Error} where {@link hashWith} was given what is not SHA-256. */
export function sha256Each(bytes: Uint8Array, ends: Uint32Array, count: number, target: Uint8Array, at = 0): void {
  if (makeEach !== undefined) {
    injectedEach = checked(makeEach())
    makeEach = undefined
  }
  if (injectedEach !== undefined) return injectedEach(bytes, ends, count, target, at)
  let start = 0
  for (let i = 0; i < count; i++) {
    const end = ends[i] ?? start
    target.set(sha256(bytes.subarray(start, end)), at + DIGEST_BYTES * i)
    start = end
  }
}

/** Of lengths on both sides of each padding boundary, in several orders, so that those beside each other differ too. */
function checked(each: Sha256Each | undefined): Sha256Each | undefined {
  if (each === undefined) return undefined
  const lengths = [1, 5, 7, 11].flatMap((step) => EACH_LENGTHS.map((_, i) => EACH_LENGTHS[(i * step) % 12] ?? 0))
  const ends = Uint32Array.from(lengths)
  for (let i = 1; i < ends.length; i++) ends[i] = (ends[i - 1] ?? 0) + (lengths[i] ?? 0)
  const bytes = Uint8Array.from({ length: ends.at(-1) ?? 0 }, (_, i) => i * 37)
  const digests = new Uint8Array(DIGEST_BYTES * ends.length)
  each(bytes, ends, ends.length, digests)
  for (const [i, length] of lengths.entries()) {
    const end = ends[i] ?? 0
    const found = digests.subarray(DIGEST_BYTES * i, DIGEST_BYTES * (i + 1))
    if (equalBytes(found, hasher.hash([bytes.subarray(end - length, end)]))) continue
    throw new Error(`sha256Each: what was given hashes ${length} bytes to something else`)
  }
  return each
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

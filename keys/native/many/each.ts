// SHA-256 of many short messages: in lanes, piece by piece, so that the memory of the lanes stays as it is.

import { DIGEST_BYTES, type Sha256Each } from '../../../crypto/index.ts'
import { nativeSha256 } from '../sha256.ts'
import { createLanes, MAX_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGES } from './lanes.ts'

/** Fewer messages are hashed by OpenSSL: a block in one lane takes as long as in four. */
const FEW = 2

/** In lanes, but for long messages, with which OpenSSL is quicker. Undefined where there is no WebAssembly with vectors. */
export function nativeSha256Each(): Sha256Each | undefined {
  const lanes = createLanes()
  if (lanes === undefined) return undefined
  return (bytes, ends, count, target, at = 0) => {
    const endOf = (message: number) => (message < 0 ? 0 : (ends[message] ?? 0))
    for (let first = 0; first < count; ) {
      const from = endOf(first - 1)
      let next = first
      for (let start = from; next < count && next - first < MAX_MESSAGES; next++) {
        const end = endOf(next)
        if (end - start > MAX_MESSAGE_BYTES || end - from > MAX_BYTES) break
        lanes.setEnd(next - first, end - from)
        start = end
      }
      if (next - first >= FEW) {
        lanes.messages.set(bytes.subarray(from, endOf(next - 1)))
        lanes.hash(next - first)
        target.set(lanes.digests.subarray(0, DIGEST_BYTES * (next - first)), at + DIGEST_BYTES * first)
        first = next
        continue
      }
      // Nothing but a long message, or few before it.
      for (const end = Math.max(next, first + 1); first < end; first++) {
        target.set(nativeSha256(bytes.subarray(endOf(first - 1), endOf(first))), at + DIGEST_BYTES * first)
      }
    }
  }
}

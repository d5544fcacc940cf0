// Marks values as verified. Only verifiers and the makers of what is true by construction may import this; the architecture
// test keeps the list.

import type { Verified } from './brands.ts'

export function markVerified<Value>(value: Value): Verified<Value> {
  return value as Verified<Value>
}

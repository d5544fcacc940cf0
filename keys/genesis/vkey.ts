// The checkpoint keys of a cluster in the text form that note tools read.

import { checkpointKeys, formatVerifierKey } from '../../crypto/index.ts'
import type { Genesis } from './genesis.ts'

/** One verifier key a replica of epoch 0, in order, named `<origin>/r<index>`. */
export function vkeysOf({ membership, contents }: Genesis): string[] {
  return checkpointKeys(membership, contents.name).map(formatVerifierKey)
}

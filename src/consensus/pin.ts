// A pin: one hand-over that somebody has seen with own eyes, or was told by somebody trusted. Signatures alone cannot tell a chain of
// epochs from another that was made later with keys that were stolen after they had been retired; one hand-over can, and with it
// everything before it, since each charter names the membership before its own and each hand-over the log up to it.
//
// As text: `quorate-pin-1 <cluster id> <epoch> <digest of the hand-over>`, both in hexadecimal digits.

import { type Digest, digest, type Epoch, epoch, fromHex, hex } from '../../crypto/index.ts'
import { MAX_EPOCH } from '../../keys/charter/index.ts'

export interface Pin {
  readonly clusterId: Digest
  /** The epoch that the hand-over began; never the first. */
  readonly epoch: Epoch
  /** See `handOverDigest`. */
  readonly handOver: Digest
}

export function formatPin({ clusterId, epoch: of, handOver }: Pin): string {
  return `quorate-pin-1 ${hex(clusterId)} ${of} ${hex(handOver)}`
}

/** The pin in `text`, or undefined unless it is exactly what {@link formatPin} writes. */
export function parsePin(text: string): Pin | undefined {
  const [, cluster = '', decimal = '', name = ''] =
    /^quorate-pin-1 ([0-9a-f]{64}) ([1-9][0-9]{0,3}) ([0-9a-f]{64})$/.exec(text) ?? []
  const [clusterId, handOver] = [fromHex(cluster), fromHex(name)]
  if (clusterId?.length !== 32 || handOver?.length !== 32 || Number(decimal) > MAX_EPOCH) return undefined
  return { clusterId: digest(clusterId), epoch: epoch(Number(decimal)), handOver: digest(handOver) }
}

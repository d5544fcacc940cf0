// The names under which streams are opened. They carry the cluster, so that a member of two clusters cannot mix them
// up.

import { type Digest, hex } from '../../crypto/index.ts'
import type { PeerChannel } from '../transport.ts'

export type Protocols = Readonly<Record<PeerChannel | 'client', string>>

export function protocolsOf(clusterId: Digest): Protocols {
  const prefix = `/quorate/${hex(clusterId).slice(0, 16)}`
  return {
    consensus: `${prefix}/consensus/1.0.0`,
    transfer: `${prefix}/transfer/1.0.0`,
    client: `${prefix}/client/1.0.0`,
  }
}

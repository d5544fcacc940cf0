import type { ReplicaTransport } from '../transport.ts'
import type { ReplicaTransportOptions } from './options.ts'

export function libp2pReplicaTransport(_options: ReplicaTransportOptions): ReplicaTransport {
  throw new Error('to come with the next change')
}

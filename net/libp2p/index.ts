// The two ends over libp2p.

export { libp2pClientTransport } from './client.ts'
export type { ClientTransportOptions, NetNotice, ReplicaTransportOptions } from './options.ts'
export { libp2pReplicaTransport } from './replica.ts'

// The only door of net/: frames of bytes between members and clients, over libp2p or in memory. See docs/network.md.

export { NetError, type NetErrorCode } from './errors.ts'
export * from './libp2p/index.ts'
export { DEFAULT_LIMITS, type NetLimits } from './limits.ts'
export { MemoryNetwork, type MemoryNetworkOptions } from './memory.ts'
export type * from './transport.ts'

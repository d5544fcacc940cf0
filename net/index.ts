// The only door of net/: frames of bytes between members and clients, over libp2p or in memory.

export type * from './transport.ts'

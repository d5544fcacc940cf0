// The only door of net/wire: what goes over the network and onto the disk, as generated from the .proto files here, and
// its bounds.

export type { WireFault, WireFaultCode } from './codec.ts'
export * from './generated/index.ts'
export * from './limits.ts'

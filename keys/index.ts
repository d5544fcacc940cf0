// The door of keys/: keysets on disk, for Node. The genesis format alone, for browsers too, is keys/genesis.

export { type ConsensusFiles, consensusFiles, erasedSigner, isErased } from './consensus-files.ts'
export * from './errors.ts'
export * from './generate.ts'
export * from './genesis/index.ts'
export { loadJoinedKeys } from './joined.ts'
export * from './layout.ts'
export * from './load.ts'
export * from './passphrase.ts'
export * from './plan.ts'

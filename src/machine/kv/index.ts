// The only door of this folder: the key-value machine, its commands and results.

export * from './command.ts'
export * from './kv.ts'
export * from './limits.ts'
export * from './lock.ts'
export { decodeEntry, type KeyValue, kvStateKey } from './record.ts'
export * from './response.ts'
export * from './watching.ts'

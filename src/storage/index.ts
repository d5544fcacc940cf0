// The only door of src/storage: a replica's durable log and snapshots, on disk or in memory.

export { emptyContents, type MemoryContents, type MemoryOptions, memoryStore } from './memory.ts'
export { openStore, ownerOf } from './open.ts'
export * from './store.ts'

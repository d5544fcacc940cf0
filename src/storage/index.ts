// The only door of src/storage: a replica's durable log and snapshots, on disk or in memory.

export * from './store.ts'

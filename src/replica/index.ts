// The only door of src/replica: the shell that runs a consensus core on a real network, disk and clock.

export { openArchive } from './archive.ts'
export { createReplica } from './replica.ts'
export * from './types.ts'

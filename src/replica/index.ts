// The only door of src/replica: the shell that runs a consensus core on a real network, disk and clock.

export { openArchive } from './archive.ts'
export { beginStore, type JoinState } from './join.ts'
export { createReplica } from './replica.ts'
export type { Retired } from './retirement.ts'
export * from './types.ts'

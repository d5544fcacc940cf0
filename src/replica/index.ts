// The only door of src/replica: the shell that runs a consensus core on a real network, disk and clock.

export * from './types.ts'

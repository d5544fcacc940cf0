// The kernel: what every deterministic simulation needs, whatever it simulates.

export * from './clock.ts'
export * from './disk.ts'
export * from './event-queue.ts'
export * from './network.ts'
export * from './random.ts'
export * from './trace-hash.ts'

// The only door of src/simulation/: whole clusters in one deterministic process. See docs/simulation.md.

export * from './checks/index.ts'
export * from './core.ts'
export * from './history.ts'
export * from './kernel/index.ts'
export * from './liars.ts'
export * from './observer.ts'
export * from './packets.ts'
export * from './profiles.ts'
export * from './scenario.ts'
export * from './signatures.ts'
export * from './simulation.ts'
export * from './witnesses.ts'

// The only door of src/simulation/: whole clusters in one deterministic process. See docs/simulation.md.

export * from './kernel/index.ts'

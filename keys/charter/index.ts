// The door of the charters: pure code that runs unchanged in Node and in a browser. See README.md.

export * from './charter.ts'
export * from './check.ts'
export * from './codec.ts'
export * from './digest.ts'
export * from './last-slot.ts'
export * from './possession.ts'
export * from './sizes.ts'

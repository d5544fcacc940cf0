// The only door of crypto/: pure code that runs unchanged in Node and in a browser. See README.md.

export * from './brands.ts'
export * from './bytes.ts'
export * from './certificate.ts'
export * from './digest.ts'
export * from './ed25519.ts'
export * from './ed25519-portable.ts'
export * from './membership.ts'
export * from './merkle/index.ts'
export * from './quorum.ts'
export * from './result.ts'
export * from './statement.ts'
export * from './vote.ts'

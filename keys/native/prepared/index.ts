// The only door of keys/native/prepared/: Ed25519 for keys that sign much, whose multiples are worth keeping. See README.md.

export * from './verifier.ts'

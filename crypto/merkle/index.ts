// RFC 6962 Merkle trees over SHA-256: the log of entries, the requests of an entry, and the proofs about both.

export * from './batch.ts'
export * from './frontier.ts'
export * from './hash.ts'
export * from './multi-proof.ts'
export * from './proof.ts'
export * from './store.ts'
export * from './verify.ts'

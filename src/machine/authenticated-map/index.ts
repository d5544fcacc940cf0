// The only door of this folder: the map that holds the replicated state, and the checks that need nothing but its root.

export { AuthenticatedMap, type MapSnapshot } from './authenticated-map.ts'
export { type ChunkFault, FIRST_PATH, type StateChunk, verifyChunk } from './chunk.ts'
export { EMPTY_HASH, type Hash } from './hashing.ts'
export { MapRestoration } from './restoration.ts'
export { isSealed, openChunk } from './sealed-chunk.ts'
export { joinText, prefixed, type Text, toBytes, toText } from './text.ts'
export { MAX_PROOF_BYTES, verifyStateProof } from './verify-proof.ts'
export type { WrittenChunk } from './write-chunk.ts'

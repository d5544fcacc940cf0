// The only door of keys/native/: Ed25519 and SHA-256 on Node's own OpenSSL, and texts by its Buffer, for replicas and clients. Node only.

export { nativeSigner, nativeVerifier } from './native.ts'
export { nativeRunningSha256, nativeSha256 } from './sha256.ts'
export { nativeText } from './text.ts'
export { useNative } from './use.ts'
export * from './verifier-pool.ts'

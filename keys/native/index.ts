// The only door of keys/native/: Ed25519 and SHA-256 on Node's own OpenSSL, for replicas and clients. Node only.

export { nativeSigner, nativeVerifier } from './native.ts'
export { nativeSha256, useNativeHash } from './sha256.ts'
export * from './verifier-pool.ts'

// The only door of keys/native/: Ed25519 on Node's own OpenSSL, for replicas and clients. Node only.

export { nativeSigner, nativeVerifier } from './native.ts'
export * from './verifier-pool.ts'

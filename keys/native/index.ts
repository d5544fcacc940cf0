// The only door of keys/native/: Ed25519 and SHA-256 on Node's own OpenSSL, many hashes at once by WebAssembly, and texts by Node's Buffer,
// for replicas and clients. Node only.

export { nativeSha256Each } from './many/index.ts'
export { nativeSigner, nativeVerifier } from './native.ts'
export { nativeRunningSha256, nativeSha256 } from './sha256.ts'
export { nativeText } from './text.ts'
export { useNative } from './use.ts'
export * from './verifier-pool.ts'

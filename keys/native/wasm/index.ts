// The only door of keys/native/wasm/: WebAssembly that is made while the process runs, and its instances.

export * from './assembler.ts'
export * from './instance.ts'

// The door of the genesis format: pure code that runs unchanged in Node and in a browser. See docs/genesis.md.

export * from './address.ts'
export * from './assemble.ts'
export * from './canonical.ts'
export * from './fault.ts'
export * from './format.ts'
export * from './genesis.ts'
export * from './parameters.ts'
export * from './peer-id.ts'
export * from './strict-json.ts'
export { DNS_LABEL } from './text.ts'
export * from './vkey.ts'

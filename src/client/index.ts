// The only door of src/client: the SDK.

export * from './types.ts'

// The only door of keys/native/many/: SHA-256 of many short messages at once. See README.md.

export * from './each.ts'

// Records for tests, also for processes that run without vitest.

import type { StoreRecord } from '../../src/storage/index.ts'

export const IDENTITY = {
  clusterId: new Uint8Array(32).fill(1),
  replica: 2,
  consensusKey: new Uint8Array(32).fill(3),
}

/** A vote about `slot` with `length` bytes, which tell it from every other. */
export function vote(slot: number, length: number): StoreRecord {
  return { kind: 1 + (slot % 3), slot, bytes: new Uint8Array(length).map((_, i) => slot * 31 + i * 7) }
}

export function keyed(key: string, value: number): StoreRecord {
  return { kind: 9, slot: 0, key, bytes: bytesOf(value, 40) }
}

export function bytesOf(value: number, length = 8): Uint8Array {
  return new Uint8Array(length).fill(value)
}

/** Bytes of the vote about `slot` of a process that writes and is killed. */
export function lengthOf(slot: number): number {
  return (slot * 97) % 3000
}

/** The promise that such a process makes at `slot`. */
export function promise(slot: number): StoreRecord {
  return { kind: 9, slot: 0, key: 'promise', bytes: Buffer.from(String(slot)) }
}

/** A record as text, for comparing sets of them. */
export function textOf({ kind, slot, key = '', bytes }: StoreRecord): string {
  return `${kind} ${slot} ${key} ${Buffer.from(bytes).toString('base64')}`
}

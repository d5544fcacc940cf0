// What clients asked and what they were told, with the times: the evidence for linearizability and for the order of the log.

import type { KvCommand, KvResult } from '../machine/index.ts'

/** Commands of the workload. Values are unique in a run, so that a read tells which write it saw. */
export type ClientCommand =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'delete'; readonly key: string }
  /** Puts `value` where the key holds `expected`; undefined stands for absence. */
  | { readonly kind: 'swap'; readonly key: string; readonly expected: string | undefined; readonly value: string }
  /** About leases and the keys that go with them. Those go by themselves, so no search over single keys judges them. */
  | { readonly kind: 'leased'; readonly key: string; readonly command: KvCommand }

/** What the machine answers to each. */
export type ClientAnswer =
  | { readonly kind: 'put' }
  | { readonly kind: 'get'; readonly value: string | undefined }
  | { readonly kind: 'delete'; readonly deleted: boolean }
  | { readonly kind: 'swap'; readonly swapped: boolean }
  | { readonly kind: 'leased'; readonly response: KvResult['response'] }

export interface Operation {
  readonly client: number
  readonly sequence: number
  readonly command: ClientCommand
  readonly invokedUs: number
  /** Undefined while nobody knows the outcome. */
  returnedUs: number | undefined
  /**
   * `unknown`: pending, or its caller gave up; it may take effect at any later time. `conflict`: another command of an
   * equivocating client took its number.
   */
  outcome: 'unknown' | 'done' | 'conflict' | 'refused'
  answer: ClientAnswer | undefined
  /** The slot in which it took effect. */
  slot: number | undefined
  /** Its position in that slot's entry, where known. */
  index: number | undefined
  /** Of a read that did not go through the log: a slot after which its answer was true, as whoever answered says. */
  asOf?: number
  /** True where its caller's deadline ran out meanwhile. */
  givenUp: boolean
}

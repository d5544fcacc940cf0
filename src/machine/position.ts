// The state's own account of where it stands: the slot executed last and its agreed time, under one key like everything else. With
// a proof of it a reader learns how old a checkpoint is, by the cluster's own clock.

import { utf8 } from '../../crypto/index.ts'
import { ByteReader, ByteWriter } from './bytes-codec.ts'
import { META_SPACE } from './keyspace.ts'

export interface StatePosition {
  readonly slot: number
  /** The agreed time of that slot's entry, in milliseconds. */
  readonly timestampMs: number
}

/** The key of the whole state that holds the position: to be given to `verifyStateProof`. */
export const POSITION_STATE_KEY: Uint8Array = Uint8Array.of(META_SPACE, ...utf8('position'))

export function encodePosition({ slot, timestampMs }: StatePosition): Uint8Array {
  return new ByteWriter().u64(slot).u64(timestampMs).finish()
}

/** The position in a value of the state, or undefined where {@link encodePosition} never writes such. */
export function decodePosition(bytes: Uint8Array): StatePosition | undefined {
  const reader = new ByteReader(bytes)
  const [slot, timestampMs] = [reader.u64(), reader.u64()]
  return reader.done ? { slot, timestampMs } : undefined
}

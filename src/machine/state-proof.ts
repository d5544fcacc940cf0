// What a single replica can prove about its state: the value of a key under the state root of a checkpoint, and the agreed time of
// that checkpoint. Clients and auditors check it with the same function.

import { type Hash, verifyStateProof } from './authenticated-map/index.ts'
import { decodePosition, POSITION_STATE_KEY } from './position.ts'

/** A value of the state, or undefined for absence, and the proof of it. */
export interface ProvenValue {
  readonly value: Uint8Array | undefined
  readonly proof: Uint8Array
}

/** The value of one key of the whole state, and the position of the state that it is of. */
export interface StateProof extends ProvenValue {
  readonly key: Uint8Array
  readonly position: ProvenValue
}

export type StateProofFault =
  /** The position is not under the root, or is none. */
  | 'bad-position'
  /** The position is that of another slot. */
  | 'other-slot'
  /** The value, or its absence, is not what the root says. */
  | 'not-in-state'

export type CheckedStateProof =
  | { readonly ok: true; readonly timestampMs: number }
  | { readonly ok: false; readonly fault: StateProofFault }

/** The state that a proof is about. */
export interface ProvedState {
  readonly slot: number
  readonly stateRoot: Uint8Array
}

/** Whether everything in `proof` holds in the state of this slot and root; and the agreed time of that state. Never throws. */
export function checkStateProof(
  { key, value, proof, position }: StateProof,
  state: ProvedState,
  hash?: Hash,
): CheckedStateProof {
  const checked = checkStatePosition(position, state, hash)
  if (!checked.ok || isInState(key, { value, proof }, state, hash)) return checked
  return { ok: false, fault: 'not-in-state' }
}

/** The part of it that is the same for all keys. Never throws. */
export function checkStatePosition(
  position: ProvenValue,
  { slot, stateRoot }: ProvedState,
  hash?: Hash,
): CheckedStateProof {
  const at = position.value === undefined ? undefined : decodePosition(position.value)
  if (at === undefined || !verifyStateProof(stateRoot, POSITION_STATE_KEY, position.value, position.proof, hash)) {
    return { ok: false, fault: 'bad-position' }
  }
  return at.slot === slot ? { ok: true, timestampMs: at.timestampMs } : { ok: false, fault: 'other-slot' }
}

/** The part of it that is about the key. Never throws. */
export function isInState(
  key: Uint8Array,
  { value, proof }: ProvenValue,
  { stateRoot }: ProvedState,
  hash?: Hash,
): boolean {
  return verifyStateProof(stateRoot, key, value, proof, hash)
}

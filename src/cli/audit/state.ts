// The proof of one key of the state, as `audit verify` shows it.

import { hex } from '../../../crypto/index.ts'
import type { AuditVerdict } from '../../audit/verify/index.ts'
import { decodeEntry, decodePosition, type KeyValue, kvStateKey } from '../../machine/index.ts'
import { lineOf, shown } from '../kv/bytes.ts'

type StateVerdict = Extract<AuditVerdict, { readonly kind: 'state' }>

/** First: what the proof is about. */
export function stateLine(verdict: StateVerdict): string {
  const { checkpoint, signers, faults } = verdict
  const { name, found } = contentOf(verdict)
  if (faults.length > 0) return `proof NOT GOOD: ${name}`
  const what =
    found === 'absent' || found === 'present'
      ? `is ${found}`
      : `is present, revision ${found.modRevision}, value ${lineOf(found.value, false)}`
  const when = `in the state of checkpoint ${checkpoint}, agreed at ${timeOf(verdict)}`
  return `proof: ${name} ${what}, ${when}, signed by replicas ${signers.join(', ')}`
}

export function stateForPrograms(verdict: StateVerdict): object {
  const { proof, checkpoint, signers, faults } = verdict
  const { user, found } = contentOf(verdict)
  const entry = typeof found === 'string' ? {} : { ...shown('value', found.value, false), revision: found.modRevision }
  return {
    kind: 'state',
    stateKey: hex(proof.key),
    ...(user === undefined ? {} : shown('key', user, false)),
    present: found !== 'absent',
    ...entry,
    checkpoint: checkpoint ?? null,
    time: timeOf(verdict),
    signers,
    faults,
  }
}

interface Content {
  /** The key of the key-value store, where it is one. */
  readonly user: Uint8Array | undefined
  /** The key for people. */
  readonly name: string
  readonly found: KeyValue | 'present' | 'absent'
}

function contentOf({ proof: { key, value } }: StateVerdict): Content {
  const prefix = kvStateKey(new Uint8Array(0))
  const user = prefix.every((byte, i) => key[i] === byte) ? key.slice(prefix.length) : undefined
  const name = user === undefined ? `key ${hex(key)} of the state` : `key ${lineOf(user, false)}`
  if (value === undefined) return { user, name, found: 'absent' }
  return { user, name, found: (user && decodeEntry(user, value)) ?? 'present' }
}

function timeOf({ proof: { position } }: StateVerdict): string | null {
  const at = position.value === undefined ? undefined : decodePosition(position.value)
  const time = new Date(at?.timestampMs ?? Number.NaN)
  return Number.isNaN(time.getTime()) ? null : time.toISOString()
}

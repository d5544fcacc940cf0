// Reads that do not go through the log: what one replica's state answers, and parts of that state with their proofs.

import { epoch, slot } from '../../crypto/index.ts'
import type * as wire from '../../net/wire/index.ts'
import { OUTCOME_BYTES, outcomeFromByte, type ProvenValue } from '../machine/index.ts'
import { fromWireCheckpoint, toWireCheckpoint } from './archive-codec.ts'
import type { Answer, ProvenState } from './frames.ts'
import { whole } from './malformed.ts'

type ReadAnswer = Extract<Answer, { readonly kind: 'read' }>
type ProveAnswer = Extract<Answer, { readonly kind: 'prove' }>
type StateAnswer = Extract<Answer, { readonly kind: 'state' }>

export function toWireReadResults({ epoch: of, slot: at, first, results }: ReadAnswer): wire.ReadResults {
  return {
    epoch: of,
    slot: at,
    first,
    results: results.map(({ outcome, result }) => ({ outcome: OUTCOME_BYTES[outcome], result })),
  }
}

export function fromWireReadResults({ epoch: of, slot: at, first, results }: wire.ReadResults): ReadAnswer {
  return {
    kind: 'read',
    epoch: epoch(of),
    slot: slot(at),
    first,
    results: results.map(({ outcome, result }) => ({
      outcome: whole(outcomeFromByte(outcome), 'ReadResult.outcome'),
      result: result.slice(),
    })),
  }
}

export function toWireProofs({ state }: ProveAnswer): wire.StateProofs {
  if (state === undefined) return { found: undefined }
  const { position, values } = state
  return {
    found: { checkpoint: toWireCheckpoint(state), position: toWireValue(position), values: values.map(toWireValue) },
  }
}

export function fromWireProofs({ found }: wire.StateProofs): ProveAnswer {
  if (found === undefined) return { kind: 'prove', state: undefined }
  const { checkpoint, position, values } = found
  const state: ProvenState = {
    ...fromWireCheckpoint(checkpoint),
    position: fromWireValue(position),
    values: values.map(fromWireValue),
  }
  return { kind: 'prove', state }
}

export function toWireState({ part }: StateAnswer): wire.StateAnswer {
  return { found: part && { checkpoint: toWireCheckpoint(part), chunk: part.chunk } }
}

export function fromWireState({ found }: wire.StateAnswer): StateAnswer {
  if (found === undefined) return { kind: 'state', part: undefined }
  return { kind: 'state', part: { ...fromWireCheckpoint(found.checkpoint), chunk: found.chunk.slice() } }
}

function toWireValue({ value, proof }: ProvenValue): wire.ProvenValue {
  return { held: value && { content: value }, proof }
}

function fromWireValue({ held, proof }: wire.ProvenValue): ProvenValue {
  return { value: held?.content.slice(), proof: proof.slice() }
}

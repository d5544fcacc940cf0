// Chosen values: learned from Accept votes, or with their certificate from any one peer, in any order and from any view; executed
// strictly in the order of the slots (pitfall P21: one pipeline, each slot once).

import {
  appendLeaf,
  type Certificate,
  equalBytes,
  markVerified,
  type Slot,
  slot,
  type Verified,
} from '../../crypto/index.ts'
import type { Entry } from './entry.ts'
import { DECISION_WEIGHT, EAGER_SLOTS, PACE_SAMPLES } from './limits.ts'
import { emit, persist } from './outbox.ts'
import { packEntry } from './packed-entry.ts'
import { digestKey } from './request.ts'
import { type CoreState, inWindow, type SlotState, slotState } from './state.ts'

/** An accept certificate: decides its slot, whichever view it is from (P16). */
export function learnChosen(state: CoreState, certificate: Verified<Certificate>): void {
  const { slot: number, digest } = certificate.statement
  if (!inWindow(state, number)) return
  const at = slotState(state, number)
  if (at.chosen !== undefined) {
    // Unreachable with at most b liars; going on would let two honest replicas execute different entries.
    if (!equalBytes(at.chosen.statement.digest, digest)) throw new SafetyViolation(at.chosen, certificate)
    return
  }
  at.chosen = certificate
  noteDecision(state, at)
  persist(state, { kind: 'chosen', certificate })
  choose(state)
}

/** How long decisions take, for when to send again. Of a slot that was sent again nobody knows what it waited for (Karn's rule). */
function noteDecision(state: CoreState, { votedAt }: SlotState): void {
  if (votedAt === undefined || votedAt <= state.slotsResentAt) return
  const took = Math.min(state.nowMs - votedAt, state.config.parameters.viewTimeoutMs)
  state.decisionMs += DECISION_WEIGHT * (took - state.decisionMs)
  state.decisions.push(took)
  if (state.decisions.length > PACE_SAMPLES) state.decisions.shift()
}

/** An entry with its certificate, pulled from a peer. */
export function learnEntry(state: CoreState, entry: Entry, certificate: Verified<Certificate>): void {
  const number = entry.header.slot
  if (!inWindow(state, number) || number <= state.executing) return
  const at = slotState(state, number)
  const key = digestKey(entry.digest)
  if (!at.bodies.has(key)) {
    at.bodies.set(key, entry)
    persist(state, { kind: 'entry', entry })
  }
  learnChosen(state, certificate)
  choose(state)
}

/** Hands to the machine every chosen entry that is next in order and whose body is here. */
export function choose(state: CoreState): void {
  while (state.slots.get(state.chosen + 1)?.chosen !== undefined) {
    state.chosen = slot(state.chosen + 1)
    state.chosenAt[state.chosen % EAGER_SLOTS] = state.nowMs
  }
  while (!state.transferring) {
    const next = state.executing + 1
    const at = state.slots.get(next)
    const certificate = at?.chosen
    const entry = certificate && at?.bodies.get(digestKey(certificate.statement.digest))
    if (certificate === undefined || entry === undefined) return
    execute(state, entry, certificate)
  }
}

function execute(state: CoreState, entry: Entry, certificate: Certificate): void {
  const { slot: number, timestampMs } = entry.header
  state.executing = slot(number)
  state.frontier = appendLeaf(state.frontier, entry.digest)
  // Agreed time never goes back, whatever a carried-over entry says.
  state.timestampMs = Math.max(state.timestampMs, timestampMs)
  if (number % state.config.parameters.checkpointInterval === 0) state.frontiers.set(number, state.frontier)
  emit(state, { kind: 'execute', entry, certificate, timestampMs: state.timestampMs })
}

/** The chosen entry of a slot, from the window or from the tail kept below the stable checkpoint. */
export function chosenEntry(
  state: CoreState,
  number: Slot,
): { readonly entry: Entry; readonly certificate: Verified<Certificate> } | undefined {
  const kept = state.tail.get(number)
  if (kept !== undefined) return kept
  const at = state.slots.get(number)
  const entry = at?.chosen && at.bodies.get(digestKey(at.chosen.statement.digest))
  return at?.chosen === undefined || entry === undefined ? undefined : { entry, certificate: markVerified(at.chosen) }
}

/** It is executed; only peers that lag may still ask for it. */
export function packChosen(state: CoreState, entry: Entry): void {
  state.slots.get(entry.header.slot)?.bodies.set(digestKey(entry.digest), packEntry(entry))
}

/** Two accept certificates for different entries of one slot: more than b replicas lied. The replica stops. */
export class SafetyViolation extends Error {
  override readonly name = 'SafetyViolation'
  readonly first: Certificate
  readonly second: Certificate

  constructor(first: Certificate, second: Certificate) {
    super(`slot ${first.statement.slot}: two different entries are certified as chosen; more than b replicas lied`)
    this.first = first
    this.second = second
  }
}

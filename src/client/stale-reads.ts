// Reads from any single replica, with proofs: of a key's value, or that there is none, under a checkpoint that q replicas signed. A lying
// replica can give an old checkpoint, never a wrong value; how old is in the proof, and the caller may say how old is too old.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ReplicaIndex } from '../../crypto/index.ts'
import type { ClusterView } from './cluster-view.ts'
import { ClientError, closedError } from './errors.ts'
import { CALL_TIMEOUT_MS, STALE_PATIENCE_SHARE, TICK_MS, WAITING_REQUESTS } from './limits.ts'
import type { Links } from './links.ts'
import { type KeyAnswer, ProofBatches, type ProofBatchesParts } from './proof-batches.ts'
import { type CallOptions, type ReadOf, Refused, type StaleEvidence } from './types.ts'

export interface StaleReadsParts extends ProofBatchesParts {
  readonly view: ClusterView
  readonly links: Links
  /** The members may be others by now. */
  readonly doubtMembers: () => void
}

export type StaleResult = ReadOf<Uint8Array | undefined, StaleEvidence>

/** What one replica's answer came to. */
type Got = StaleResult | Extract<KeyAnswer, string>

export class StaleReads {
  private readonly parts: StaleReadsParts
  /** Asked first: who answered well last, so that a client's reads seldom go back in time. */
  private preferred: ReplicaIndex | undefined
  private readonly batches: ProofBatches
  private running = 0
  private closed = false

  constructor(parts: StaleReadsParts) {
    this.parts = parts
    this.batches = new ProofBatches(parts)
  }

  /**
   * The value of a key of the whole state, from the first replica that proves one no older than `maxAgeMs`.
   * @throws {Refused} `too-old`, `no-checkpoint` or `unreachable`. @throws {ClientError} where nobody answers with a proof.
   */
  async read(key: Uint8Array, maxAgeMs: number, options: CallOptions): Promise<StaleResult> {
    if (this.running >= WAITING_REQUESTS) {
      throw new Refused('queue-full', '', `${this.running} reads wait to be sent already`)
    }
    this.running++
    try {
      return await this.search(key, maxAgeMs, options)
    } finally {
      this.running--
    }
  }

  /** The positions are others now. */
  moved(): void {
    this.preferred = undefined
    this.batches.moved()
  }

  close(): void {
    this.closed = true
    this.batches.close()
  }

  private async search(key: Uint8Array, maxAgeMs: number, options: CallOptions): Promise<StaleResult> {
    const { links, view } = this.parts
    const { timeoutMs = CALL_TIMEOUT_MS, signal } = options
    const begunAt = performance.now()
    const patienceMs = view.parameters.viewTimeoutMs * STALE_PATIENCE_SHARE
    let { epoch } = view
    let untried = new Set(links.members)
    const silent = new Set<ReplicaIndex>()
    let best: StaleResult | undefined
    let [empty, lied] = [false, false]
    for (;;) {
      signal?.throwIfAborted()
      if (this.closed) throw closedError()
      const spentMs = performance.now() - begunAt
      if (spentMs >= timeoutMs) break
      if (view.epoch !== epoch) {
        epoch = view.epoch
        untried = new Set(links.members)
        silent.clear()
      }
      const replica = this.next(untried)
      if (replica === undefined) {
        const answered = best !== undefined || empty
        if (untried.size === 0 && !lied && (answered || silent.size === 0)) break
        // Those that are not connected are waited for, but not long where others have answered. What proves nothing here may be of an
        // epoch that is being asked about.
        if ((answered || (lied && silent.size === 0)) && spentMs >= patienceMs) break
        await sleep(TICK_MS)
        // One that is busy, or just back, answers later.
        if (!answered) for (const each of silent) untried.add(each)
        if (!answered) silent.clear()
        continue
      }
      untried.delete(replica)
      const limits = { timeoutMs: Math.min(patienceMs, timeoutMs - spentMs), ...(signal && { signal }) }
      const got = await this.ask(replica, key, limits)
      if (got === 'nothing') silent.add(replica)
      else if (got === 'no-checkpoint') empty = true
      else if (got === 'lie') {
        lied = true
        this.parts.doubtMembers()
      } else {
        if (got.evidence.ageMs <= maxAgeMs) {
          this.preferred = replica
          return got
        }
        if (best === undefined || got.evidence.ageMs < best.evidence.ageMs) best = got
      }
    }
    if (best !== undefined) throw tooOld(best, maxAgeMs)
    if (empty) throw noCheckpoint()
    if (links.up().length === 0) {
      throw new Refused('unreachable', '', `no replica could be reached in time: ${links.missing()}`)
    }
    throw new ClientError('no-answer', 'no replica answered in time with a proof that holds')
  }

  private next(untried: ReadonlySet<ReplicaIndex>): ReplicaIndex | undefined {
    const up = this.parts.links.up().filter((replica) => untried.has(replica))
    if (this.preferred !== undefined && up.includes(this.preferred)) return this.preferred
    return up[Math.floor(Math.random() * up.length)]
  }

  private async ask(
    replica: ReplicaIndex,
    key: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Got> {
    const answer = await this.batches.ask(replica, key, options)
    return typeof answer === 'string' ? answer : resultOf(replica, answer)
  }
}

function resultOf(replica: ReplicaIndex, { proven, under }: Exclude<KeyAnswer, string>): StaleResult {
  const { checkpoint, frontier } = under
  const { value, timestampMs, proof } = proven
  const ageMs = Math.max(0, Date.now() - timestampMs)
  return {
    value,
    slot: checkpoint.slot,
    evidence: { mode: 'stale', replica, checkpoint, frontier, timestampMs, ageMs, proof },
  }
}

function tooOld({ slot, evidence: { ageMs } }: StaleResult, maxAgeMs: number): Refused {
  const text =
    `no replica proved a state of the last ${seconds(maxAgeMs)}: the newest checkpoint is that of slot ${slot}, ` +
    `${seconds(ageMs)} old; read with quorum, or allow more`
  return new Refused('too-old', String(Math.round(ageMs)), text)
}

function noCheckpoint(): Refused {
  return new Refused(
    'no-checkpoint',
    '',
    'the cluster has made no checkpoint yet, so no single replica can prove anything: read with quorum',
  )
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}

// Where the members are reached, which the state of the cluster says: asked of any one of them, with a proof. After each new epoch, for
// those who come new; and again while somebody cannot be reached, who may be elsewhere by now.

import type { MemberId, ReplicaIndex } from '../../crypto/index.ts'
import { addressesStateKey, decodeAddresses } from '../machine/index.ts'
import { MAX_STATE_KEYS } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import { ClientError } from './errors.ts'
import { ADDRESS_ANSWER_MS, ADDRESS_PAUSE_MS, ADDRESS_RETRY_MS } from './limits.ts'
import type { Links } from './links.ts'
import type { Proofs } from './proofs.ts'
import type { Questions } from './questions.ts'
import type { Ticker } from './ticker.ts'

export interface AddressesParts {
  readonly view: ClusterView
  readonly links: Links
  readonly questions: Questions
  readonly proofs: Proofs
  readonly ticker: Ticker
  readonly counters: Counters
  /** They are others now: to be dialled, and kept. */
  readonly changed: () => void
}

export class Addresses {
  private readonly parts: AddressesParts
  private readonly ending = new AbortController()
  private asking = false
  /** Some are of an epoch that just began. */
  private wanted = false
  private mayAt = 0
  /** Of the checkpoint under which the known ones were proven: older ones would lead back to where somebody was. */
  private provenAt = 0

  constructor(parts: AddressesParts) {
    this.parts = parts
    parts.ticker.add((nowMs) => this.look(nowMs))
  }

  /** Others are in office. */
  moved(): void {
    this.wanted = true
    this.mayAt = 0
    this.look(this.parts.ticker.now())
    this.parts.ticker.wake()
  }

  close(): void {
    this.wanted = false
    this.ending.abort(new Error('the client was closed'))
  }

  private look(now: number): boolean {
    const { links } = this.parts
    const [up, all] = [links.up().length, links.members.length]
    const due = this.wanted || (up > 0 && up < all)
    if (due && !this.asking && now >= this.mayAt && !this.ending.signal.aborted) {
      this.mayAt = now + (this.wanted ? ADDRESS_RETRY_MS : ADDRESS_PAUSE_MS)
      void this.ask()
    }
    return this.wanted
  }

  /** Asks one after another until all are known as somebody proves them. */
  private async ask(): Promise<void> {
    const { view, links } = this.parts
    const { epoch } = view
    this.asking = true
    try {
      const untried = new Set(links.up())
      for (const replica of untried) {
        const found = await this.addressesFrom(replica)
        if (this.ending.signal.aborted || view.epoch !== epoch) return
        if (found === undefined) continue
        this.wanted = false
        if (view.reach(found)) this.parts.changed()
        return
      }
    } finally {
      this.asking = false
    }
  }

  /** Undefined where it proves nothing of it. */
  private async addressesFrom(replica: ReplicaIndex): Promise<Map<MemberId, readonly string[]> | undefined> {
    const { view, questions, proofs, counters } = this.parts
    const { members } = view.epoch.charter
    const found = new Map<MemberId, readonly string[]>()
    for (let first = 0; first < members.length; first += MAX_STATE_KEYS) {
      const ids = members.slice(first, first + MAX_STATE_KEYS).map(({ id }) => id)
      const keys = ids.map(addressesStateKey)
      const options = { signal: this.ending.signal, timeoutMs: ADDRESS_ANSWER_MS }
      const [answer] = await questions.ask(replica, { kind: 'prove', keys }, options).catch(notAnswered)
      if (answer?.state === undefined) return undefined
      const proven = proofs.check(keys, answer.state)
      if (proven === 'wrong') counters.add('proof-wrong')
      if (typeof proven === 'string' || proven.under.checkpoint.slot < this.provenAt) return undefined
      this.provenAt = proven.under.checkpoint.slot
      for (const [i, id] of ids.entries()) {
        const value = proven.values[i]?.value
        const addresses = value && decodeAddresses(value)
        if (addresses !== undefined) found.set(id, addresses)
      }
    }
    return found
  }
}

function notAnswered(error: unknown): [] {
  if (error instanceof ClientError || (error instanceof Error && error.message === 'the client was closed')) return []
  throw error
}

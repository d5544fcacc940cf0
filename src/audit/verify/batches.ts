// The signatures of many items are checked together, on other threads where there are some, while further items are read. An item is
// judged at once as if all its signatures were good, and that holds where they turn out to be.

import { type AuditContext, withVerifier } from './context.ts'
import { SignatureGatherer } from './gather.ts'
import { BATCH_BYTES, BATCH_ITEMS, BATCH_SIGNATURES, BATCHES_UNDER_WAY } from './limits.ts'
import type { AuditOptions } from './verdicts.ts'

/** Items whose signatures were checked; `good` where all of them hold. */
export interface Answered<Item> {
  readonly items: readonly Item[]
  readonly good: boolean
}

interface Batch<Item> {
  readonly items: Item[]
  readonly gatherer: SignatureGatherer
  readonly gathering: AuditContext
  bytes: number
}

export class Batches<Item> {
  private plain: AuditContext
  private readonly check: AuditOptions['batch']
  private batch: Batch<Item>
  private readonly underWay: Promise<Answered<Item>>[] = []

  /** Without `check` each signature is checked where it is met. */
  constructor(context: AuditContext, check: AuditOptions['batch']) {
    this.plain = context
    this.check = check
    this.batch = batchFor(context)
  }

  /** What the next item is judged by. */
  get context(): AuditContext {
    return this.check === undefined ? this.plain : this.batch.gathering
  }

  /** Items from here on are judged by another context. */
  use(context: AuditContext): void {
    this.plain = context
    this.close()
    this.batch = batchFor(context)
  }

  /** Adds an item that was judged by {@link context}; gives the batches that should be waited for now. */
  *add(item: Item, bytes: number): Generator<Promise<Answered<Item>>> {
    const { batch, check } = this
    batch.items.push(item)
    batch.bytes += bytes
    if (check !== undefined && !isFull(batch)) return
    this.close()
    while (this.underWay.length > (check === undefined ? 0 : BATCHES_UNDER_WAY)) yield* this.oldest()
  }

  /** All that is left. */
  *rest(): Generator<Promise<Answered<Item>>> {
    this.close()
    while (this.underWay.length > 0) yield* this.oldest()
  }

  private close(): void {
    const { items, gatherer } = this.batch
    if (items.length === 0) return
    this.batch = batchFor(this.plain)
    const { jobs } = gatherer
    const verdicts = jobs.length === 0 ? Promise.resolve([]) : (this.check?.(jobs) ?? Promise.resolve([]))
    const answered = verdicts.then((answers) => ({ items, good: jobs.every((_, i) => answers[i] === true) }))
    // It is awaited in its turn; a failure before that must not count as unhandled.
    answered.catch(() => {})
    this.underWay.push(answered)
  }

  private *oldest(): Generator<Promise<Answered<Item>>> {
    const oldest = this.underWay.shift()
    if (oldest !== undefined) yield oldest
  }
}

function batchFor<Item>(context: AuditContext): Batch<Item> {
  const gatherer = new SignatureGatherer()
  return { items: [], gatherer, gathering: withVerifier(context, gatherer), bytes: 0 }
}

function isFull<Item>({ items, gatherer, bytes }: Batch<Item>): boolean {
  return items.length >= BATCH_ITEMS || gatherer.jobs.length >= BATCH_SIGNATURES || bytes >= BATCH_BYTES
}

// What clients and auditors ask a replica about itself: where it stands, and what it keeps. Answers come in pages that fit a frame;
// reading goes on beside the protocol, for a bounded number of askers at a time.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientLink } from '../../net/index.ts'
import type { HandOver } from '../consensus/index.ts'
import type { Store } from '../storage/index.ts'
import {
  type Answer,
  encodeArchivedSlot,
  encodeHandOver,
  encodeRecord,
  encodeReplicaFrame,
  MAX_LINKS,
  type Question,
  type ReplicaStatus,
} from '../wire/index.ts'
import { readCheckpoints, readSlots } from './archive-reader.ts'
import type { KeptForAudit } from './journal.ts'
import { ANSWER_BYTES, ANSWER_PATIENCE_MS, ANSWER_RETRY_MS, QUESTIONS, QUESTIONS_PER_CLIENT } from './limits.ts'

export interface QuestionsOptions {
  readonly store: Store
  /** How the epochs after the first began, as far as this replica knows. */
  readonly links: () => readonly HandOver[]
  readonly kept: KeptForAudit
  readonly status: () => ReplicaStatus
}

/** Those about the replica itself; reads of the machine's state are answered by reads.ts. */
export type OwnQuestion = Exclude<Question, { readonly kind: 'read' | 'prove' | 'state' }>
type PagedQuestion = Exclude<OwnQuestion, { readonly kind: 'status' }>

/** Pages of one answer, each with its size. */
type Pages = AsyncIterable<Answer> | Iterable<Answer>

export class Questions {
  private readonly options: QuestionsOptions
  private readonly open = new Map<ClientLink, number>()
  private readonly closed = new WeakSet<ClientLink>()
  private running = 0
  private stopped = false

  constructor(options: QuestionsOptions) {
    this.options = options
  }

  ask(link: ClientLink, id: number, question: OwnQuestion): void {
    if (question.kind === 'status') {
      send(link, id, true, { kind: 'status', status: this.options.status() })
      return
    }
    const ofLink = this.open.get(link) ?? 0
    if (ofLink >= QUESTIONS_PER_CLIENT || this.running >= QUESTIONS) {
      send(link, id, true, { kind: 'refused', reason: 'too many questions are being answered; ask again later' })
      return
    }
    this.open.set(link, ofLink + 1)
    this.running++
    void this.answer(link, id, question).finally(() => this.answered(link))
  }

  /** The link is gone: its answers stop. */
  down(link: ClientLink): void {
    this.closed.add(link)
  }

  stop(): void {
    this.stopped = true
  }

  private answered(link: ClientLink): void {
    this.running--
    const left = (this.open.get(link) ?? 1) - 1
    if (left > 0) this.open.set(link, left)
    else this.open.delete(link)
  }

  private async answer(link: ClientLink, id: number, question: PagedQuestion): Promise<void> {
    try {
      for await (const page of this.pages(question)) {
        if (!(await this.deliver(link, id, false, page))) return
      }
      await this.deliver(link, id, true, emptyAnswer(question))
    } catch (error) {
      // A damaged old file, or one that was deleted meanwhile: the asker is told, and nothing else depends on it.
      const reason = `the log could not be read: ${error instanceof Error ? error.message : String(error)}`
      await this.deliver(link, id, true, { kind: 'refused', reason })
    }
  }

  private pages(question: PagedQuestion): Pages {
    const { store, links, kept, status } = this.options
    switch (question.kind) {
      case 'slots': {
        const slots = readSlots(store, links(), question.from, Math.min(question.to, status().chosen))
        return paged(
          slots,
          (slot) => encodeArchivedSlot(slot).length,
          (page): Answer => ({ kind: 'slots', slots: page }),
        )
      }
      case 'checkpoints': {
        const found = readCheckpoints(store, question.from, Math.min(question.to, status().stable))
        const size = ({ checkpoint }: { checkpoint: { signatures: readonly unknown[] } }) =>
          2048 + 70 * checkpoint.signatures.length
        return paged(found, size, (page): Answer => ({ kind: 'checkpoints', checkpoints: page }))
      }
      case 'new-views':
        return paged(
          kept.newViews.items,
          (newView) => encodeRecord({ kind: 'new-view', newView }).length,
          (page): Answer => ({ kind: 'new-views', newViews: page }),
        )
      case 'evidence':
        return paged(
          kept.evidence.items,
          (evidence) => encodeRecord({ kind: 'evidence', evidence }).length,
          (page): Answer => ({ kind: 'evidence', evidence: page }),
        )
      case 'chain':
        return paged(
          links().slice(question.from, question.from + MAX_LINKS),
          (link) => encodeHandOver(link).length,
          (page): Answer => ({ kind: 'chain', links: page }),
        )
    }
  }

  /** Waits for room in the link's queue; false where the link is gone, or reads nothing. */
  private async deliver(link: ClientLink, id: number, last: boolean, answer: Answer): Promise<boolean> {
    for (let waited = 0; waited < ANSWER_PATIENCE_MS; waited += ANSWER_RETRY_MS) {
      if (this.stopped || this.closed.has(link)) return false
      if (send(link, id, last, answer)) return true
      await sleep(ANSWER_RETRY_MS)
    }
    return false
  }
}

function send(link: ClientLink, id: number, last: boolean, answer: Answer): boolean {
  return link.send(encodeReplicaFrame({ kind: 'answer', id, last, answer }))
}

function emptyAnswer({ kind }: PagedQuestion): Answer {
  switch (kind) {
    case 'slots':
      return { kind, slots: [] }
    case 'checkpoints':
      return { kind, checkpoints: [] }
    case 'new-views':
      return { kind, newViews: [] }
    case 'evidence':
      return { kind, evidence: [] }
    case 'chain':
      return { kind, links: [] }
  }
}

async function* paged<Item>(
  items: AsyncIterable<Item> | Iterable<Item>,
  size: (item: Item) => number,
  answer: (page: readonly Item[]) => Answer,
): AsyncGenerator<Answer> {
  let page: Item[] = []
  let bytes = 0
  for await (const item of items) {
    const more = size(item)
    if (page.length > 0 && bytes + more > ANSWER_BYTES) {
      yield answer(page)
      page = []
      bytes = 0
    }
    page.push(item)
    bytes += more
  }
  if (page.length > 0) yield answer(page)
}

// What one replica keeps for auditors, asked for page by page: a replica drops what does not fit the queue of a client that reads
// slowly, so a page must fit, and one that does not come is asked for again, half as long.

import { epoch, type MemberId, type ReplicaIndex, slot } from '../../crypto/index.ts'
import { MAX_EPOCH } from '../../keys/charter/index.ts'
import type { Evidence, HandOver, NewView } from '../consensus/index.ts'
import { type Archive, type ArchivedCheckpoint, type ArchivedSlot, MAX_LINKS } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'
import { ClientError, memberNoMore } from './errors.ts'
import { ARCHIVE_ATTEMPTS, ARCHIVE_PAGE_SLOTS } from './limits.ts'
import type { Questions } from './questions.ts'

export class RemoteArchive implements Archive {
  /** Where it stood when it was asked for. */
  readonly replica: ReplicaIndex
  private readonly id: MemberId | undefined
  private readonly view: ClusterView
  private readonly questions: Questions

  constructor(replica: ReplicaIndex, view: ClusterView, questions: Questions) {
    this.replica = replica
    this.id = view.member(replica)?.id
    this.view = view
    this.questions = questions
  }

  async extent(): Promise<{ readonly first: number; readonly last: number }> {
    const [answer] = await this.questions.ask(this.position, { kind: 'status' })
    if (answer === undefined) throw new ClientError('no-answer', `replica ${this.replica} gave an empty answer`)
    const { firstSlot, executed } = answer.status
    return { first: firstSlot, last: executed >= firstSlot ? executed : 0 }
  }

  async *handOvers(): AsyncGenerator<HandOver> {
    for (let told = 0; told < MAX_EPOCH; ) {
      const question = { kind: 'chain', from: epoch(told) } as const
      const links = (await this.questions.ask(this.position, question)).flatMap((answer) => answer.links)
      yield* links
      told += links.length
      if (links.length < MAX_LINKS) return
    }
  }

  slots(from: number, to: number): AsyncIterable<ArchivedSlot> {
    const { questions } = this
    return paged(from, to, ARCHIVE_PAGE_SLOTS, async (first, last) => {
      const question = { kind: 'slots', from: slot(first), to: slot(last) } as const
      const answers = await questions.ask(this.position, question)
      return answers.flatMap((answer) => answer.slots)
    })
  }

  checkpoints(from: number, to: number): AsyncIterable<ArchivedCheckpoint> {
    const { questions } = this
    return paged(from, to, ARCHIVE_PAGE_SLOTS * this.view.parameters.checkpointInterval, async (first, last) => {
      const question = { kind: 'checkpoints', from: slot(first), to: slot(last) } as const
      const answers = await questions.ask(this.position, question)
      return answers.flatMap((answer) => answer.checkpoints)
    })
  }

  async newViews(): Promise<readonly NewView[]> {
    const answers = await this.questions.ask(this.position, { kind: 'new-views' })
    return answers.flatMap(({ newViews }) => newViews)
  }

  async evidence(): Promise<readonly Evidence[]> {
    const answers = await this.questions.ask(this.position, { kind: 'evidence' })
    return answers.flatMap(({ evidence }) => evidence)
  }

  /** The member is asked wherever it stands now. */
  private get position(): ReplicaIndex {
    const { id, view, replica } = this
    const now = id === undefined ? undefined : view.positionOf(id)
    if (now === undefined) throw memberNoMore(replica)
    return now
  }

  /** The client goes on; there is nothing to give back. */
  async close(): Promise<void> {}
}

/** What `ask` gives for the slots from `from` to `to`, `size` slots at once or fewer. */
async function* paged<Item>(
  from: number,
  to: number,
  size: number,
  ask: (first: number, last: number) => Promise<readonly Item[]>,
): AsyncGenerator<Item> {
  let [first, length, attempts] = [from, size, 0]
  while (first <= to) {
    const last = Math.min(to, first + length - 1)
    try {
      yield* await ask(first, last)
    } catch (error) {
      const again = error instanceof ClientError && error.code === 'no-answer' && length > 1
      if (!again || ++attempts === ARCHIVE_ATTEMPTS) throw error
      length = Math.ceil(length / 2)
      continue
    }
    attempts = 0
    first = last + 1
  }
}

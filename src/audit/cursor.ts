// Reading one replica's archive in step with others, and dropping it for good at its first lie: whoever reads on goes to another.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { Archive, ArchivedSlot } from '../wire/index.ts'

/** Why nothing of a replica's archive is taken any more. */
export interface Refusal {
  readonly replica: ReplicaIndex
  /** Such as `slot 7`. */
  readonly where: string
  /** One sentence. */
  readonly reason: string
}

export class Cursor {
  readonly archive: Archive
  refusal: Refusal | undefined
  private slots: AsyncIterator<ArchivedSlot> | undefined
  private ahead: ArchivedSlot | undefined
  private readonly signal: AbortSignal | undefined

  constructor(archive: Archive, signal?: AbortSignal) {
    this.archive = archive
    this.signal = signal
  }

  /** What it keeps of `slot`, on the way to `last`; slots are asked for in ascending order. */
  async at(slot: number, last: number): Promise<ArchivedSlot | undefined> {
    if (this.refusal !== undefined) return undefined
    return await this.ask(`slot ${slot}`, async () => {
      this.slots ??= this.archive.slots(slot, last)[Symbol.asyncIterator]()
      let before = this.ahead?.entry.header.slot ?? 0
      while (this.ahead === undefined || this.ahead.entry.header.slot < slot) {
        const { value, done } = await this.slots.next()
        if (done) return undefined
        if (value.entry.header.slot <= before || value.entry.header.slot > last) {
          this.refuse(`slot ${slot}`, 'it answers with slots that nobody asked for')
          return undefined
        }
        this.ahead = value
        before = value.entry.header.slot
      }
      return this.ahead.entry.header.slot === slot ? this.ahead : undefined
    })
  }

  /** Forgets its place, so that other slots can be asked for. */
  async rewind(): Promise<void> {
    const { slots } = this
    this.slots = undefined
    this.ahead = undefined
    await slots?.return?.(undefined)
  }

  /** Its answer; undefined where it failed to give one, which counts like a lie: others are asked. */
  async ask<Answer>(where: string, question: () => Promise<Answer>): Promise<Answer | undefined> {
    if (this.refusal !== undefined) return undefined
    this.signal?.throwIfAborted()
    try {
      return await question()
    } catch (error) {
      this.signal?.throwIfAborted()
      this.refuse(where, `it gave no answer: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  refuse(where: string, reason: string): void {
    this.refusal ??= { replica: this.archive.replica, where, reason }
  }
}

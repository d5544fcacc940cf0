// Answers to clients: of one slot all that one client asked in it together, under the slot's receipt and one proof, and everything for
// one link of one turn in one frame.

import { DIGEST_BYTES, type Digest, type Slot, type View } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import { encodeReplicaFrame, type RefusalCode, type SlotReply } from '../wire/index.ts'
import { REPLY_FRAME_BYTES } from './limits.ts'
import type { MachineHost } from './machine-host.ts'

/** Bytes of an item beside its record, and of a reply beside its items; generously. */
const ITEM_BYTES = 16
const REPLY_BYTES = 300

interface OpenReply {
  readonly slot: Slot
  readonly view: View
  readonly indexes: number[]
}

interface Outgoing {
  readonly replies: OpenReply[]
  bytes: number
}

export class Replies {
  private readonly host: Pick<MachineHost, 'resultsOf'>
  private readonly outgoing = new Map<ClientLink, Outgoing>()

  constructor(host: Pick<MachineHost, 'resultsOf'>) {
    this.host = host
  }

  /** Queues the answers at `indexes` of a slot for a link; those of one slot that come one after the other share a reply. */
  add(link: ClientLink, slot: Slot, view: View, indexes: readonly number[]): void {
    const results = this.host.resultsOf(slot)
    const pathBytes = DIGEST_BYTES * Math.ceil(Math.log2(results?.count ?? 1))
    for (const index of indexes) {
      const bytes = (results?.lengthOf(index) ?? 0) + pathBytes + ITEM_BYTES
      let out = this.outgoing.get(link)
      if (out !== undefined && out.bytes + bytes > REPLY_FRAME_BYTES) {
        this.send(link, out)
        out = undefined
      }
      if (out === undefined) {
        out = { replies: [], bytes: 0 }
        this.outgoing.set(link, out)
      }
      let reply = out.replies.at(-1)
      if (reply?.slot !== slot) {
        reply = { slot, view, indexes: [] }
        out.replies.push(reply)
        out.bytes += REPLY_BYTES
      }
      reply.indexes.push(index)
      out.bytes += bytes
    }
  }

  /** Everything queued leaves. What a link has no room for is dropped; its client asks again. */
  flush(): void {
    for (const [link, out] of this.outgoing) this.send(link, out)
    this.outgoing.clear()
  }

  refuse(link: ClientLink, request: Digest, code: RefusalCode): void {
    link.send(encodeReplicaFrame({ kind: 'refusal', request, code }))
  }

  private send(link: ClientLink, { replies }: Outgoing): void {
    const whole = replies.flatMap((reply) => this.slotReply(reply) ?? [])
    if (whole.length > 0) link.send(encodeReplicaFrame({ kind: 'replies', replies: whole }))
  }

  /** Undefined where the results are no longer kept, or their receipt is not signed yet. */
  private slotReply({ slot, view, indexes }: OpenReply): SlotReply | undefined {
    const results = this.host.resultsOf(slot)
    if (results?.receipt === undefined) return undefined
    const { receipt } = results
    const ordered = ascending(indexes)
    const items: SlotReply['items'][number][] = []
    for (const index of ordered) {
      const record = results.record(index)
      if (record !== undefined) items.push({ index, record })
    }
    return { view, receipt, count: results.count, items, hashes: results.prove(ordered) }
  }
}

/** Each once, in their order; as they are where they are so already. */
function ascending(indexes: readonly number[]): readonly number[] {
  if (indexes.every((index, i) => i === 0 || index > (indexes[i - 1] ?? 0))) return indexes
  return [...new Set(indexes)].sort((a, b) => a - b)
}

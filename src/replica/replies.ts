// Answers to clients: of one slot all that one client asked in it together, under the slot's receipt, and everything for one link
// of one turn in one frame.

import type { Digest, View, Vote } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import { encodeReplicaFrame, type RefusalCode, type ReplyItem, type SlotReply } from '../wire/index.ts'
import { REPLY_FRAME_BYTES } from './limits.ts'

/** Bytes of an item beside its record and path, and of a reply beside its items; generously. */
const ITEM_BYTES = 16
const REPLY_BYTES = 300

interface OpenReply {
  readonly view: View
  readonly receipt: Vote
  readonly count: number
  readonly items: ReplyItem[]
}

interface Outgoing {
  readonly replies: OpenReply[]
  bytes: number
}

export class Replies {
  private readonly outgoing = new Map<ClientLink, Outgoing>()

  /** Queues one answer for a link; answers of one slot that come one after the other share a reply. */
  add(
    link: ClientLink,
    said: { readonly view: View; readonly receipt: Vote; readonly count: number },
    item: ReplyItem,
  ) {
    const bytes = item.record.length + 32 * item.path.length + ITEM_BYTES
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
    if (reply?.receipt !== said.receipt) {
      reply = { ...said, items: [] }
      out.replies.push(reply)
      out.bytes += REPLY_BYTES
    }
    reply.items.push(item)
    out.bytes += bytes
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
    const whole: readonly SlotReply[] = replies
    link.send(encodeReplicaFrame({ kind: 'replies', replies: whole }))
  }
}

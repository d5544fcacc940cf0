// I3: no honest replica ever signs two different statements of one kind for one view and slot, nor two checkpoints of one size,
// counting all that it sent, lost messages and those before a power cut too.
// I11: whatever leaves was on disk before: the vote itself, the body that a Prepare is about, the certificate behind an Accept.

import { epoch, hex, type Vote } from '../../../crypto/index.ts'
import { type DurableRecord, type Message, noopEntry } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

interface Memory {
  /** By kind, view and slot: the signature that was sent. */
  readonly said: Map<string, string>
  /** Signatures, entry digests and certificates on disk. */
  readonly durable: Set<string>
  last: Message | undefined
}

export class VotesCheck implements Observer {
  private readonly memories = new Map<number, Memory>()

  started(replica: ReplicaView, records: readonly DurableRecord[]): void {
    // What an unlucky power cut left on disk was never confirmed, but binds all the same.
    this.durable(replica, records)
  }

  durable(replica: ReplicaView, records: readonly DurableRecord[]): void {
    const { durable } = this.memory(replica)
    for (const record of records) for (const key of keysOf(record)) durable.add(key)
  }

  sent(replica: ReplicaView, _to: number, message: Message): void {
    if (!replica.honest) return
    const memory = this.memory(replica)
    // A broadcast comes once for each receiver.
    if (memory.last === message) return
    memory.last = message
    if (message.kind === 'checkpoint') {
      const { slot, signature, replica: signer } = message.vote
      if (signer === replica.index) this.say(replica, memory, `checkpoint/${slot}`, hex(signature))
      return
    }
    for (const vote of ownVotes(message, replica.index)) this.vote(replica, memory, vote)
    if (message.kind === 'propose' && message.vote.replica === replica.index && message.entry.header.kind === 'batch') {
      this.mustBeDurable(
        replica,
        memory,
        `entry/${hex(message.entry.digest)}`,
        `the body of slot ${message.entry.header.slot}`,
      )
    }
  }

  private vote(replica: ReplicaView, memory: Memory, { statement, signature }: Vote): void {
    const { kind, view, slot, digest } = statement
    const perView = kind === 'view-change' || kind === 'new-view'
    this.say(replica, memory, perView ? `${kind}/${view}` : `${kind}/${view}/${slot}`, hex(signature))
    if (kind === 'accept') {
      const key = `prepared/${view}/${slot}/${hex(digest)}`
      this.mustBeDurable(replica, memory, key, `the certificate behind Accept of view ${view}, slot ${slot}`)
    }
    if (kind === 'prepare' && !memory.durable.has(`entry/${hex(digest)}`)) {
      // Everybody knows the body of a no-op.
      const noop = hex(noopEntry(slot, epoch(0)).digest)
      if (noop !== hex(digest) && !this.isInOwnNewView(memory, signature)) {
        throw new Violation('I11 durable before sent', `r${replica.address}: Prepare of slot ${slot} without its body`)
      }
    }
  }

  /** A new leader offers what certificates say, whether or not it has the body. */
  private isInOwnNewView(memory: Memory, signature: Uint8Array): boolean {
    return memory.durable.has(`proposal/${hex(signature)}`)
  }

  private say(replica: ReplicaView, memory: Memory, key: string, signature: string): void {
    const first = memory.said.get(key)
    if (first === undefined) memory.said.set(key, signature)
    else if (first !== signature) {
      throw new Violation('I3 one vote', `r${replica.address} signed two different statements: ${key}`)
    }
    this.mustBeDurable(replica, memory, `signature/${signature}`, key)
  }

  private mustBeDurable(replica: ReplicaView, memory: Memory, key: string, what: string): void {
    if (memory.durable.has(key)) return
    throw new Violation('I11 durable before sent', `r${replica.address} sent ${what} before it was on disk`)
  }

  private memory(replica: ReplicaView): Memory {
    let memory = this.memories.get(replica.address)
    if (memory === undefined) {
      memory = { said: new Map(), durable: new Set(), last: undefined }
      this.memories.set(replica.address, memory)
    }
    return memory
  }
}

/** The votes in a message that its sender made itself; the rest it relays. */
export function ownVotes(message: Message, self: number): Vote[] {
  return votesIn(message).filter(({ replica }) => replica === self)
}

function votesIn(message: Message): readonly Vote[] {
  switch (message.kind) {
    case 'propose':
    case 'vote':
      return [message.vote]
    case 'view-change':
      return [message.viewChange.vote]
    case 'new-view':
      return [message.newView.vote, ...message.newView.proposals]
    default:
      return []
  }
}

function keysOf(record: DurableRecord): string[] {
  switch (record.kind) {
    case 'entry':
      return [`entry/${hex(record.entry.digest)}`]
    case 'vote':
      return [`signature/${hex(record.vote.signature)}`]
    case 'prepared': {
      const { view, slot, digest } = record.certificate.statement
      return [`prepared/${view}/${slot}/${hex(digest)}`]
    }
    case 'promise':
      return [`signature/${hex(record.viewChange.vote.signature)}`]
    case 'new-view': {
      const { vote, proposals } = record.newView
      const offered = proposals.map(({ signature }) => hex(signature))
      return [vote.signature]
        .map((signature) => `signature/${hex(signature)}`)
        .concat(offered.flatMap((text) => [`signature/${text}`, `proposal/${text}`]))
    }
    case 'checkpoint':
      return [`signature/${hex(record.vote.signature)}`]
    default:
      return []
  }
}

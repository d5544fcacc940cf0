// I3: no honest replica ever signs two different statements of one kind for one view and slot, nor two checkpoints of one size,
// counting all that it sent, lost messages and those before a power cut too.
// I11: whatever leaves was on disk before: the vote itself, the body that a Prepare is about, the certificate behind an Accept.

import { bytesKey, type Digest, epoch, equalBytes, type Membership, type Vote } from '../../../crypto/index.ts'
import { type DurableRecord, type Message, noopEntry } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

interface Memory {
  /** By kind, view and slot: the statement that was sent. */
  readonly said: Map<string, string>
  /** What is on disk: votes, the proposals in NewViews once more, bodies, and what certificates prove prepared. */
  readonly votes: Set<string>
  readonly proposals: Set<string>
  readonly bodies: Set<string>
  readonly prepared: Set<string>
  last: Message | undefined
}

export class VotesCheck implements Observer {
  private readonly memories = new Map<number, Memory>()
  private readonly membershipOf: (digest: Digest) => Membership | undefined

  /** `membershipOf` tells who a statement is of; without it, all are of the first epoch. */
  constructor(membershipOf: (digest: Digest) => Membership | undefined = () => undefined) {
    this.membershipOf = membershipOf
  }

  started(replica: ReplicaView, records: readonly DurableRecord[]): void {
    // What an unlucky power cut left on disk was never confirmed, but binds all the same.
    this.durable(replica, records)
  }

  durable(replica: ReplicaView, records: readonly DurableRecord[]): void {
    const memory = this.memory(replica)
    for (const record of records) note(memory, record)
  }

  sent(replica: ReplicaView, _to: number, message: Message): void {
    if (!replica.honest) return
    const memory = this.memory(replica)
    // A broadcast comes once for each receiver.
    if (memory.last === message) return
    memory.last = message
    if (message.kind === 'checkpoint') {
      const { slot, signature, replica: signer } = message.vote
      if (signer === replica.index) this.say(replica, memory, `checkpoint/${slot}`, bytesKey(signature))
      return
    }
    for (const vote of ownVotes(message, replica.index)) this.vote(replica, memory, vote)
    if (message.kind === 'propose' && message.vote.replica === replica.index && message.entry.header.kind === 'batch') {
      const { digest, header } = message.entry
      if (!memory.bodies.has(bytesKey(digest))) this.early(replica, `the body of slot ${header.slot}`)
    }
  }

  private vote(replica: ReplicaView, memory: Memory, vote: Vote): void {
    const { statement } = vote
    const { kind, view, slot, digest } = statement
    const perView = kind === 'view-change' || kind === 'new-view'
    const number = this.membershipOf(statement.membership)?.epoch ?? epoch(0)
    // Views begin at 0 in each epoch.
    const place = number === 0 ? `${view}` : `${number}/${view}`
    this.say(replica, memory, perView ? `${kind}/${place}` : `${kind}/${place}/${slot}`, voteKey(vote))
    if (kind === 'accept') {
      const known = memory.prepared.has(preparedKey(statement))
      if (!known) this.early(replica, `the certificate behind Accept of view ${view}, slot ${slot}`)
    }
    if (kind === 'prepare' && !memory.bodies.has(bytesKey(digest))) {
      // Everybody knows the body of a no-op; and a new leader offers what certificates say, whether or not it has the body.
      const noop = equalBytes(noopEntry(slot, number).digest, digest)
      if (!noop && !memory.proposals.has(voteKey(vote))) {
        throw new Violation('I11 durable before sent', `r${replica.address}: Prepare of slot ${slot} without its body`)
      }
    }
  }

  private say(replica: ReplicaView, memory: Memory, key: string, statement: string): void {
    const first = memory.said.get(key)
    if (first === undefined) memory.said.set(key, statement)
    else if (first !== statement) {
      throw new Violation('I3 one vote', `r${replica.address} signed two different statements: ${key}`)
    }
    if (!memory.votes.has(statement)) this.early(replica, key)
  }

  private early(replica: ReplicaView, what: string): never {
    throw new Violation('I11 durable before sent', `r${replica.address} sent ${what} before it was on disk`)
  }

  private memory(replica: ReplicaView): Memory {
    let memory = this.memories.get(replica.address)
    if (memory === undefined) {
      memory = {
        said: new Map(),
        votes: new Set(),
        proposals: new Set(),
        bodies: new Set(),
        prepared: new Set(),
        last: undefined,
      }
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

/** Remembers what a record on disk binds to. */
function note(memory: Memory, record: DurableRecord): void {
  switch (record.kind) {
    case 'entry':
      memory.bodies.add(bytesKey(record.entry.digest))
      return
    case 'prepared':
      memory.prepared.add(preparedKey(record.certificate.statement))
      return
    case 'vote':
      memory.votes.add(voteKey(record.vote))
      return
    case 'checkpoint':
      memory.votes.add(bytesKey(record.vote.signature))
      return
    case 'promise':
      memory.votes.add(voteKey(record.viewChange.vote))
      return
    case 'new-view': {
      const { vote, proposals } = record.newView
      memory.votes.add(voteKey(vote))
      for (const proposal of proposals) {
        memory.votes.add(voteKey(proposal))
        memory.proposals.add(voteKey(proposal))
      }
      return
    }
    default:
      return
  }
}

/** All that a vote says and its signature: where votes are unsigned, that alone tells nothing apart. */
function voteKey({ statement, signature }: Vote): string {
  const { kind, view, slot, digest, justification } = statement
  return `${kind}/${view}/${slot}/${bytesKey(digest)}${bytesKey(justification)}${bytesKey(signature)}`
}

function preparedKey({ view, slot, digest }: Vote['statement']): string {
  return `${view}/${slot}/${bytesKey(digest)}`
}

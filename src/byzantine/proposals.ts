// Lies of a leader: what it leaves out of its proposals, what it puts into them, and in which slots.

import { type Digest, equalBytes, fromHex, hex, type Slot, slot, type Vote } from '../../crypto/index.ts'
import {
  batchEntry,
  type Effect,
  type Entry,
  type Input,
  logWindow,
  type Message,
  type SignedRequest,
} from '../consensus/index.ts'
import { type Behaviour, BehaviourError, rewrite } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/**
 * Leaves one client's requests out, whoever sends them, and goes on with everything else, if need be with empty batches: there is
 * progress all along (pitfall P49).
 */
export function censor(liar: Liar, argument: string | undefined): Behaviour {
  if (argument !== undefined && (fromHex(argument) === undefined || argument === '')) {
    throw new BehaviourError(`client: expected the begin of a public key in hexadecimal, got ${argument}`)
  }
  let victim = argument
  const isVictim = ({ request }: SignedRequest) => victim !== undefined && hex(request.client).startsWith(victim)
  const proposing = substituting(liar, ({ header, requests }) => {
    const kept = requests.filter((each) => !isVictim(each))
    return batchEntry(header.slot, header.epoch, header.timestampMs, kept)
  })
  return (effects, input) => {
    victim ??= firstClient(input)
    return proposing(effects, input)
  }
}

/** Proposes digests that no body has, and as follower votes for them (pitfall P39). */
export function wrongDigest(liar: Liar): Behaviour {
  const lie = nonsense('digest')
  return (effects) =>
    rewrite(liar.context, effects, (_, message) => {
      if (message.kind === 'vote') return [{ kind: 'vote', vote: liar.changed(message.vote, { digest: lie }) }]
      if (message.kind !== 'propose') return [message]
      const vote = liar.changed(message.vote, { digest: lie })
      return [
        { kind: 'propose', vote, entry: { ...message.entry, digest: lie } },
        { kind: 'vote', vote },
      ]
    })
}

/** Puts a request into the batch that its client never signed (pitfall P40). */
export function badClientSignature(liar: Liar): Behaviour {
  const propose = substituting(liar, ({ header, requests }) => {
    return batchEntry(header.slot, header.epoch, header.timestampMs, unsigned(liar, requests))
  })
  return (effects, input) =>
    rewrite(liar.context, propose(effects, input), (_, message) => {
      if (message.kind !== 'bodies') return [message]
      const lie = (entry: Entry): Entry => ({ ...entry, requests: unsigned(liar, entry.requests) })
      return [{ kind: 'bodies', entries: message.entries.map(lie) }]
    })
}

/** Puts the first request that it ever ordered into every later batch as well (pitfall P42). */
export function orderAgain(liar: Liar): Behaviour {
  let first: SignedRequest | undefined
  return substituting(liar, ({ header, requests }) => {
    const again = first
    first ??= requests[0]
    if (again === undefined || requests.some(({ id }) => equalBytes(id, again.id))) {
      return batchEntry(header.slot, header.epoch, header.timestampMs, requests)
    }
    const others = requests.slice(0, liar.context.parameters.maxBatchRequests - 1)
    return batchEntry(header.slot, header.epoch, header.timestampMs, [again, ...others])
  })
}

/** Proposes for odd slots only, so that nothing after a hole can be executed (pitfall P54). */
export function holeMaker(liar: Liar): Behaviour {
  return (effects) =>
    rewrite(liar.context, effects, (_, message) =>
      message.kind === 'propose' && message.entry.header.slot % 2 === 0 ? [] : [message],
    )
}

/** Proposes everything for the last slot of the log window, and nothing below it (pitfall P54). */
export function windowEdge(liar: Liar): Behaviour {
  const edge = (): Slot => slot(liar.stable + logWindow(liar.context.parameters))
  return substituting(liar, ({ header, requests }) => batchEntry(edge(), header.epoch, header.timestampMs, requests))
}

/** Replaces the entries that the core proposes, and stands by the replacement: it prepares nothing else for the slot. */
function substituting(liar: Liar, replace: (entry: Entry) => Entry): Behaviour {
  const replaced = new Map<string, Vote>()
  const lieFor = (message: Message & { readonly kind: 'propose' }): Message => {
    const entry = replace(message.entry)
    const vote = liar.changed(message.vote, { slot: entry.header.slot, digest: entry.digest })
    replaced.set(keyOf(message.vote.statement), vote)
    if (replaced.size > 4 * logWindow(liar.context.parameters)) replaced.delete(replaced.keys().next().value ?? '')
    return { kind: 'propose', vote, entry }
  }
  return (effects: readonly Effect[]) =>
    rewrite(liar.context, effects, (_, message) => {
      if (message.kind === 'propose') return [lieFor(message)]
      if (message.kind !== 'vote') return [message]
      // What the core inside would say against its own proposals would only convict it.
      return replaced.has(keyOf(message.vote.statement)) ? [] : [message]
    })
}

/** The same requests under signatures that their clients never made; the digest of an entry does not cover those. */
function unsigned(liar: Liar, requests: readonly SignedRequest[]): SignedRequest[] {
  const { signature } = liar.request(1).proof
  return requests.map((each) => ({ ...each, proof: { ...each.proof, signature } }))
}

function keyOf({ slot: at, digest }: { readonly slot: Slot; readonly digest: Digest }): string {
  return `${at}/${hex(digest)}`
}

function firstClient(input: Input | undefined): string | undefined {
  const requests = input?.kind === 'requests' ? input.requests : []
  const [first] = input?.kind === 'message' && input.message.kind === 'requests' ? input.message.requests : requests
  return first && hex(first.request.client)
}

// Lies about where an epoch ends, who is in the next one, and what led there (pitfalls P05, P60, P61). Without a change of the members in
// sight these tell the truth.

import {
  type Digest,
  epoch as epochOf,
  equalBytes,
  replicaIndex,
  type Slot,
  signVote,
  slot,
  type View,
  type VoteKind,
  view,
} from '../../crypto/index.ts'
import { type Charter, membershipOf } from '../../keys/charter/index.ts'
import {
  batchEntry,
  type CheckpointSignature,
  type CheckpointVote,
  checkpointBytes,
  type Effect,
  type EpochStart,
  type HandOver,
  type Message,
  type StableCheckpoint,
  startAfter,
} from '../consensus/index.ts'
import { type Behaviour, type BehaviourContext, type ChainLie, inEpoch, peersOf, rewrite, toAll } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/** Votes above the last slot, in the epoch that it ends. */
export function pastTheEnd(liar: Liar): Behaviour {
  let said = 0
  return (effects, input) => {
    const { succession } = liar
    if (input?.kind !== 'tick' || succession === undefined) return effects
    return [...effects, ...toAll(liar.context, ...lateVotes(liar, succession.lastSlot, said++))]
  }
}

/** Removed, it goes on voting: in the epoch that is over, and in the next one under the position that it had. */
export function stillHere(liar: Liar): Behaviour {
  let said = 0
  return (effects, input) => {
    const { handOver } = liar
    if (input?.kind !== 'tick' || handOver === undefined || positionIn(liar, handOver.charter) >= 0) return effects
    const { checkpoint, charter } = handOver
    const next = startOf(liar, checkpoint)
    const { self } = liar.context
    const there = votesThere(
      liar,
      { next: checkpoint.next, start: next, self },
      afterwards(liar, checkpoint.slot, said),
    )
    return [
      ...effects,
      ...toAll(liar.context, ...lateVotes(liar, checkpoint.slot, said++), ...there),
      ...toMembers(charter, -1, there),
    ]
  }
}

/** Votes in the next epoch as soon as it has signed the end of this one, whoever else has, and for something of its own. */
export function early(liar: Liar): Behaviour {
  return (effects) => {
    const { succession } = liar
    const note = succession && noteIn(liar, effects, succession.lastSlot)
    const at = succession === undefined ? -1 : positionIn(liar, succession.charter)
    if (succession === undefined || note === undefined || at < 0) return effects
    const place = { next: note.next, start: startOf(liar, note), self: at }
    const first = slot(note.slot + 1)
    const votes = votesThere(liar, place, first)
    const entry = batchEntry(first, succession.charter.epoch, 1, [])
    const vote = votesThere(liar, place, first, entry.digest)[0]
    // Led by member 0, a first view begins without a NewView.
    const leads = at === 0 && vote?.kind === 'vote' ? [{ kind: 'propose', vote: vote.vote, entry } as const] : votes
    return [...effects, ...toMembers(succession.charter, at, leads)]
  }
}

/** Signs for one half of its peers that another epoch follows than for the other half. */
export function wrongNext(liar: Liar): Behaviour {
  const peers = peersOf(liar.context)
  const second = new Set(peers.slice(Math.ceil(peers.length / 2)))
  return (effects) =>
    rewrite(liar.context, effects, (to, message) => {
      const ends = message.kind === 'checkpoint' && message.vote.next !== undefined
      if (!ends || message.vote.replica !== liar.context.self || !second.has(to)) return [message]
      return [{ kind: 'checkpoint', vote: liar.checkpoint({ ...message.vote, next: nonsense('next epoch') }) }]
    })
}

/** Presents ends of the epoch, and by {@link falseChain} whole chains, that nobody else signed. */
export function forgeChain(liar: Liar): Behaviour {
  return (effects, input) => {
    const lied = rewrite(liar.context, effects, (_, message) =>
      message.kind === 'stable' && message.checkpoint.next !== undefined
        ? [{ kind: 'stable', checkpoint: forgedEnd(liar.context, message.checkpoint) }]
        : [message],
    )
    const { known } = liar
    if (input?.kind !== 'tick' || known === undefined) return lied
    const later = { ...known, slot: slot(known.slot + liar.context.parameters.checkpointInterval) }
    return [...lied, ...toAll(liar.context, { kind: 'stable', checkpoint: forgedEnd(liar.context, later) })]
  }
}

const CHAIN_LIES = ['other-charter', 'other-end', 'longer', 'gap', 'self-made'] as const

/** For the shell that shows laggards, joiners and clients what came after their epoch. */
export function falseChain(context: BehaviourContext): ChainLie {
  const random = context.random.fork('chains')
  return (links) => {
    const last = links.at(-1)
    if (last === undefined) return links
    const rest = links.slice(0, -1)
    const { charter, checkpoint } = last
    const other: Charter = { ...charter, members: [...charter.members].reverse() }
    switch (random.pick(CHAIN_LIES)) {
      case 'other-charter':
        return [...rest, { charter: other, checkpoint }]
      case 'other-end': {
        const next = membershipOf(other, context.membership.clusterId).digest
        return [...rest, { charter: other, checkpoint: forgedEnd(context, { ...checkpoint, next }) }]
      }
      case 'longer':
        return [...links, linkAfter(context, last)]
      case 'gap':
        return [linkAfter(context, last)]
      case 'self-made':
        return [...rest, selfMade(context, last)]
    }
  }
}

/** In place of `last`, an epoch of which the liar is the only member, and which it alone signed. */
function selfMade(
  { membership, signer, self, clusterName }: BehaviourContext,
  { charter, checkpoint }: HandOver,
): HandOver {
  const [first] = charter.members
  // Who is a member no more makes another one the only one.
  const own =
    charter.members.find(({ consensusKey }) => equalBytes(consensusKey, signer.publicKey)) ??
    charter.members[self] ??
    first
  const alone: Charter = { ...charter, members: own === undefined ? [] : [own], quorum: { byzantine: 0, crash: 0 } }
  const there = membershipOf(alone, membership.clusterId)
  const content = { ...checkpoint, next: there.digest }
  const signature = signer.sign(checkpointBytes(content, there, clusterName))
  return { charter: alone, checkpoint: { ...content, signatures: [{ replica: replicaIndex(0), signature }] } }
}

/** An epoch after that of `last`, of the same members, to which nobody handed over. */
function linkAfter(context: BehaviourContext, { charter, checkpoint }: HandOver): HandOver {
  const { clusterId } = context.membership
  const start = slot(charter.start + charter.parameters.checkpointInterval)
  const previous = membershipOf(charter, clusterId).digest
  const after: Charter = { ...charter, epoch: epochOf(charter.epoch + 1), previous, start }
  const next = membershipOf(after, clusterId).digest
  return { charter: after, checkpoint: forgedEnd(context, { ...checkpoint, slot: start, next }) }
}

/** The checkpoint under signatures of the right number, all of them this liar's. */
function forgedEnd({ membership, signer }: BehaviourContext, checkpoint: StableCheckpoint): StableCheckpoint {
  const invented = signer.sign(nonsense('end'))
  const others = membership.members
    .slice(0, membership.quorums.quorum)
    .map((_, i): CheckpointSignature => ({ replica: replicaIndex(i), signature: invented }))
  const signatures = checkpoint.signatures.map(({ replica }) => ({ replica, signature: invented }))
  const next = checkpoint.next ?? nonsense('next epoch')
  return { ...checkpoint, next, signatures: signatures.length > 0 ? signatures : others }
}

/** The liar's own note of this slot, where it leaves now. */
function noteIn({ context }: Liar, effects: readonly Effect[], at: Slot): CheckpointVote | undefined {
  for (const effect of effects) {
    if (effect.kind !== 'broadcast' || effect.message.kind !== 'checkpoint') continue
    const { vote } = effect.message
    if (vote.replica === context.self && vote.slot === at && vote.next !== undefined) return vote
  }
  return undefined
}

function startOf({ context }: Liar, end: Parameters<typeof startAfter>[0]): EpochStart {
  return startAfter(end, context.membership, context.clusterName)
}

/** Where the liar's key is among these members; -1 where it is not. */
function positionIn({ context }: Liar, { members }: Charter): number {
  const { publicKey } = context.signer
  return members.findIndex(({ consensusKey }) => equalBytes(consensusKey, publicKey))
}

/** The slots of one window after the end, one after another. */
function afterwards({ context }: Liar, end: Slot, said: number): Slot {
  return slot(end + 1 + (said % context.parameters.window))
}

/** Votes of this epoch for one value of a slot after its end, and where the liar leads a proposal of it. */
function lateVotes(liar: Liar, end: Slot, said: number): Message[] {
  const at = afterwards(liar, end, said)
  const entry = batchEntry(at, liar.context.membership.epoch, 1, [])
  const kinds: readonly VoteKind[] = ['prepare', 'accept']
  const votes = kinds.map((kind): Message => {
    return { kind: 'vote', vote: liar.vote(kind, { slot: at, digest: entry.digest }) }
  })
  return liar.leads ? [liar.propose(entry), ...votes] : votes
}

interface Seat {
  readonly next: Digest | undefined
  readonly start: EpochStart
  readonly self: number
}

/** Votes in the first view of the next epoch for a value that nobody offered, or for this one. */
function votesThere({ context }: Liar, { next, start, self }: Seat, at: Slot, digest = nonsense('early')): Message[] {
  const { membership, signer } = context
  const first: View = view(0)
  const basis = { clusterId: membership.clusterId, membership: next ?? membership.digest, view: first }
  const kinds: readonly VoteKind[] = ['prepare', 'accept']
  return kinds.map((kind): Message => {
    const statement = { kind, ...basis, justification: start.justification, slot: at, digest } as const
    return { kind: 'vote', vote: signVote(statement, replicaIndex(self), signer) }
  })
}

function toMembers({ members, epoch }: Charter, self: number, messages: readonly Message[]): Effect[] {
  return members.flatMap((_, i) =>
    i === self ? [] : messages.map((message) => inEpoch(epoch, { kind: 'send', to: replicaIndex(i), message })),
  )
}

// Small changes to otherwise honest messages, signed anew: the lies that found most bugs in others' implementations.
// Ref: Winter et al., "Randomized testing of Byzantine fault tolerant algorithms" (ByzzFuzz), 2023.

import { type Digest, type Slot, signVote, slot, type VoteStatement, view, ZERO_DIGEST } from '../../crypto/index.ts'
import { batchEntry, type Effect, type Message } from '../consensus/index.ts'
import { type Behaviour, BehaviourError, type Chance, rewrite } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/** Share of the messages that are changed. */
const MUTATED = 0.25

/** Changes one field of some of its messages: view or slot by one, the digest, the phase, the justification, the epoch, a root. */
export function mutate(liar: Liar, argument: string | undefined): Behaviour {
  const share = argument === undefined ? MUTATED : Number(argument)
  if (!(share >= 0 && share <= 1)) throw new BehaviourError(`share: expected a number from 0 to 1, got ${argument}`)
  const random = liar.context.random.fork('mutate')
  return (effects) =>
    rewrite(liar.context, effects, (_, message) =>
      random.chance(share) ? [mutated(liar, random, message)] : [message],
    )
}

/** Signs everything with a torsion point in R: lenient verifiers take it, ours must all refuse it (pitfall P33). */
export function torsionSign(liar: Liar): Behaviour {
  const { torsionSigner, self } = liar.context
  const resigned = (message: Message): Message => {
    if (message.kind !== 'vote' && message.kind !== 'propose') return message
    if (message.vote.replica !== self) return message
    return { ...message, vote: signVote(message.vote.statement, self, torsionSigner) }
  }
  return (effects) => {
    const sent = rewrite(liar.context, effects, (_, message) => [resigned(message)])
    return sent.map(
      (effect): Effect =>
        effect.kind === 'receipt'
          ? { ...effect, receipt: signVote(effect.receipt.statement, self, torsionSigner) }
          : effect,
    )
  }
}

function mutated(liar: Liar, random: Chance, message: Message): Message {
  const { self, parameters } = liar.context
  switch (message.kind) {
    case 'vote':
      if (message.vote.replica !== self) return message
      return { kind: 'vote', vote: liar.changed(message.vote, change(random, message.vote.statement)) }
    case 'propose': {
      const { header, requests } = message.entry
      const moved = random.pick([-1, 1, 60_000])
      const entry = batchEntry(header.slot, header.epoch, Math.max(0, header.timestampMs + moved), requests)
      const statement = { ...message.vote.statement, digest: entry.digest }
      return { kind: 'propose', vote: liar.changed(message.vote, random.chance(0.5) ? statement : {}), entry }
    }
    case 'view-change': {
      if (message.viewChange.vote.replica !== self) return message
      const { view: at, prepared } = message.viewChange
      const less = { prepared: prepared.filter(() => random.chance(0.5)) }
      const changed = random.chance(0.5) ? less : { view: view(at + 1) }
      return { kind: 'view-change', viewChange: liar.viewChange(message.viewChange, changed) }
    }
    case 'checkpoint': {
      if (message.vote.replica !== self) return message
      const { slot: at, logRoot, stateRoot } = message.vote
      const moved = { slot: slot(at + parameters.checkpointInterval), logRoot, stateRoot }
      const other = { slot: at, logRoot: nonsense('log'), stateRoot }
      return { kind: 'checkpoint', vote: liar.checkpoint(random.pick([moved, other])) }
    }
    default:
      return message
  }
}

function change(random: Chance, said: VoteStatement): Partial<VoteStatement> {
  const before: Slot = slot(Math.max(1, said.slot - 1))
  const zero: Digest = ZERO_DIGEST
  return random.pick<Partial<VoteStatement>>([
    { view: view(said.view + 1) },
    { view: view(Math.max(0, said.view - 1)) },
    { slot: slot(said.slot + 1) },
    { slot: before },
    { digest: nonsense('mutant') },
    { digest: zero },
    { kind: said.kind === 'prepare' ? 'accept' : 'prepare' },
    { justification: nonsense('justification') },
    { membership: nonsense('membership') },
    { clusterId: nonsense('cluster') },
  ])
}

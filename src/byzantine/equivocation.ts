// Lies of the two-faced kind: different things to different peers, all properly signed. Evidence must follow (pitfall P26).

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { Entry, Message, NewView, ViewChange } from '../consensus/index.ts'
import { type Behaviour, peersOf, rewrite } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/**
 * As leader, offers one entry to the first half of the peers and another to the second, and backs each half at once with the
 * Accept votes that would decide it.
 */
export function equivocate(liar: Liar): Behaviour {
  const second = secondHalf(liar)
  const twins = new Map<number, Entry>()
  return (effects) =>
    rewrite(liar.context, effects, (to, message) => {
      if (message.kind !== 'propose') return [message]
      const { slot } = message.entry.header
      const twin = twins.get(slot) ?? liar.twin(message.entry)
      twins.set(slot, twin)
      if (twins.size > liar.context.parameters.window) twins.delete(Math.min(...twins.keys()))
      const entry = second.has(to) ? twin : message.entry
      const vote = liar.changed(message.vote, { digest: entry.digest })
      return [
        { kind: 'propose', vote, entry },
        { kind: 'vote', vote: liar.changed(vote, { kind: 'accept' }) },
      ]
    })
}

/** Prepares and accepts two things at a time: one towards the first half of the peers, another towards the second. */
export function doubleVote(liar: Liar): Behaviour {
  const second = secondHalf(liar)
  return (effects) =>
    rewrite(liar.context, effects, (to, message) => {
      if (message.kind !== 'vote' || message.vote.replica !== liar.context.self) return [message]
      const lie: Message = { kind: 'vote', vote: liar.changed(message.vote, { digest: nonsense('vote') }) }
      return second.has(to) ? [lie, message] : [message, lie]
    })
}

/** Votes for something else than what the NewView that it names carries over. */
export function disobey(liar: Liar): Behaviour {
  return (effects) =>
    rewrite(liar.context, effects, (_, message) => {
      if (message.kind !== 'vote' || message.vote.replica !== liar.context.self || liar.view === 0) return [message]
      return [{ kind: 'vote', vote: liar.changed(message.vote, { digest: nonsense('disobedience') }) }]
    })
}

/** As leader, begins its view by two NewViews, each justified by other ViewChanges, for two halves of the peers. */
export function twoNewViews(liar: Liar): Behaviour {
  const second = secondHalf(liar)
  return (effects) =>
    rewrite(liar.context, effects, (to, message) => {
      if (message.kind !== 'new-view' || message.newView.vote.replica !== liar.context.self) return [message]
      if (!second.has(to)) return [message]
      const { view, viewChanges } = message.newView
      return [{ kind: 'new-view', newView: liar.newView(view, otherViewChanges(liar, message.newView) ?? viewChanges) }]
    })
}

/** Other ViewChanges that justify the same view: one of its own that reports less, or somebody's that the first NewView left out. */
function otherViewChanges(liar: Liar, { view, viewChanges }: NewView): ViewChange[] | undefined {
  const own = viewChanges.find(({ vote }) => vote.replica === liar.context.self)
  if (own !== undefined && own.prepared.length > 0) {
    const less = liar.viewChange(own, { prepared: own.prepared.slice(0, -1) })
    return viewChanges.map((each) => (each === own ? less : each))
  }
  const signers = new Set(viewChanges.map(({ vote }) => vote.replica))
  const spare = [...liar.viewChanges.values()].find((each) => each.view === view && !signers.has(each.vote.replica))
  if (spare === undefined) return undefined
  const kept = viewChanges.filter((each) => each !== own).slice(0, viewChanges.length - 1)
  return [...kept, spare].sort((a, b) => a.vote.replica - b.vote.replica)
}

function secondHalf({ context }: Liar): ReadonlySet<ReplicaIndex> {
  const peers = peersOf(context)
  return new Set(peers.slice(Math.ceil(peers.length / 2)))
}

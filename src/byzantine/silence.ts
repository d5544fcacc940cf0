// Lies by saying nothing: to everybody, to some, or only the part that matters.

import { type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import type { Message } from '../consensus/index.ts'
import { type Behaviour, BehaviourError, peersOf, rewrite } from './behaviour.ts'
import type { Liar } from './liar.ts'

/** Sends nothing at all: what a crash looks like from outside (pitfall P15). */
export function mute(liar: Liar): Behaviour {
  return (effects) => rewrite(liar.context, effects, () => [])
}

/** Sends nothing to some, who must neither fall behind for ever nor disturb the others (pitfalls P55, P63). */
export function selectiveSilent(liar: Liar, argument: string | undefined): Behaviour {
  const victims = victimsOf(liar, argument)
  return (effects) => rewrite(liar.context, effects, (to, message) => (victims.has(to) ? [] : [message]))
}

/** As leader, gives the body to as few as prepare it, and to nobody who asks; the others see only its vote (pitfall P12). */
export function withholdBody(liar: Liar, argument: string | undefined): Behaviour {
  const victims = victimsOf(liar, argument)
  const change = (to: ReplicaIndex, message: Message): readonly Message[] => {
    if (message.kind === 'bodies' || message.kind === 'entries') return []
    if (message.kind !== 'propose' || !victims.has(to)) return [message]
    return [{ kind: 'vote', vote: message.vote }]
  }
  return (effects) => rewrite(liar.context, effects, change)
}

/** The replicas named, as `1,3`; without a name as many as a quorum can do without, the next ones after the liar. */
function victimsOf({ context }: Liar, argument: string | undefined): ReadonlySet<ReplicaIndex> {
  const { replicas, quorum } = context.membership.quorums
  if (argument === undefined) {
    const after = peersOf(context).sort((a, b) => distance(context.self, a) - distance(context.self, b))
    return new Set(after.slice(0, replicas - quorum))
  }
  const victims = argument.split(',').map(Number)
  if (victims.some((each) => !Number.isInteger(each) || each < 0 || each >= replicas)) {
    throw new BehaviourError(`replicas: expected numbers from 0 to ${replicas - 1}, such as 1,3, got ${argument}`)
  }
  return new Set(victims.map(replicaIndex))

  function distance(from: number, to: number): number {
    return (to - from + replicas) % replicas
  }
}

// Lies by sheer number and distance: whatever a peer sends, memory stays bounded and the others go on (pitfalls P51, P53).

import { type Slot, slot, view } from '../../crypto/index.ts'
import { type Effect, logWindow, type Message } from '../consensus/index.ts'
import { type Behaviour, BehaviourError, toAll } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/** Messages to every peer at every tick. */
const FLOOD = 16
/** Views and slots that nobody comes to. */
const FAR = 2 ** 40

/** Sends, at every tick, requests of its own, votes for any digest in any slot, and questions without end. */
export function flood(liar: Liar, argument: string | undefined): Behaviour {
  const count = numberOf(argument)
  const random = liar.context.random.fork('flood')
  let sequence = 0
  const one = (): Message => {
    const at: Slot = slot(liar.stable + 1 + random.below(logWindow(liar.context.parameters)))
    const digest = nonsense(`${random.below(1 << 30)}`)
    sequence += 1
    switch (random.below(5)) {
      case 0:
        return { kind: 'requests', requests: [liar.request(sequence)] }
      case 1:
        return { kind: 'vote', vote: liar.vote('prepare', { slot: at, digest }) }
      case 2:
        return { kind: 'vote', vote: liar.vote('accept', { slot: at, digest }) }
      case 3:
        return { kind: 'fetch-entries', from: slot(liar.context.start.slot + 1), to: slot(FAR) }
      default:
        return { kind: 'fetch-bodies', digests: [{ slot: at, digest }] }
    }
  }
  return (effects, input) => (input?.kind === 'tick' ? [...effects, ...spread(liar, count, one)] : effects)
}

/** Speaks of views and slots far ahead, many digests for each: votes, proposals, notes, heartbeats, ViewChanges. */
export function future(liar: Liar, argument: string | undefined): Behaviour {
  const count = numberOf(argument)
  const random = liar.context.random.fork('future')
  const { replicas } = liar.context.membership.quorums
  const { checkpointInterval } = liar.context.parameters
  const one = (): Message => {
    const far = random.below(FAR)
    const led = view(far - (far % replicas) + liar.context.self)
    const digest = nonsense(`${far}`)
    switch (random.below(5)) {
      case 0:
        return { kind: 'vote', vote: liar.vote('prepare', { view: led, slot: slot(1 + random.below(FAR)), digest }) }
      case 1:
        return { kind: 'vote', vote: liar.vote('accept', { slot: slot(liar.executed + 1 + far), digest }) }
      case 2: {
        const at = slot((1 + far) * checkpointInterval)
        return { kind: 'checkpoint', vote: liar.checkpoint({ slot: at, logRoot: digest, stateRoot: digest }) }
      }
      case 3: {
        const viewChange = liar.emptyViewChange(led)
        if (viewChange !== undefined && led > 0) return { kind: 'view-change', viewChange }
        return { kind: 'probe', view: led }
      }
      default:
        return {
          kind: 'heartbeat',
          view: led,
          active: true,
          chosen: slot(far),
          executed: slot(far),
          stable: slot(far),
          heard: [],
        }
    }
  }
  return (effects, input) => (input?.kind === 'tick' ? [...effects, ...spread(liar, count, one)] : effects)
}

function spread(liar: Liar, count: number, one: () => Message): Effect[] {
  return Array.from({ length: count }, one).flatMap((message) => toAll(liar.context, message))
}

function numberOf(argument: string | undefined): number {
  const count = argument === undefined ? FLOOD : Number(argument)
  if (Number.isInteger(count) && count > 0 && count <= 100_000) return count
  throw new BehaviourError(`messages a tick: expected a whole number from 1 to 100000, got ${argument}`)
}

// Lies about results and states (pitfalls P43, P56, P59).

import { type Slot, slot } from '../../crypto/index.ts'
import type { CheckpointVote, Effect, Message } from '../consensus/index.ts'
import { type Behaviour, BehaviourError, peersOf, rewrite } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/** A checkpoint slot that no log reaches; a multiple of every interval in use. */
const FUTURE = 2 ** 50

/** Signs receipts for results that nobody computed. */
export function wrongResult(liar: Liar): Behaviour {
  return (effects) =>
    effects.map((effect): Effect => {
      if (effect.kind !== 'receipt') return effect
      const { statement } = effect.receipt
      return { ...effect, receipt: liar.vote('receipt', { ...statement, digest: nonsense('result') }) }
    })
}

/** Signs checkpoint notes over a state that nobody is in. */
export function wrongStateRoot(liar: Liar): Behaviour {
  return (effects) => rewrite(liar.context, effects, (_, message) => notes(liar, message, (note) => [wrong(note)]))
}

const CHECKPOINT_LIES = ['past', 'future', 'split'] as const

/**
 * Signs notes that it should not: `past` for slots long stable, `future` for slots that no log reaches, `split` a true one for one
 * half of the peers and a wrong one for the other.
 */
export function checkpointLiar(liar: Liar, argument: string | undefined): Behaviour {
  const lie = CHECKPOINT_LIES.find((each) => each === (argument ?? 'split'))
  if (lie === undefined)
    throw new BehaviourError(`kind: expected one of ${CHECKPOINT_LIES.join(', ')}, got ${argument}`)
  const { context } = liar
  const peers = peersOf(context)
  const second = new Set(peers.slice(Math.ceil(peers.length / 2)))
  const { checkpointInterval } = context.parameters
  const moved: Record<'past' | 'future', (at: Slot) => Slot> = {
    past: (at) => (at - checkpointInterval > context.start.slot ? slot(at - checkpointInterval) : at),
    future: (at) => slot(FUTURE - (FUTURE % checkpointInterval) + at),
  }
  return (effects) =>
    rewrite(context, effects, (to, message) =>
      notes(liar, message, (note) => {
        if (lie === 'split') return second.has(to) ? [wrong(note)] : [note]
        return [note, { ...wrong(note), slot: moved[lie](note.slot) }]
      }),
    )
}

type Content = Pick<CheckpointVote, 'slot' | 'logRoot' | 'stateRoot'>

/** The liar's own note replaced by notes of these contents; other messages stay. */
function notes(liar: Liar, message: Message, change: (note: CheckpointVote) => readonly Content[]): readonly Message[] {
  if (message.kind !== 'checkpoint' || message.vote.replica !== liar.context.self) return [message]
  return change(message.vote).map((content) => ({ kind: 'checkpoint', vote: liar.checkpoint(content) }))
}

function wrong(note: Content): Content {
  return { slot: note.slot, logRoot: note.logRoot, stateRoot: nonsense('state') }
}

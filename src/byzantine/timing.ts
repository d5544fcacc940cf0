// Lies about time: true messages, sent too late, in another order, or again.

import type { Effect } from '../consensus/index.ts'
import { type Behaviour, BehaviourError, peersOf, rewrite, sends } from './behaviour.ts'
import type { Liar } from './liar.ts'

/** Share of the view time-out that a slow leader takes; just under it. */
const SLOW_SHARE = 0.9
/** Messages of the archive sent again at every tick. */
const REPLAYS = 4

/** Sends proposals and votes just before anybody would complain (pitfall P48). */
export function slow(liar: Liar, argument: string | undefined): Behaviour {
  const share = argument === undefined ? SLOW_SHARE : Number(argument)
  if (!(share > 0 && share < 100)) throw new BehaviourError(`share of the time-out: expected a number, got ${argument}`)
  const delayMs = liar.context.parameters.viewTimeoutMs * share
  let waiting: { readonly atMs: number; readonly effect: Effect }[] = []
  return (effects) => {
    const now = rewrite(liar.context, effects, (to, message) => {
      const held = message.kind === 'propose' || message.kind === 'vote' || message.kind === 'new-view'
      if (held) waiting.push({ atMs: liar.nowMs + delayMs, effect: { kind: 'send', to, message } })
      return held ? [] : [message]
    })
    const due = waiting.filter(({ atMs }) => atMs <= liar.nowMs)
    waiting = waiting.filter(({ atMs }) => atMs > liar.nowMs)
    return [...now, ...due.map(({ effect }) => effect)]
  }
}

/** Holds messages back and lets them go in another order (pitfall P50). */
export function reorder(liar: Liar): Behaviour {
  const random = liar.context.random.fork('reorder')
  const waiting: Effect[] = []
  return (effects, input) => {
    const rest = rewrite(liar.context, effects, (to, message) => {
      waiting.push({ kind: 'send', to, message })
      return []
    })
    const released: Effect[] = []
    const count = input?.kind === 'tick' ? random.below(waiting.length + 1) : 0
    for (let i = 0; i < count; i++) released.push(...waiting.splice(random.below(waiting.length), 1))
    return [...rest, ...released]
  }
}

/** Sends again whatever it ever saw, its own and others': old votes, ViewChanges, NewViews, requests (pitfalls P04, P37, P42). */
export function replayOld(liar: Liar): Behaviour {
  const random = liar.context.random.fork('replay')
  return (effects, input) => {
    if (input?.kind !== 'tick' || liar.archive.length === 0) return effects
    const old = Array.from({ length: REPLAYS }, () => random.pick(liar.archive))
    return [...effects, ...old.flatMap((message) => sends(random.pick(peersOf(liar.context)), [message]))]
  }
}

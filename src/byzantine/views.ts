// Lies at a change of views: what a ViewChange hides, what a NewView makes of it, and ViewChanges without end.

import { view } from '../../crypto/index.ts'
import { type NewView, noopEntry, type ViewChange } from '../consensus/index.ts'
import { type Behaviour, BehaviourError, rewrite, toAll } from './behaviour.ts'
import type { Liar } from './liar.ts'

/** Forgets what it prepared, though its Accept votes say otherwise (amnesia, pitfalls P08 and P31). */
export function hidePrepared(liar: Liar): Behaviour {
  return (effects) =>
    rewrite(liar.context, effects, (_, message) => {
      if (message.kind !== 'view-change' || message.viewChange.vote.replica !== liar.context.self) return [message]
      return [{ kind: 'view-change', viewChange: liar.viewChange(message.viewChange, { prepared: [] }) }]
    })
}

const NEW_VIEW_LIES = ['drop', 'noop', 'duplicate', 'old'] as const
type NewViewLie = (typeof NEW_VIEW_LIES)[number]

/**
 * As leader, begins its view by a NewView that is not justified: `drop` leaves the carried-over values out, `noop` puts no-ops in
 * their place, `duplicate` counts one ViewChange twice, `old` takes in one for an earlier view (pitfalls P04, P10, P11).
 */
export function badNewView(liar: Liar, argument: string | undefined): Behaviour {
  const lie = NEW_VIEW_LIES.find((each) => each === (argument ?? 'drop'))
  if (lie === undefined) throw new BehaviourError(`kind: expected one of ${NEW_VIEW_LIES.join(', ')}, got ${argument}`)
  return (effects) =>
    rewrite(liar.context, effects, (_, message) => {
      if (message.kind !== 'new-view' || message.newView.vote.replica !== liar.context.self) return [message]
      return [{ kind: 'new-view', newView: falsified(liar, lie, message.newView) }]
    })
}

/** Wants another view at every tick, ever higher; alone it must move nobody (pitfall P17). */
export function timerAttacker(liar: Liar): Behaviour {
  let last = 0
  return (effects, input) => {
    if (input?.kind !== 'tick') return effects
    last = Math.max(last, liar.view) + 1
    const viewChange = liar.emptyViewChange(view(last))
    return viewChange === undefined
      ? effects
      : [...effects, ...toAll(liar.context, { kind: 'view-change', viewChange })]
  }
}

function falsified(liar: Liar, lie: NewViewLie, { view: at, viewChanges }: NewView): NewView {
  const { epoch } = liar.context.membership
  switch (lie) {
    case 'drop':
      return liar.newView(at, viewChanges, (values) => values.slice(0, -1))
    case 'noop':
      return liar.newView(at, viewChanges, (values) =>
        values.map(({ slot }) => ({ slot, digest: noopEntry(slot, epoch).digest })),
      )
    case 'duplicate':
      return liar.newView(at, [...viewChanges.slice(0, -1), ...viewChanges.slice(0, 1)].sort(bySigner))
    case 'old': {
      const old = oldViewChange(liar, at) ?? liar.emptyViewChange(view(at - 1))
      const kept = viewChanges.filter(({ vote }) => vote.replica !== old?.vote.replica)
      const taken = old === undefined ? viewChanges : [...kept.slice(0, viewChanges.length - 1), old]
      return liar.newView(at, [...taken].sort(bySigner))
    }
  }
}

/** Somebody's ViewChange for an earlier view, as the archive has it. */
function oldViewChange(liar: Liar, before: number): ViewChange | undefined {
  for (const message of liar.archive) {
    if (message.kind === 'view-change' && message.viewChange.view < before) return message.viewChange
  }
  return undefined
}

function bySigner(a: ViewChange, b: ViewChange): number {
  return a.vote.replica - b.vote.replica
}

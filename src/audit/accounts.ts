// NewViews and evidence of several replicas: what of it holds, once each.

import type { Evidence, NewView } from '../consensus/index.ts'
import type { Cursor } from './cursor.ts'
import {
  type AuditContext,
  evidenceItemFault,
  evidenceName,
  MAX_ACCOUNTS,
  newViewItemFault,
  newViewName,
} from './verify/index.ts'

export interface Accounts {
  /** Ascending by view. */
  readonly newViews: readonly NewView[]
  readonly evidence: readonly Evidence[]
}

/** What does not verify is left out, and its replica named among the refusals. */
export async function collectAccounts(cursors: readonly Cursor[], context: AuditContext): Promise<Accounts> {
  const newViews = new Map<string, NewView>()
  const evidence = new Map<string, Evidence>()
  const room = () => newViews.size + evidence.size < MAX_ACCOUNTS
  for (const cursor of cursors) {
    for (const each of (await cursor.ask('its NewViews', () => cursor.archive.newViews())) ?? []) {
      const name = newViewName(each)
      if (newViews.has(name) || !room()) continue
      const fault = newViewItemFault(each, context)
      if (fault === undefined) newViews.set(name, each)
      else cursor.refuse(`NewView of view ${each.view}`, fault.message)
    }
    for (const each of (await cursor.ask('its evidence', () => cursor.archive.evidence())) ?? []) {
      const name = evidenceName(each)
      if (evidence.has(name) || !room()) continue
      const fault = evidenceItemFault(each, context)
      if (fault === undefined) evidence.set(name, each)
      else cursor.refuse('its evidence', fault.message)
    }
  }
  // Evidence about a NewView carries that NewView along, and none may stand in a bundle twice.
  const carried = new Set([...evidence.values()].map(carriedBy))
  return {
    newViews: [...newViews].flatMap(([name, each]) => (carried.has(name) ? [] : each)).sort((a, b) => a.view - b.view),
    // Evidence about one NewView stands together, below it.
    evidence: [...evidence.values()].sort((a, b) =>
      carriedBy(a) < carriedBy(b) ? -1 : Number(carriedBy(a) !== carriedBy(b)),
    ),
  }
}

function carriedBy(evidence: Evidence): string {
  return evidence.kind === 'against-new-view' ? newViewName(evidence.newView) : ''
}

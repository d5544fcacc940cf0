// Certificates out of genuine signatures that do not add up: what a verifier takes that forgets one of its checks (pitfalls P03, P06).

import { type Certificate, slot, statementBytes, view } from '../../crypto/index.ts'
import { batchEntry, type Effect, type Message } from '../consensus/index.ts'
import { type Behaviour, rewrite, toAll } from './behaviour.ts'
import type { Liar } from './liar.ts'

/** Presents an entry of its own as chosen by a quorum of itself. */
export function duplicateSigner(liar: Liar): Behaviour {
  return (effects, input) => {
    if (input?.kind !== 'tick') return effects
    const { epoch, quorums } = liar.context.membership
    const entry = batchEntry(slot(liar.executed + 1), epoch, 1, [])
    const { statement } = liar.vote('accept', { slot: entry.header.slot, digest: entry.digest })
    const mine = { replica: liar.context.self, signature: liar.context.signer.sign(statementBytes(statement)) }
    const certificate = { statement, signatures: Array.from({ length: quorums.quorum }, () => mine) }
    return [...effects, ...toAll(liar.context, { kind: 'entries', entries: [{ entry, certificate }] })]
  }
}

/** Presents what the same replicas, by the same keys, decided for the next slot of another cluster (pitfalls P05, P37). */
export function otherCluster(liar: Liar): Behaviour {
  return (effects, input) => {
    const { elsewhere } = liar.context
    if (input?.kind !== 'tick' || elsewhere === undefined) return effects
    const entries = [elsewhere(slot(liar.executed + 1))]
    return [...effects, ...toAll(liar.context, { kind: 'entries', entries })]
  }
}

/** Hands out genuine certificates as if they were of a later view, at once when it decides, and in its ViewChanges. */
export function relabel(liar: Liar): Behaviour {
  return (effects) => {
    const decided = effects.flatMap((effect): readonly Effect[] => {
      if (effect.kind !== 'execute') return []
      const { entry, certificate } = effect
      return toAll(liar.context, { kind: 'entries', entries: [{ entry, certificate: later(certificate, 1) }] })
    })
    const changed = rewrite(liar.context, effects, (_, message): readonly Message[] => {
      if (message.kind === 'entries') {
        const entries = message.entries.map(({ entry, certificate }) => ({ entry, certificate: later(certificate, 1) }))
        return [{ kind: 'entries', entries }]
      }
      if (message.kind !== 'view-change' || message.viewChange.vote.replica !== liar.context.self) return [message]
      const { viewChange } = message
      const prepared = viewChange.prepared.map((each) => later(each, viewChange.view - 1 - each.statement.view))
      return [{ kind: 'view-change', viewChange: liar.viewChange(viewChange, { prepared }) }]
    })
    return [...decided, ...changed]
  }
}

/** The signatures under a statement that names a view so many later. */
function later({ statement, signatures }: Certificate, views: number): Certificate {
  return { statement: { ...statement, view: view(statement.view + views) }, signatures }
}

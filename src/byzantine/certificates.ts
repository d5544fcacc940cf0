// Lies about what was agreed: certificates that nobody signed, and answers to those who catch up (pitfalls P02, P57, P58).

import { type ReplicaIndex, slot, view } from '../../crypto/index.ts'
import type { ChosenEntry, Entry, Message } from '../consensus/index.ts'
import { batchEntry } from '../consensus/index.ts'
import { type Behaviour, type BehaviourContext, type ChunkLie, rewrite, toAll } from './behaviour.ts'
import { type Liar, nonsense } from './liar.ts'

/** A heartbeat's claim that nobody can reach. */
const FAR = 2 ** 40

/** Presents entries as chosen, and values as prepared, under signatures that it invented. */
export function forgeCertificate(liar: Liar): Behaviour {
  return (effects, input) => {
    const lied = rewrite(liar.context, effects, (_, message) => {
      if (message.kind === 'entries')
        return [{ kind: 'entries', entries: message.entries.map((each) => forge(liar, each.entry)) }]
      if (message.kind !== 'view-change' || message.viewChange.vote.replica !== liar.context.self) return [message]
      const { viewChange } = message
      const at = slot(viewChange.stable.slot + 1)
      const said = liar.vote('prepare', { slot: at, digest: nonsense('prepared'), view: view(viewChange.view - 1) })
      return [
        { kind: 'view-change', viewChange: liar.viewChange(viewChange, { prepared: [liar.forged(said.statement)] }) },
      ]
    })
    if (input?.kind !== 'tick') return lied
    const { epoch } = liar.context.membership
    const invented = batchEntry(slot(liar.executed + 1), epoch, 1, [])
    return [...lied, ...toAll(liar.context, { kind: 'entries', entries: [forge(liar, invented)] })]
  }
}

/**
 * Claims to be far ahead, then behind, then far ahead again, and answers those who ask with something else than they need: entries
 * that prove nothing, bodies of nothing, an old checkpoint.
 */
export function syncLiar(liar: Liar): Behaviour {
  let beats = 0
  const answers = (message: Message): readonly Message[] => {
    switch (message.kind) {
      case 'heartbeat': {
        beats += 1
        const claim = slot(beats % 3 === 0 ? 0 : FAR - beats)
        return [{ ...message, chosen: claim, executed: claim, stable: claim }]
      }
      case 'entries':
        return beats % 2 === 0
          ? []
          : [{ kind: 'entries', entries: message.entries.map(({ entry }) => forge(liar, entry)) }]
      case 'bodies':
        return [{ kind: 'bodies', entries: message.entries.map((entry) => liar.twin(entry)) }]
      case 'stable':
        return liar.known === undefined ? [] : [{ kind: 'stable', checkpoint: liar.known }]
      default:
        return [message]
    }
  }
  return (effects) => rewrite(liar.context, effects, (_: ReplicaIndex, message) => answers(message))
}

/** Answers whoever asks for entries with a checkpoint instead, so that it fetches a snapshot; of those it has only bad ones. */
export function badSnapshot(liar: Liar): Behaviour {
  return (effects) =>
    rewrite(liar.context, effects, (_, message) =>
      message.kind === 'entries' && liar.known !== undefined ? [{ kind: 'stable', checkpoint: liar.known }] : [message],
    )
}

/** Chunks with a byte changed, or none at all. */
export function badChunk({ random }: BehaviourContext): ChunkLie {
  const chance = random.fork('chunks')
  return (chunk) => {
    if (chunk.length === 0 || chance.chance(0.25)) return undefined
    const at = chance.below(chunk.length)
    return chunk.map((byte, i) => (i === at ? byte ^ (1 + chance.below(255)) : byte))
  }
}

function forge(liar: Liar, entry: Entry): ChosenEntry {
  const { statement } = liar.vote('accept', { slot: entry.header.slot, digest: entry.digest })
  return { entry, certificate: liar.forged(statement) }
}

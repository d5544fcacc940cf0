// What a change of the membership has to leave whole, whatever happened meanwhile.

import { hex, type Vote } from '../../crypto/index.ts'
import { amnesiaOf, checkpointConflictOf, conflictOf, type Message, pastTheEndOf } from '../../src/consensus/index.ts'
import type { EpochCluster, Process } from './epoch-cluster.ts'

/** The first thing that is wrong, as a sentence; undefined where all is well. All processes are honest. */
export function epochFault(cluster: EpochCluster): string | undefined {
  const [fault] = cluster.faults
  if (fault !== undefined) return fault
  const log = new Map<number, string>()
  const handOvers = new Map<number, string>()
  for (const process of cluster.processes) {
    const { key, machine, evidence, alarms, chain } = process
    for (const [i, entry] of machine.executed.entries()) {
      const name = hex(entry.digest)
      if (entry.header.slot !== i + 1) return `process ${key} executed slot ${entry.header.slot} in place of ${i + 1}`
      if ((log.get(i) ?? name) !== name) return `two entries were executed for slot ${i + 1}`
      log.set(i, name)
    }
    for (const [i, { charter }] of chain.links.entries()) {
      const name = `${charter.start} ${hex(chain.links[i]?.checkpoint.next ?? charter.previous)}`
      if ((handOvers.get(i) ?? name) !== name) return `epoch ${i} was handed over twice`
      handOvers.set(i, name)
    }
    if (evidence.length > 0) return `process ${key} has evidence of ${evidence.join()}, and nobody lied`
    if (alarms.length > 0) return `process ${key} raised ${alarms.join()}`
    const wrong = contradiction(process) ?? outOfRange(process, handOvers)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** Something said in an epoch about a slot that is not of it. */
function outOfRange({ key, said }: Process, handOvers: ReadonlyMap<number, string>): string | undefined {
  const lastOf = (epoch: number) => Number(handOvers.get(epoch)?.split(' ')[0] ?? Number.POSITIVE_INFINITY)
  for (const { epoch, message } of said) {
    const start = epoch === 0 ? 0 : lastOf(epoch - 1)
    for (const { statement } of votesIn(message)) {
      const { kind, slot } = statement
      const first = kind === 'view-change' || kind === 'new-view' ? start : start + 1
      if (slot < first || slot > lastOf(epoch)) return `process ${key} said ${kind} for slot ${slot} in epoch ${epoch}`
    }
    if (message.kind === 'checkpoint' && (message.vote.slot <= start || message.vote.slot > lastOf(epoch)))
      return `process ${key} signed a note for slot ${message.vote.slot} in epoch ${epoch}`
  }
  return undefined
}

/** Two things that nobody honest says both; restarts included. */
function contradiction({ key, said }: Process): string | undefined {
  for (const epoch of new Set(said.map((each) => each.epoch))) {
    const messages = said.filter((each) => each.epoch === epoch).map(({ message }) => message)
    const first = new Map<string, Vote>()
    const viewChanges = messages.flatMap((each) => (each.kind === 'view-change' ? [each.viewChange] : []))
    for (const vote of messages.flatMap(votesIn)) {
      const { kind, view, slot } = vote.statement
      const name = kind === 'view-change' || kind === 'new-view' ? `${kind} ${view}` : `${kind} ${view} ${slot}`
      const known = first.get(name) ?? vote
      first.set(name, known)
      if (conflictOf(known, vote) !== undefined) return `process ${key} signed two votes for ${name} in epoch ${epoch}`
      if (viewChanges.some((each) => amnesiaOf(vote, each)))
        return `process ${key} forgot its ${name} in epoch ${epoch}`
    }
    const notes = messages.flatMap((each) => (each.kind === 'checkpoint' ? [each.vote] : []))
    for (const a of notes) {
      if (notes.some((b) => checkpointConflictOf(a, b))) return `process ${key} signed two notes for ${a.slot}`
      const late = [...first.values()].find((vote) => pastTheEndOf(a, { kind: 'vote', vote }))
      if (late !== undefined)
        return `process ${key} voted for slot ${late.statement.slot} after its end of epoch ${epoch}`
    }
  }
  return undefined
}

function votesIn(message: Message): readonly Vote[] {
  switch (message.kind) {
    case 'vote':
    case 'propose':
      return [message.vote]
    case 'view-change':
      return [message.viewChange.vote]
    case 'new-view':
      return [message.newView.vote, ...message.newView.proposals]
    default:
      return []
  }
}

// What every attack has to leave whole: the honest replicas agree, everything that honest clients asked for is executed, and
// evidence convicts liars alone.

import { hex, replicaIndex, type Vote } from '../../crypto/index.ts'
import { Liar } from '../../src/byzantine/index.ts'
import {
  amnesiaOf,
  type CoreState,
  checkpointConflictOf,
  conflictOf,
  disobedienceOf,
  evidenceFault,
  type Message,
  startCheckpoint,
} from '../../src/consensus/index.ts'
import { Random } from '../../src/simulation/kernel/index.ts'
import { commands, type MiniCluster, type MiniReplica } from './mini-cluster.ts'

/** The replicas that tell the truth. */
export function honestOf(cluster: MiniCluster): MiniReplica[] {
  return cluster.replicas.filter((replica) => replica.behaviour === undefined)
}

/** The first thing that is wrong with the cluster, as a sentence; undefined where the honest replicas agree so far. */
export function safetyFault(cluster: MiniCluster): string | undefined {
  const honest = honestOf(cluster)
  const log = new Map<number, string>()
  const first = cluster.slot(1)
  for (const replica of honest) {
    for (const [i, entry] of replica.executed.entries()) {
      const { slot } = entry.header
      if (slot !== first + i) return `replica ${replica.index} executed slot ${slot} in place of ${first + i}`
      const known = log.get(slot)
      const digest = hex(entry.digest)
      if (known !== undefined && known !== digest) return `two entries were executed for slot ${slot}`
      log.set(slot, digest)
    }
    const fault = evidenceFaults(cluster, replica) ?? contradiction(replica)
    if (fault !== undefined) return fault
    if (replica.alarms.length > 0) return `replica ${replica.index} raised ${replica.alarms.join()}`
  }
  return undefined
}

/** The pairs of a kind of evidence and whom it convicts, as all honest replicas together have it: `two-votes 0`. */
export function accusations(cluster: MiniCluster): string[] {
  const found = honestOf(cluster).flatMap(({ evidence }) =>
    evidence.flatMap((effect) =>
      effect.kind === 'evidence' ? [`${effect.evidence.kind} ${effect.evidence.accused}`] : [],
    ),
  )
  return [...new Set(found)].sort()
}

/** The honest replicas that have not executed all of `texts`, each with what it lacks. */
export function missing(cluster: MiniCluster, texts: readonly string[]): string[] {
  return honestOf(cluster).flatMap((replica) => {
    const done = new Set(commands(replica))
    const lacking = texts.filter((text) => !done.has(text))
    return lacking.length === 0 ? [] : [`${replica.index} lacks ${lacking.join(' ')}`]
  })
}

/** Submits one request after another to all replicas, `everyMs` apart; what was submitted. */
export function load(cluster: MiniCluster, count: number, everyMs = 50, prefix = 'r'): string[] {
  const all = cluster.replicas.map(({ index }) => index)
  const texts = Array.from({ length: count }, (_, i) => `${prefix}${i}`)
  for (const text of texts) {
    cluster.submit(all, text)
    cluster.run(everyMs)
  }
  return texts
}

/** Runs until every honest replica has executed `texts`, at most for so long; the milliseconds that it took. */
export function runUntilDone(cluster: MiniCluster, texts: readonly string[], limitMs = 30_000): number {
  const from = cluster.nowMs
  while (missing(cluster, texts).length > 0 && cluster.nowMs - from < limitMs) cluster.run(100)
  return cluster.nowMs - from
}

/** A liar's pen: signs as this replica, whatever a test wants, from the first view's point of view. */
export function liarOf(cluster: MiniCluster, self: number): Liar {
  const signer = cluster.signers[self]
  const state = cluster.replicas[self]?.state
  if (signer === undefined || state === undefined) throw new RangeError(`no replica ${self}`)
  const { membership, start, clusterName, parameters } = cluster.context
  const random = new Random(`pen of ${self}`)
  const context = { membership, start, clusterName, parameters, signer, torsionSigner: signer, random }
  const liar = new Liar({ self: replicaIndex(self), ...context })
  liar.known = startCheckpoint(state.config)
  return liar
}

/** The sizes of everything that a core remembers in a map, set or list. */
export function memoryOf(state: CoreState): Record<string, number> {
  const most = (sizes: readonly number[]) => Math.max(0, ...sizes)
  const slots = [...state.slots.values()]
  return {
    slots: state.slots.size,
    tail: state.tail.size,
    pending: state.pending.size,
    clients: state.pendingOf.size,
    viewChanges: state.viewChanges.size,
    ahead: most(state.peers.map((peer) => peer.ahead.length)),
    checkpoints: most(state.peers.map((peer) => peer.checkpoints.size)),
    prepares: most(slots.map((at) => at.prepares.size)),
    accepts: most(slots.map((at) => at.accepts.size)),
    bodies: most(slots.map((at) => at.bodies.size)),
    evidence: most([...state.accused.values()].map((each) => each.size)),
    latencies: state.latencies.length,
    outbox: state.outbox.length,
    replay: state.replay.length,
  }
}

function evidenceFaults(cluster: MiniCluster, replica: MiniReplica): string | undefined {
  for (const effect of replica.evidence) {
    if (effect.kind !== 'evidence') continue
    const { accused, kind } = effect.evidence
    if (cluster.replicas[accused]?.behaviour === undefined)
      return `replica ${replica.index} accuses replica ${accused}, who is honest, of ${kind}`
    const fault = evidenceFault(effect.evidence, cluster.context)
    if (fault !== undefined) return `evidence of replica ${replica.index} does not convict: ${fault}`
  }
  return undefined
}

/** Two things that an honest replica said, of which no honest replica says both; restarts included. */
function contradiction({ index, said, state }: MiniReplica): string | undefined {
  const { epoch } = state.config.membership
  const votes = [...said].flatMap((message) => votesIn(message))
  const viewChanges = [...said].flatMap((each) => (each.kind === 'view-change' ? [each.viewChange] : []))
  const newViews = [...said].flatMap((each) => (each.kind === 'new-view' ? [each.newView] : []))
  const first = new Map<string, Vote>()
  for (const vote of votes) {
    const { kind, view, slot } = vote.statement
    const key = kind === 'view-change' || kind === 'new-view' ? `${kind} ${view}` : `${kind} ${view} ${slot}`
    const known = first.get(key) ?? vote
    first.set(key, known)
    if (conflictOf(known, vote) !== undefined) return `replica ${index}, honest, signed two votes for ${key}`
    if (viewChanges.some((each) => amnesiaOf(vote, each))) return `replica ${index}, honest, forgot its ${key}`
    if (newViews.some((each) => disobedienceOf(vote, each, epoch))) return `replica ${index}, honest, disobeyed: ${key}`
  }
  const notes = [...said].flatMap((each) => (each.kind === 'checkpoint' ? [each.vote] : []))
  for (const a of notes)
    for (const b of notes)
      if (checkpointConflictOf(a, b)) return `replica ${index}, honest, signed two notes for ${a.slot}`
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

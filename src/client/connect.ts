// Makes a client: its numbers, its links, and what stands on them.

import type { ReplicaIndex } from '../../crypto/index.ts'
import { nativeVerifier, useNativeHash } from '../../keys/native/index.ts'
import { type ClientTransportHandlers, libp2pClientTransport } from '../../net/index.ts'
import { decodeReplicaFrame } from '../wire/index.ts'
import { ClusterClient } from './client.ts'
import { ClusterView } from './cluster-view.ts'
import { Counters } from './counters.ts'
import { Links } from './links.ts'
import { Pipeline } from './pipeline.ts'
import { Questions } from './questions.ts'
import { QuorumReads } from './quorum-reads.ts'
import { leaseRule, quorumRule } from './read-rule.ts'
import { Reading } from './reading.ts'
import { clockSequences, exclusiveSequences, type Sequences, sharedSequences } from './sequence.ts'
import { StaleReads } from './stale-reads.ts'
import { Ticker } from './ticker.ts'
import type { Client, ConnectOptions } from './types.ts'
import { Watches } from './watch/watches.ts'

/**
 * A client of the cluster that `genesis` describes. Resolves at once, and the links come up in the background: calls wait for
 * them until their own deadlines. Close it when done.
 * @throws {ClientError} where the state file is in use or cannot be used.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { genesis, key, seed, signal } = options
  signal?.throwIfAborted()
  useNativeHash()
  const sequences = await sequencesOf(options)
  const view = new ClusterView(genesis, nativeVerifier)
  const transport =
    options.transport ?? libp2pClientTransport({ clusterId: genesis.clusterId, roster: view.roster, seed })
  const [counters, ticker, links] = [new Counters(), new Ticker(), new Links(transport, view)]
  const pipeline = new Pipeline({ view, key, verifier: nativeVerifier, sequences, links, ticker, counters })
  const questions = new Questions({ links, ticker, counters })
  const ordered = pipeline.submit.bind(pipeline)
  const parts = { view, links, ticker, counters, ordered }
  const quorumReads = new QuorumReads({ ...parts, rule: quorumRule(view, links) })
  const { crashMode } = view.membership.quorums
  const leaseReads = crashMode ? new QuorumReads({ ...parts, rule: leaseRule(links) }) : undefined
  const direct = [quorumReads, leaseReads].filter((reads) => reads !== undefined)
  const stale = new StaleReads({ view, links, questions, counters })
  const reading = new Reading(quorumReads, leaseReads, stale)
  const watches = new Watches({ view, verifier: nativeVerifier, links, questions, ticker, counters })
  const stop = async () => {
    ticker.stop()
    await transport.stop()
    await sequences.close()
  }
  try {
    const handlers = handlersOf(links, pipeline, questions, direct, watches, counters)
    await transport.start(handlers, signal === undefined ? {} : { signal })
  } catch (error) {
    await stop()
    throw error
  }
  const { publicKey } = key
  return new ClusterClient({ view, publicKey, links, pipeline, questions, reading, watches, counters, stop })
}

async function sequencesOf({ stateFile, shareStateFile, signal }: ConnectOptions): Promise<Sequences> {
  if (stateFile === undefined) return clockSequences()
  return shareStateFile === true ? sharedSequences(stateFile, signal) : exclusiveSequences(stateFile)
}

function handlersOf(
  links: Links,
  pipeline: Pipeline,
  questions: Questions,
  direct: readonly QuorumReads[],
  watches: Watches,
  counters: Counters,
): ClientTransportHandlers {
  const take = (from: ReplicaIndex, bytes: Uint8Array): void => {
    const decoded = decodeReplicaFrame(bytes)
    if (!decoded.ok) return counters.add('frame-malformed')
    const frame = decoded.value
    switch (frame.kind) {
      case 'replies':
        return pipeline.replies(from, frame.replies)
      case 'refusal':
        return pipeline.refusal(from, frame.request, frame.code)
      case 'answer':
        for (const reads of direct) {
          if (reads.owns(frame.id)) return reads.answer(from, frame.id, frame.last, frame.answer)
        }
        return questions.answer(from, frame.id, frame.last, frame.answer, bytes.length)
      case 'watched':
        return watches.take(from, frame.updates)
    }
  }
  return {
    replicaFrame(from, bytes) {
      if (links.members.includes(from)) take(from, bytes)
      else counters.add('frame-foreign')
    },
    replicaUp(replica) {
      pipeline.replicaUp(replica)
      questions.replicaUp(replica)
      for (const reads of direct) reads.replicaUp(replica)
      watches.replicaUp(replica)
    },
    replicaDown(replica) {
      pipeline.replicaDown(replica)
      for (const reads of direct) reads.replicaDown(replica)
      watches.replicaDown(replica)
    },
  }
}

// Makes a client: its numbers, its links, and what stands on them.

import { nativeVerifier, useNativeHash } from '../../keys/native/index.ts'
import { libp2pClientTransport } from '../../net/index.ts'
import { auditContext } from '../audit/verify/index.ts'
import type { EpochChain } from '../consensus/index.ts'
import { ClusterClient } from './client.ts'
import { ClusterView } from './cluster-view.ts'
import { Counters } from './counters.ts'
import { Follower } from './follower.ts'
import { Links } from './links.ts'
import { Pipeline } from './pipeline.ts'
import { Questions } from './questions.ts'
import { QuorumReads } from './quorum-reads.ts'
import { leaseRule, quorumRule } from './read-rule.ts'
import { Reading } from './reading.ts'
import { Receivers } from './receivers.ts'
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
  const { genesis, key, seed, signal, pin } = options
  signal?.throwIfAborted()
  useNativeHash()
  const sequences = await sequencesOf(options)
  const { chain } = auditContext(genesis, nativeVerifier)
  const view = new ClusterView(genesis, chain)
  const roster = view.rosterOf(chain)
  const transport = options.transport ?? libp2pClientTransport({ clusterId: genesis.clusterId, roster, seed })
  const [counters, ticker, links] = [new Counters(), new Ticker(), new Links(transport, view)]
  const doubtMembers = () => follower.hint()
  const base = { view, links, ticker, counters, doubtMembers }
  const pipeline = new Pipeline({ ...base, key, sequences })
  const questions = new Questions({ links, ticker, counters })
  const ordered = pipeline.submit.bind(pipeline)
  const quorum = new QuorumReads({ ...base, ordered, rule: quorumRule(view, links) })
  const lease = new QuorumReads({ ...base, ordered, rule: leaseRule(view, links) })
  const stale = new StaleReads({ ...base, questions })
  const hasLeases = () => view.membership.quorums.crashMode
  const reading = new Reading({ quorum, lease, stale, hasLeases })
  const watches = new Watches({ ...base, verifier: nativeVerifier, questions })
  const follow = (longer: EpochChain) => receivers.follow(longer)
  const doubt = options.onDoubt ?? (() => undefined)
  const follower: Follower = new Follower({ ...base, questions, pin, follow, doubt })
  const direct = [quorum, lease]
  const receivers = new Receivers({ view, transport, counters, pipeline, questions, direct, stale, watches, follower })
  const stop = async () => {
    ticker.stop()
    await transport.stop()
    await sequences.close()
  }
  try {
    await transport.start(receivers.handlers, signal === undefined ? {} : { signal })
  } catch (error) {
    await stop()
    throw error
  }
  const { publicKey } = key
  return new ClusterClient({ ...base, publicKey, pipeline, questions, reading, follower, watches, stop })
}

async function sequencesOf({ stateFile, shareStateFile, signal }: ConnectOptions): Promise<Sequences> {
  if (stateFile === undefined) return clockSequences()
  return shareStateFile === true ? sharedSequences(stateFile, signal) : exclusiveSequences(stateFile)
}

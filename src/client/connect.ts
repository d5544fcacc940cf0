// Makes a client: its numbers, its links, and what stands on them.

import { nativeVerifier, useNative } from '../../keys/native/index.ts'
import { libp2pClientTransport } from '../../net/index.ts'
import { auditContext } from '../audit/verify/index.ts'
import type { EpochChain } from '../consensus/index.ts'
import { Addresses } from './addresses.ts'
import { ClusterClient } from './client.ts'
import { readCluster } from './cluster-file.ts'
import { ClusterView } from './cluster-view.ts'
import { Counters } from './counters.ts'
import { Follower } from './follower.ts'
import { Keeper } from './keeper.ts'
import { Links } from './links.ts'
import { Pipeline } from './pipeline.ts'
import { Proofs } from './proofs.ts'
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
 * @throws {ClientError} where the state file is in use or cannot be used, or the file of the cluster does not hold.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { genesis, key, seed, signal, pin } = options
  signal?.throwIfAborted()
  useNative()
  const { chain } = auditContext(genesis, nativeVerifier)
  const { clusterFile } = options
  const known = clusterFile === undefined ? undefined : await readCluster(clusterFile, chain, pin)
  const view = new ClusterView(genesis, known?.chain ?? chain)
  if (known !== undefined) view.reach(known.addresses)
  const sequences = await sequencesOf(options)
  const roster = view.rosterOf(view.chain)
  const transport = options.transport ?? libp2pClientTransport({ clusterId: genesis.clusterId, roster, seed })
  const [counters, ticker, links] = [new Counters(), new Ticker(), new Links(transport, view)]
  const doubtMembers = () => follower.hint()
  const base = { view, links, ticker, counters, doubtMembers }
  const pipeline = new Pipeline({ ...base, key, sequences })
  const questions = new Questions({ links, ticker, counters })
  const ordered = pipeline.submit.bind(pipeline)
  const quorum = new QuorumReads({ ...base, ordered, rule: quorumRule(view, links) })
  const lease = new QuorumReads({ ...base, ordered, rule: leaseRule(view, links) })
  const proofs = new Proofs(view)
  const stale = new StaleReads({ ...base, questions, proofs })
  const hasLeases = () => view.membership.quorums.crashMode
  const reading = new Reading({ quorum, lease, stale, hasLeases })
  const watches = new Watches({ ...base, verifier: nativeVerifier, questions })
  const follow = (longer: EpochChain) => receivers.follow(longer)
  const doubt = options.onDoubt ?? (() => undefined)
  const addresses = new Addresses({ ...base, questions, proofs, changed: () => receivers.reach() })
  const keeper = clusterFile === undefined ? undefined : new Keeper({ path: clusterFile, genesis: chain, view, doubt })
  const follower: Follower = new Follower({ ...base, questions, pin, follow, doubt })
  const direct = [quorum, lease]
  const standing = { pipeline, questions, direct, stale, proofs, watches, follower, addresses }
  const receivers = new Receivers({ view, transport, counters, ...standing, keep: () => keeper?.keep() })
  const stop = async () => {
    addresses.close()
    ticker.stop()
    await transport.stop()
    await keeper?.close()
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

// The life cycle of a replica: opens its store, listens, takes part, and gives everything back.

import { setTimeout as sleep } from 'node:timers/promises'
import { replicaIndex } from '../../crypto/index.ts'
import { peerIdOf } from '../../keys/index.ts'
import { useNative } from '../../keys/native/index.ts'
import { libp2pReplicaTransport, type ReplicaTransport, type RosterEntry } from '../../net/index.ts'
import { openStore, type Store, StoreError, type StoreOptions } from '../storage/index.ts'
import type { ReplicaStatus } from '../wire/index.ts'
import { bringToLife, type Life } from './life.ts'
import { CLOSE_PATIENCE_MS, LEAST_TICK_MS, SHELL_LIMITS, type ShellLimits, TICKS_PER_TIMEOUT } from './limits.ts'
import { type MetricsServer, serveMetrics } from './metrics.ts'
import type { Retired } from './retirement.ts'
import type { Log, Replica, ReplicaOptions } from './types.ts'

/** What a replica stands on; other things only in tests. */
export interface Surroundings {
  readonly openStore: (options: StoreOptions) => Promise<Store>
  readonly limits: ShellLimits
}

const SURROUNDINGS: Surroundings = Object.freeze({ openStore, limits: SHELL_LIMITS })

/**
 * A replica of the cluster of `options.genesis`, to be started. It answers for what its key has said before: it opens the store that
 * it wrote, and makes a new one only where `create` says that there never was one.
 * `start` throws {StoreError} where the store is missing, foreign, locked, damaged in what others cannot repair, or of another
 * format, and {NetError} where it cannot listen.
 */
export function createReplica(options: ReplicaOptions): Replica {
  useNative()
  return new ReplicaProcess(options, SURROUNDINGS)
}

const SILENT: Log = Object.freeze({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} })

export class ReplicaProcess implements Replica {
  private readonly options: ReplicaOptions
  private readonly surroundings: Surroundings
  private readonly log: Log
  private readonly transport: ReplicaTransport
  private store: Store | undefined
  private life: Life | undefined
  private metrics: MetricsServer | undefined
  private ticking: NodeJS.Timeout | undefined
  private starting: Promise<void> | undefined
  private begun: Promise<void> | undefined
  private readonly ending = new AbortController()
  private stopping: Promise<void> | undefined
  private dead = false

  constructor(options: ReplicaOptions, surroundings: Surroundings) {
    this.options = options
    this.surroundings = surroundings
    this.log = options.log ?? SILENT
    this.transport = options.transport ?? transportOf(options)
  }

  get addresses(): readonly string[] {
    return this.transport.addresses
  }

  get metricsPort(): number | undefined {
    return this.metrics?.port
  }

  /** What its parts count, for tests. */
  get counters(): Life['counters'] | undefined {
    return this.life?.counters
  }

  start({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.stopping !== undefined) return Promise.reject(new Error('replica: it was stopped; make another one'))
    this.starting ??= this.beginOrStop(signal)
    return this.starting
  }

  stop(): Promise<void> {
    this.stopping ??= this.end()
    return this.stopping
  }

  /** @throws {Error} before it was started. */
  status(): ReplicaStatus {
    if (this.life === undefined) throw new Error('replica: it has no status before it was started')
    return this.life.status()
  }

  private async beginOrStop(signal: AbortSignal | undefined): Promise<void> {
    const { signal: stopped } = this.ending
    this.begun = this.begin(signal === undefined ? stopped : AbortSignal.any([signal, stopped]))
    try {
      await this.begun
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  private async begin(signal: AbortSignal): Promise<void> {
    const { options, log, transport, surroundings } = this
    const { metricsPort } = options
    const { limits } = surroundings
    signal.throwIfAborted()
    const store = await surroundings.openStore(storeOptions(options, (error) => this.fatal(error)))
    this.store = store
    signal.throwIfAborted()
    const fatal = (error: unknown) => this.fatal(error)
    const retire = (retired: Retired) => this.retire(retired)
    const life = await bringToLife({ options, store, transport, log, limits, fatal, retire, signal })
    this.life = life
    if (metricsPort !== undefined) this.metrics = await serveMetrics(metricsPort, life.metrics)
    await transport.start(life.handlers, { signal })
    signal.throwIfAborted()
    life.startCheck.begin({ clear: () => this.takePart(life), rolledBack: fatal })
  }

  private takePart(life: Life): void {
    this.tickLater(life)
    life.turn.begin(life.effects)
    const { executed, stable, view } = life.status()
    this.log.info({ addresses: this.transport.addresses, view, executed, stable }, 'taking part')
  }

  /** Again and again, as often as the epoch asks for. */
  private tickLater(life: Life): void {
    const { viewTimeoutMs } = life.parameters()
    const tickMs = Math.max(LEAST_TICK_MS, viewTimeoutMs / TICKS_PER_TIMEOUT)
    this.ticking = setTimeout(() => {
      this.tickLater(life)
      life.turn.tick()
    }, tickMs)
  }

  private async end(): Promise<void> {
    this.ending.abort(new Error('replica: it was stopped while it started'))
    await this.begun?.catch(() => undefined)
    clearTimeout(this.ticking)
    this.life?.startCheck.stop()
    this.life?.turn.finish()
    this.life?.questions.stop()
    const closed = this.giveBack()
    await (this.dead ? Promise.race([closed, sleep(CLOSE_PATIENCE_MS)]) : closed)
  }

  /** Each part gives back what is its own, whatever becomes of the others. */
  private async giveBack(): Promise<void> {
    const { life, store, transport, metrics } = this
    const results = await Promise.allSettled([transport.stop(), metrics?.close(), life?.writer.stop()])
    results.push(...(await Promise.allSettled([store?.close()])))
    for (const result of results) {
      if (result.status === 'rejected') this.log.warn({ error: String(result.reason) }, 'could not stop cleanly')
    }
  }

  /** Nobody needs it any more. */
  private retire(retired: Retired): void {
    if (this.dead || this.stopping !== undefined) return
    const { epoch, slot, why } = retired
    this.log.warn({ epoch, slot }, why)
    void this.stop().finally(() => this.options.onRetired?.(retired))
  }

  /** Nothing that happens after this may be told to anybody: what it would rest on is not known. */
  private fatal(error: unknown): void {
    if (this.dead || this.stopping !== undefined) return
    this.dead = true
    this.life?.turn.end()
    const reason = error instanceof Error ? error : new Error(String(error))
    const { message: text, name, stack } = reason
    // What is said to the operator is no bug.
    const facts = { error: text, name, ...(!(reason instanceof StoreError) && { stack }) }
    this.log.error(facts, 'the replica stops by itself')
    void this.stop().finally(() => this.options.onFatal?.(reason))
  }
}

function transportOf({ genesis, keys, listen, dial }: ReplicaOptions): ReplicaTransport {
  const { clusterId, members } = genesis
  const addresses = (entry: RosterEntry): readonly string[] => {
    const other = dial?.[members.findIndex(({ peerId }) => peerId === entry.peerId)]
    return other === undefined ? entry.addresses : [other]
  }
  const own = peerIdOf(keys.transport.publicKey)
  const position = members.findIndex(({ peerId }) => peerId === own)
  // The roster of the epoch that it is in comes with the first update, before anybody is dialled.
  const roster = position >= 0 ? members : [...members, { peerId: own, addresses: listen ?? [] }]
  const self = replicaIndex(position >= 0 ? position : members.length)
  const base = { clusterId, roster, self, seed: keys.transport.seed, addresses }
  return libp2pReplicaTransport(listen === undefined ? base : { ...base, listen })
}

function storeOptions(options: ReplicaOptions, onFailure: (error: Error) => void): StoreOptions {
  const { genesis, keys, data, durability = 'fsync', retention, create = false } = options
  const { clusterId } = genesis
  const identity = { clusterId, replica: keys.index, consensusKey: keys.consensus.publicKey }
  const otherKey = keys.next?.publicKey
  return {
    path: data,
    identity,
    otherKey,
    durability,
    create,
    onFailure,
    ...(retention !== undefined && { retention }),
  }
}

// A new keyset on this machine and its replicas as processes, which come and go at the caller's word: for the tour, and for tests
// with real processes. Replicas are known by the numbers of their folders, whatever positions they have as members.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import {
  addressOf,
  clientFolder,
  DEFAULT_PARAMETERS,
  defaultClients,
  type Genesis,
  generateKeyset,
  operatorOf,
  type Parameters,
  replicaFolder,
  toleranceOf,
} from '../../../keys/index.ts'
import type { ReplicaConfig } from '../serve/config.ts'
import { CONFIG_FILE } from '../serve/settings.ts'
import { type Ending, type LaunchOptions, launchReplica, type ReplicaProcess } from './child.ts'
import type { ReplicaReport } from './messages.ts'
import { freePorts } from './ports.ts'

export interface LocalClusterOptions {
  /** The new keyset's folder. */
  readonly folder: string
  readonly name?: string
  readonly replicas: number
  readonly byzantine?: number
  readonly crash?: number
  readonly clients?: number
  /** So many admins there are, and so many must agree; one of one unless told. */
  readonly admins?: { readonly count: number; readonly threshold: number }
  /** Whether each replica has a client of its own that operates it. */
  readonly operators?: boolean
  readonly parameters?: Partial<Parameters>
  /** Becomes a replica's config.yaml; told the addresses of all. */
  readonly config?: (index: number, addresses: readonly string[]) => ReplicaConfig | Promise<ReplicaConfig>
  readonly onError?: (index: number, line: string) => void
  /** Where each replica runs; on this machine's loopback address unless told. */
  readonly hosts?: readonly Host[]
}

export interface Host {
  /** Its IPv4 address. */
  readonly ip: string
  readonly within: NonNullable<LaunchOptions['within']>
}

/** Of a replica that has a host to itself. */
const HOST_PORT = 7400

export class LocalCluster {
  readonly folder: string
  readonly genesis: Genesis
  private readonly processes = new Map<number, ReplicaProcess>()
  private readonly paused = new Set<number>()
  private readonly watchers = new Set<() => void>()
  private readonly options: LocalClusterOptions

  private constructor(genesis: Genesis, options: LocalClusterOptions) {
    this.folder = options.folder
    this.genesis = genesis
    this.options = options
  }

  /** Makes the keyset; starts nobody. @throws {KeysError} */
  static async make(options: LocalClusterOptions): Promise<LocalCluster> {
    const {
      folder,
      name = 'local',
      replicas,
      byzantine,
      crash,
      clients = 1,
      admins,
      parameters,
      config,
      hosts,
    } = options
    const operators = options.operators ? Array.from({ length: replicas }, (_, i) => operatorOf(i)) : undefined
    const addresses =
      hosts?.map(({ ip }) => addressOf(ip, HOST_PORT)) ??
      (await freePorts(replicas)).map((port) => addressOf('127.0.0.1', port))
    const genesis = await generateKeyset(folder, {
      name,
      quorum: toleranceOf(replicas, {
        ...(byzantine !== undefined && { byzantine }),
        ...(crash !== undefined && { crash }),
      }),
      addresses: addresses.map((address) => [address]),
      clients: [...defaultClients(clients, admins?.count), ...(operators ?? [])],
      threshold: admins?.threshold,
      operators: operators?.map((operator) => operator.name),
      parameters: { ...DEFAULT_PARAMETERS, ...parameters },
    })
    if (config !== undefined) {
      for (const index of addresses.keys()) {
        const place = replicaFolder(folder, index)
        await mkdir(place, { recursive: true })
        await writeFile(join(place, CONFIG_FILE), stringify(await config(index, addresses)))
      }
    }
    return new LocalCluster(genesis, options)
  }

  /** Of the members of the genesis. */
  get indexes(): number[] {
    return [...this.genesis.members.keys()]
  }

  /** All that were ever started, those that joined later too, ascending. */
  get started(): number[] {
    return [...this.processes.keys()].sort((a, b) => a - b)
  }

  clientFolder(name: string): string {
    return clientFolder(this.folder, name)
  }

  /** Starts a replica that does not run, with more of `quorate replica`'s options, and waits until it listens. @throws {LaunchError} */
  async start(index: number, options: readonly string[] = []): Promise<void> {
    if (this.runs(index)) throw new Error(`replica ${index} runs already`)
    const { onError, hosts } = this.options
    const replica = launchReplica({
      ...{ cluster: this.folder, index, options, within: hosts?.[index]?.within ?? [] },
      ...(onError !== undefined && { onError: (line: string) => onError(index, line) }),
    })
    this.processes.set(index, replica)
    this.paused.delete(index)
    replica.onReport(() => this.tell())
    void replica.ended().then(() => this.tell())
    await replica.listening()
  }

  async startAll(): Promise<void> {
    await Promise.all(this.indexes.map((index) => this.start(index)))
  }

  runs(index: number): boolean {
    const replica = this.processes.get(index)
    return replica !== undefined && replica.ending === undefined
  }

  /** SIGKILL. */
  kill(index: number): Promise<Ending> {
    return this.process(index).kill()
  }

  /** SIGTERM. */
  stop(index: number): Promise<Ending> {
    return this.process(index).stop()
  }

  /** SIGSTOP: it stands still until {@link resume}. */
  pause(index: number): void {
    this.process(index).signal('SIGSTOP')
    this.paused.add(index)
  }

  resume(index: number): void {
    this.process(index).signal('SIGCONT')
    this.paused.delete(index)
  }

  /** The newest reports of those that run and are not paused, ascending by index. */
  reports(): ReplicaReport[] {
    return this.started.flatMap((index) => this.report(index) ?? [])
  }

  report(index: number): ReplicaReport | undefined {
    return this.runs(index) && !this.paused.has(index) ? this.processes.get(index)?.latest?.report : undefined
  }

  pid(index: number): number | undefined {
    return this.processes.get(index)?.pid
  }

  /** Where `index` serves metrics, if its config says that it shall. */
  metricsPort(index: number): number | undefined {
    return this.processes.get(index)?.metricsPort
  }

  ending(index: number): Ending | undefined {
    return this.processes.get(index)?.ending
  }

  /** The leader of the highest view that an active replica is in; undefined too where it was never heard of in that epoch. */
  leader(): number | undefined {
    const active = this.reports().filter((report) => report.active)
    const newest = active.sort((a, b) => b.epoch - a.epoch || b.view - a.view)[0]
    if (newest === undefined || newest.epoch === 0) return newest?.leader
    return this.started.find((index) => {
      const last = this.processes.get(index)?.latest?.report
      return last?.epoch === newest.epoch && last.replica === newest.leader
    })
  }

  /**
   * Waits until what the replicas report is as wanted; `what` ends the sentence of the failure.
   * @throws {Error} after `timeoutMs`, with the last reports; the signal's reason.
   */
  async until(
    what: string,
    holds: (reports: readonly ReplicaReport[]) => boolean,
    { timeoutMs = 30_000, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (signal?.aborted) done(() => reject(signal.reason))
        else if (holds(this.reports())) done(resolve)
      }
      const late = setTimeout(
        () => done(() => reject(new Error(`not within ${timeoutMs} ms: ${what}; ${this.describe()}`))),
        timeoutMs,
      )
      const done = (end: () => void) => {
        clearTimeout(late)
        signal?.removeEventListener('abort', look)
        this.watchers.delete(look)
        end()
      }
      signal?.addEventListener('abort', look)
      this.watchers.add(look)
      look()
    })
  }

  /** Kills whoever is left, paused or not, and waits for their end. */
  async dispose(): Promise<void> {
    await Promise.all([...this.processes.values()].map((replica) => replica.kill()))
  }

  private describe(): string {
    const lines = this.started.map((index) => {
      const { ending, latest } = this.processes.get(index) ?? {}
      if (ending !== undefined) return `${index}: ${ending.text}`
      if (latest === undefined) return `${index}: no report`
      const { epoch, view, active, chosen, executed, stable, pending, connected, alarms } = latest.report
      const state = `epoch ${epoch}, view ${view}${active ? '' : ' (changing)'}, chosen ${chosen}, executed ${executed}, stable ${stable}`
      return `${index}: ${state}, pending ${pending}, connected ${connected.join('')}${alarms.length > 0 ? `, ${alarms}` : ''}`
    })
    return lines.join('; ')
  }

  private process(index: number): ReplicaProcess {
    const replica = this.processes.get(index)
    if (replica === undefined) throw new Error(`replica ${index} was never started`)
    return replica
  }

  private tell(): void {
    for (const watcher of [...this.watchers]) watcher()
  }
}

// Clusters of real processes for tests: a keyset in a temporary folder, replicas that are killed, paused, restarted, cut off, let in and
// voted out, clients that remember what they were told, and the verdict after it all.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadClientKey, type Parameters } from '../../keys/index.ts'
import { CLUSTER_FILE } from '../../src/cli/cluster.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import type { ReplicaReport } from '../../src/cli/launch/messages.ts'
import type { ReplicaConfig } from '../../src/cli/serve/config.ts'
import { Load, type LoadOptions } from '../../src/cli/tour/load.ts'
import { type Client, connect } from '../../src/client/index.ts'
import type { EpochChain } from '../../src/consensus/index.ts'
import { checkLinearizability, logOrderFault, type Operation } from '../../src/simulation/index.ts'
import { auditAll } from './audit-all.ts'
import { historyText } from './history.ts'
import { Link } from './link.ts'
import { Members } from './members.ts'
import type { Network } from './network.ts'

export interface HarnessOptions {
  readonly replicas: number
  readonly byzantine?: number
  readonly crash?: number
  readonly clients?: number
  readonly parameters?: Partial<Parameters>
  /** Pairs of members whose wire can be cut. */
  readonly links?: readonly (readonly [number, number])[]
  /** Who lies, by their config files. */
  readonly liars?: Readonly<Record<number, string>>
  /** A network of their own, which stays the caller's. */
  readonly network?: Network
  /** Kept for audits; all of a short run unless told. */
  readonly retention?: NonNullable<ReplicaConfig['retention']>
}

/** Nobody fills so many slots in a test. */
const ALL = { slots: 1_000_000 }
/** Shorter than for people: a killed leader is noticed while the test watches. */
const TEST_PARAMETERS: Partial<Parameters> = { viewTimeoutMs: 500, viewTimeoutCapMs: 4_000, checkpointInterval: 32 }

export class Harness {
  readonly cluster: LocalCluster
  readonly members: Members
  /** Lines of the replicas' standard error. */
  readonly errors: readonly string[]
  private readonly root: string
  private readonly links: ReadonlyMap<string, Link>
  private readonly liars: ReadonlySet<number>
  private readonly clients: Client[] = []
  private readonly loads: Load[] = []
  /** One that only asks. */
  private reader: Client | undefined

  private constructor(
    cluster: LocalCluster,
    root: string,
    links: ReadonlyMap<string, Link>,
    liars: readonly number[],
    errors: readonly string[],
    members: Members,
  ) {
    this.cluster = cluster
    this.members = members
    this.errors = errors
    this.root = root
    this.links = links
    this.liars = new Set(liars)
  }

  /** Makes the keyset and starts all replicas. Whoever calls it disposes it, whatever happens. */
  static async start(options: HarnessOptions): Promise<Harness> {
    const { links: pairs = [], liars = {}, retention = ALL, parameters, network, ...numbers } = options
    const root = await mkdtemp(join(tmpdir(), 'quorate-cluster-'))
    const links = new Map(pairs.map(([a, b]) => [nameOf(a, b), new Link()]))
    const errors: string[] = []
    const cluster = await LocalCluster.make({
      ...numbers,
      ...(network !== undefined && { hosts: network.hosts }),
      folder: join(root, 'keyset'),
      parameters: { ...TEST_PARAMETERS, ...parameters },
      onError: (index, line) => errors.push(`[${index}] ${line}`),
      config: async (index, addresses) => {
        const peers: Record<string, string> = {}
        for (const [other, address] of addresses.entries()) {
          const link = links.get(nameOf(index, other))
          if (link !== undefined && other !== index) peers[other] = await link.proxyTo(address)
        }
        const liar = liars[index]
        return { retention, peers, ...(liar !== undefined && { liar }) }
      },
    })
    const members = new Members(cluster, retention)
    const harness = new Harness(cluster, root, links, Object.keys(liars).map(Number), errors, members)
    try {
      await cluster.startAll()
      await harness.connected()
      return harness
    } catch (error) {
      await harness.dispose()
      throw error
    }
  }

  /** Waits until every running replica is connected to every other. */
  connected(): Promise<void> {
    return this.cluster.until('all are connected', (reports) => {
      return reports.length > 0 && reports.every(({ connected }) => connected.length >= reports.length - 1)
    })
  }

  /**
   * Waits until so many members of the newest epoch run, have what there is, and are connected to one another. One that left a view alone
   * is counted: it votes again from the next view on, and that one is for the others to begin.
   */
  inOffice(count: number): Promise<void> {
    return this.cluster.until(`${count} members are in the newest epoch`, (reports) => {
      const newest = Math.max(...reports.map(({ epoch }) => epoch))
      const ready = reports.filter(({ epoch, transferring, connected }) => {
        return epoch === newest && !transferring && connected.length >= count - 1
      })
      return ready.length === count
    })
  }

  link(a: number, b: number): Link {
    const link = this.links.get(nameOf(a, b))
    if (link === undefined) throw new Error(`the harness has no link ${a}-${b}`)
    return link
  }

  async connect(name = 'admin'): Promise<Client> {
    const { genesis } = this.cluster
    const key = await loadClientKey(this.cluster.clientFolder(name), genesis, { name })
    const clusterFile = join(this.cluster.folder, CLUSTER_FILE)
    const client = await connect({ genesis, key: key.signer, seed: key.seed, clusterFile })
    this.clients.push(client)
    return client
  }

  /** Clients that ask until {@link verdict}. */
  async load(options: Partial<LoadOptions> = {}): Promise<Load> {
    const client = options.client ?? (await this.connect())
    const load = new Load({
      ...{ client, workers: 8, keys: 12, prefix: 'k', seed: 1, timeoutMs: 30_000, id: this.loads.length, restMs: 5 },
      ...options,
    })
    this.loads.push(load)
    load.start()
    return load
  }

  /** Waits until `count` more requests were answered. */
  async answered(load: Load, count: number): Promise<void> {
    const goal = load.done + count
    const enough = () => load.failure !== undefined || load.done >= goal
    await this.cluster.until(`${count} more answers`, enough, { timeoutMs: 45_000 })
    if (load.failure !== undefined) throw load.failure
  }

  honest(): ReplicaReport[] {
    return this.reportsOf(this.cluster.started.filter((number) => !this.liars.has(number)))
  }

  /** The epochs, as replicas tell of them now. */
  async chain(): Promise<EpochChain> {
    this.reader ??= await this.connect()
    return await this.reader.follow()
  }

  /** Waits until honest ones who are no members any more have stopped by themselves, with code 0, or were killed. The load must go on. */
  async retired(chain: EpochChain): Promise<void> {
    for (const number of await this.members.gone(chain)) {
      if (this.liars.has(number)) continue
      await this.cluster.until(`replica ${number}, no member any more, stops`, () => !this.cluster.runs(number))
      const ending = this.cluster.ending(number)
      assert.ok(ending?.code === 0 || ending?.signal === 'SIGKILL', `replica ${number}: ${ending?.text}`)
    }
  }

  /**
   * Waits for the end of those who left, ends the load, and holds against each other what the clients were told and what the replicas keep: every request has an outcome, the
   * history is linearizable, honest replicas agree on the state and blame no honest one, and everything that they keep audits.
   */
  async verdict(): Promise<void> {
    const chain = await this.chain()
    await this.retired(chain)
    await this.safe(chain)
    const unknown = this.operations().filter(({ outcome }) => outcome === 'unknown')
    assert.equal(unknown.length, 0, 'requests without an outcome')
    await this.agreed(chain)
    await this.audited(chain)
  }

  /** The part of {@link verdict} that holds whatever happened, as long as no more than b lie; `chain` where members changed. */
  async safe(chain?: EpochChain): Promise<void> {
    for (const load of this.loads) await load.stop()
    const operations = this.operations()
    assert.equal(logOrderFault(operations), undefined)
    const { kind } = checkLinearizability(operations)
    if (kind === 'not-linearizable') {
      const file = join(tmpdir(), `quorate-history-${process.pid}.jsonl`)
      await writeFile(file, historyText(operations))
      assert.fail(`the history is not linearizable: ${file}`)
    }
    const roots = new Map<number, string>()
    for (const { replica, stable, stateRoot } of this.honest()) {
      const other = roots.get(stable) ?? stateRoot
      assert.equal(stateRoot, other, `replica ${replica} has another state than others at slot ${stable}`)
      roots.set(stable, stateRoot)
    }
    const liars = chain === undefined ? this.liars : await this.positionsOfLiars(chain)
    const accused = this.honest().flatMap(({ lies }) => lies.map((lie) => lie.accused))
    assert.deepEqual(
      accused.filter((index) => !liars.has(index)),
      [],
      'honest replicas that were blamed',
    )
  }

  operations(): Operation[] {
    return this.loads.flatMap((load) => load.operations)
  }

  /** Waits until the honest members that run have executed the same slots and agree on the state at their checkpoint. */
  async agreed(chain: EpochChain): Promise<void> {
    const numbers = await this.members.numbersOf(chain.last)
    await this.cluster.until('honest replicas agree', () => {
      const honest = this.reportsOf(numbers.filter((number) => !this.liars.has(number)))
      const first = honest[0]
      if (first === undefined) return false
      return honest.every(
        ({ epoch, executed, chosen, stable, stateRoot }) =>
          epoch === chain.last.charter.epoch &&
          executed === chosen &&
          executed === first.executed &&
          stable === first.stable &&
          stateRoot === first.stateRoot,
      )
    })
  }

  /** Exports all that is kept by whoever was a member, and audits it. */
  async audited(chain: EpochChain): Promise<void> {
    const { cluster, members, liars } = this
    const client = await this.connect()
    const executed = Math.max(...this.honest().map((each) => each.executed))
    await auditAll({ cluster, members, liars, client, chain, executed })
  }

  /** Positions that a liar had in any epoch: a report does not say of which epoch it accuses somebody. */
  private async positionsOfLiars({ epochs }: EpochChain): Promise<Set<number>> {
    const positions = new Set<number>()
    for (const context of epochs) {
      for (const [position, number] of (await this.members.numbersOf(context)).entries()) {
        if (this.liars.has(number)) positions.add(position)
      }
    }
    return positions
  }

  private reportsOf(numbers: readonly number[]): ReplicaReport[] {
    return numbers.flatMap((number) => this.cluster.report(number) ?? [])
  }

  async dispose(): Promise<void> {
    for (const load of this.loads) void load.stop().catch(() => {})
    await Promise.all(this.clients.map((client) => client.close()))
    await this.cluster.dispose()
    await Promise.all([...this.links.values()].map((link) => link.close()))
    await rm(this.root, { recursive: true, force: true })
  }
}

function nameOf(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`
}

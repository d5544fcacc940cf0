// Clusters of real processes for tests: a keyset in a temporary folder, replicas that are killed, paused, restarted and cut off,
// clients that remember what they were told, and the verdict after it all.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replicaIndex } from '../../crypto/index.ts'
import { loadClientKey, type Parameters } from '../../keys/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { exportBundle } from '../../src/audit/index.ts'
import { verifyBundle } from '../../src/audit/verify/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import type { ReplicaReport } from '../../src/cli/launch/messages.ts'
import type { ReplicaConfig } from '../../src/cli/serve/config.ts'
import { Load, type LoadOptions } from '../../src/cli/tour/load.ts'
import { type Client, connect } from '../../src/client/index.ts'
import { checkLinearizability, logOrderFault, type Operation } from '../../src/simulation/index.ts'
import { historyText } from './history.ts'
import { Link } from './link.ts'
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
  /** Lines of the replicas' standard error. */
  readonly errors: readonly string[]
  private readonly root: string
  private readonly links: ReadonlyMap<string, Link>
  private readonly liars: ReadonlySet<number>
  private readonly clients: Client[] = []
  private readonly loads: Load[] = []

  private constructor(
    cluster: LocalCluster,
    root: string,
    links: ReadonlyMap<string, Link>,
    liars: readonly number[],
    errors: readonly string[],
  ) {
    this.cluster = cluster
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
    const harness = new Harness(cluster, root, links, Object.keys(liars).map(Number), errors)
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

  link(a: number, b: number): Link {
    const link = this.links.get(nameOf(a, b))
    if (link === undefined) throw new Error(`the harness has no link ${a}-${b}`)
    return link
  }

  async connect(name = 'admin'): Promise<Client> {
    const { genesis } = this.cluster
    const key = await loadClientKey(this.cluster.clientFolder(name), genesis, { name })
    const client = await connect({ genesis, key: key.signer, seed: key.seed })
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
    return this.cluster.reports().filter(({ replica }) => !this.liars.has(replica))
  }

  /**
   * Ends the load and holds against each other what the clients were told and what the replicas keep: every request has an outcome, the
   * history is linearizable, honest replicas agree on the state and blame no honest one, and everything that they keep audits.
   */
  async verdict(): Promise<void> {
    await this.safe()
    const unknown = this.operations().filter(({ outcome }) => outcome === 'unknown')
    assert.equal(unknown.length, 0, 'requests without an outcome')
    await this.agreed()
    await this.audited()
  }

  /** The part of {@link verdict} that holds whatever happened, as long as no more than b lie. */
  async safe(): Promise<void> {
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
    const accused = this.honest().flatMap(({ lies }) => lies.map((lie) => lie.accused))
    assert.deepEqual(
      accused.filter((index) => !this.liars.has(index)),
      [],
      'honest replicas that were blamed',
    )
  }

  operations(): Operation[] {
    return this.loads.flatMap((load) => load.operations)
  }

  /** Waits until the honest replicas that run have executed the same slots and agree on the state at their checkpoint. */
  async agreed(): Promise<void> {
    await this.cluster.until('honest replicas agree', () => {
      const honest = this.honest()
      const first = honest[0]
      if (first === undefined) return false
      return honest.every(
        ({ executed, chosen, stable, stateRoot }) =>
          executed === chosen &&
          executed === first.executed &&
          stable === first.stable &&
          stateRoot === first.stateRoot,
      )
    })
  }

  /** Exports all that the running replicas keep, and audits it with nothing but the genesis. */
  async audited(): Promise<void> {
    const { genesis } = this.cluster
    const client = await this.connect()
    const parts: Buffer[] = []
    const report = await exportBundle({
      archives: this.cluster.reports().map(({ replica }) => client.archive(replicaIndex(replica))),
      ...{ genesis, selection: { kind: 'all' }, out: (text) => void parts.push(Buffer.from(text)) },
    })
    const executed = Math.max(...this.honest().map((each) => each.executed))
    const first = Math.min(...this.honest().map(({ firstSlot }) => firstSlot))
    assert.equal(report.entries, executed - first + 1, 'exported entries, of all slots that were executed and are kept')
    for await (const each of verifyBundle(parts, genesis, { level: 'certificates', verifier: nativeVerifier })) {
      if (each.kind !== 'summary') continue
      assert.ok(each.valid, `the export does not hold: ${JSON.stringify(each.faults)}`)
      assert.equal(each.entries, report.entries)
      assert.deepEqual(
        each.convicted.filter((index) => !this.liars.has(index)),
        [],
      )
    }
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

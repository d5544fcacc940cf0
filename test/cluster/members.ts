// Changes of the members of a cluster of real processes, by the commands that its operators would give. Replicas are called by the
// numbers of their folders; where they stand is asked of the chain of epochs.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { equalBytes, type PublicKey } from '../../crypto/index.ts'
import { addressOf, CONSENSUS_KEY_FILE, loadTransportKey, replicaFolder } from '../../keys/index.ts'
import type { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { freePorts } from '../../src/cli/launch/ports.ts'
import { main } from '../../src/cli/main.ts'
import { JOIN_FILE } from '../../src/cli/member/join-file.ts'
import type { ReplicaConfig } from '../../src/cli/serve/config.ts'
import { CONFIG_FILE } from '../../src/cli/serve/settings.ts'
import type { EpochChain, EpochContext } from '../../src/consensus/index.ts'

export interface ChangeOptions {
  /** Members and mode change in one step. */
  readonly byzantine?: number
  readonly crash?: number
  /** Done once the change was accepted, while its epoch is still to come. */
  readonly meanwhile?: () => Promise<void>
}

/** What a change printed with `--json`. */
interface Printed {
  readonly epoch: number
  readonly inOffice: boolean
}

export class Members {
  private readonly cluster: LocalCluster
  private readonly retention: NonNullable<ReplicaConfig['retention']>
  private readonly keys = new Map<number, PublicKey>()
  private readonly addresses = new Map<number, string>()

  constructor(cluster: LocalCluster, retention: NonNullable<ReplicaConfig['retention']>) {
    this.cluster = cluster
    this.retention = retention
  }

  /** The numbers of the members of an epoch, in the order of their positions. */
  async numbersOf({ charter }: EpochContext): Promise<number[]> {
    for (const number of this.cluster.started) {
      if (!this.keys.has(number)) this.keys.set(number, (await loadTransportKey(this.folder(number))).publicKey)
    }
    return charter.members.map(({ id, transportKey }) => {
      const found = [...this.keys].find(([, key]) => equalBytes(key, transportKey))
      return found?.[0] ?? assert.fail(`nobody here has the transport key of member ${id}`)
    })
  }

  /** Who was a member once and is none in the last epoch. */
  async gone(chain: EpochChain): Promise<number[]> {
    const office = await this.numbersOf(chain.last)
    return this.cluster.started.filter((number) => !office.includes(number))
  }

  /** False once it has erased its consensus key, as a member does that leaves. */
  hasKey(number: number): boolean {
    return existsSync(join(this.folder(number), CONSENSUS_KEY_FILE))
  }

  /** New members join; their numbers. They run once the epoch has begun. */
  async grow(count: number, options: ChangeOptions = {}): Promise<number[]> {
    const joining = await this.joining(count)
    await this.change(['add', ...joining.map((number) => this.joinFile(number))], options)
    await this.letIn(joining)
    return joining
  }

  async shrink(numbers: readonly number[], chain: EpochChain, options: ChangeOptions = {}): Promise<void> {
    const ids = await Promise.all(numbers.map((number) => this.idOf(number, chain)))
    await this.change(['remove', ...ids], options)
  }

  /** Somebody new in the place of a member; the new one's number. */
  async replace(gone: number, chain: EpochChain, options: ChangeOptions = {}): Promise<number> {
    const joining = await this.joining(1)
    const [number = assert.fail('unreachable: one joins')] = joining
    await this.change(['replace', await this.idOf(gone, chain), this.joinFile(number)], options)
    await this.letIn(joining)
    return number
  }

  /** New consensus keys for these, all in one step. */
  async rotate(numbers: readonly number[], options: ChangeOptions = {}): Promise<void> {
    await this.change(['rotate-key', ...numbers.map((number) => this.folder(number))], options)
  }

  /** Asks for it as an admin, and waits until its epoch has begun. */
  private async change(args: readonly string[], options: ChangeOptions): Promise<Printed> {
    const { byzantine, crash, meanwhile } = options
    let happened: Promise<void> | undefined
    const tolerance = [
      ...(byzantine === undefined ? [] : ['--byzantine', `${byzantine}`]),
      ...(crash === undefined ? [] : ['--crash', `${crash}`]),
    ]
    const printed = await this.quorate(['member', ...args, ...tolerance, '--json'], (text) => {
      if (!text.startsWith('accepted') || happened !== undefined) return
      happened = meanwhile?.()
      happened?.catch(() => {})
    })
    await happened
    const value: Printed = JSON.parse(printed)
    assert.ok(value.inOffice, `a change was accepted, and its epoch did not begin: ${printed}`)
    return value
  }

  /** Numbers of replicas that are ready to be let in. */
  private async joining(count: number): Promise<number[]> {
    const { length } = this.cluster.genesis.members
    const first = Math.max(length, ...this.cluster.started.map((number) => number + 1))
    const ports = await freePorts(count)
    for (const [i, port] of ports.entries()) {
      const address = addressOf('127.0.0.1', port)
      this.addresses.set(first + i, address)
      await this.join(first + i, '--no-wait')
      const config: ReplicaConfig = { listen: [address], retention: this.retention }
      await writeFile(join(this.folder(first + i), CONFIG_FILE), stringify(config))
    }
    return ports.map((_, i) => first + i)
  }

  private async letIn(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await this.join(number)
      await this.cluster.start(number)
    }
  }

  private async join(number: number, ...args: string[]): Promise<void> {
    const address = this.addresses.get(number) ?? assert.fail(`replica ${number} did not get ready`)
    await this.quorate(['member', 'join', '--index', `${number}`, '--address', address, ...args])
  }

  /** What the command printed. @throws {AssertionError} where it failed. */
  private async quorate(args: readonly string[], progress: (text: string) => void = () => {}): Promise<string> {
    const [out, error]: [string[], string[]] = [[], []]
    const code = await main(args, {
      environment: { QUORATE_CLUSTER: this.cluster.folder },
      signal: new AbortController().signal,
      out: (text) => out.push(text),
      error: (text) => error.push(text),
      progress,
    })
    assert.equal(code, 0, `quorate ${args.join(' ')}: ${out.join('')}${error.join('')}`)
    return out.join('')
  }

  private async idOf(number: number, { last }: EpochChain): Promise<string> {
    const position = (await this.numbersOf(last)).indexOf(number)
    return String(last.charter.members[position]?.id ?? assert.fail(`replica ${number} is no member`))
  }

  private folder(number: number): string {
    return replicaFolder(this.cluster.folder, number)
  }

  private joinFile(number: number): string {
    return join(this.folder(number), JOIN_FILE)
  }
}

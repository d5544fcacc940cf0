// `quorate member join`: a new replica gets ready, and waits until it is a member.

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { equalBytes } from '../../../crypto/index.ts'
import {
  addressFault,
  CONSENSUS_KEY_FILE,
  generateReplicaKeys,
  loadConsensusKey,
  loadTransportKey,
  readPassphrase,
  replicaFolder,
} from '../../../keys/index.ts'
import type { EpochChain, EpochContext } from '../../consensus/index.ts'
import type { Edit } from '../../machine/index.ts'
import { proposedOf, refusedOf } from '../admin/govern.ts'
import { clientKeyOf } from '../admin/whose.ts'
import { CLUSTER_OPTIONS, type ClusterAccess, openCluster, withClient } from '../cluster.ts'
import { type Command, type Context, type Input, type Outcome, UsageError } from '../command.ts'
import { memberNamed } from '../member/change.ts'
import { readJoin } from '../member/join-file.ts'
import type { Joiner, Surroundings } from '../member/joining.ts'
import { acceptedOf } from '../member/terms.ts'
import { CONFIG_FILE, DATA_FOLDER, MOST_INDEX } from '../serve/settings.ts'
import { hasStarted } from '../serve/started.ts'

export const memberJoin: Command = {
  name: 'member join',
  describe: 'Get a new replica ready, and wait until the members have let it in',
  arguments: [],
  options: [
    {
      flags: '--index <i>',
      describe: 'its number here, above those of the genesis: replica-I is its folder',
      required: true,
    },
    { flags: '--address <multiaddr>', describe: 'where it is reached', repeatable: true },
    { flags: '--operator <name>', describe: 'the client who may replace it and its keys without the admins' },
    { flags: '--add', describe: 'ask for its admission too, under the key of --client' },
    { flags: '--replace <id>', describe: 'ask for it in the place of this member, under the key of --client' },
    { flags: '--no-wait', describe: 'end once it is ready; run it again to wait' },
    ...CLUSTER_OPTIONS.filter(({ flags }) => !flags.startsWith('--timeout')),
  ],
  examples: [
    ['quorate member join --index 4 --address /ip4/10.0.0.4/tcp/7400', 'then an admin adds replica-4/join.json'],
    ['quorate member join --index 4 --address /dns/four.example/tcp/7400 --replace 2', 'by an admin, on its machine'],
  ],
  async run(input, context) {
    const access = await openCluster(input, context)
    const replaces = input.text('replace')
    if (replaces !== undefined && input.flag('add')) throw new UsageError('--add and --replace exclude one another')
    const joiner = await joinerOf(input, context, access)
    const { signal, progress } = context
    return await withClient(access, context, async (client) => {
      const around = { client, clusterName: access.genesis.contents.name, signal, progress }
      return await new Joining(input, context, joiner, around).run()
    })
  },
}

/** Its keys, made where it has none, and what it will be listed with. */
async function joinerOf(input: Input, context: Context, { cluster, genesis }: ClusterAccess): Promise<Joiner> {
  const least = genesis.members.length
  const index = input.integer('index', least, MOST_INDEX) ?? least
  const folder = replicaFolder(cluster, index)
  const addresses = input.texts('address')
  if (addresses.length === 0) throw new UsageError('name with --address where it is reached')
  for (const address of addresses) {
    const fault = addressFault(address)
    if (fault !== undefined) throw new UsageError(`--address ${JSON.stringify(address)}: ${fault}`)
  }
  const name = input.text('operator')
  const operator = name === undefined ? undefined : await clientKeyOf(name, input, context)
  const passphrase = await readPassphrase({ file: input.text('passphrase-file'), environment: context.environment })
  const keys = existsSync(join(folder, CONSENSUS_KEY_FILE))
    ? {
        consensus: await loadConsensusKey(folder, { passphrase }),
        transport: await loadTransportKey(folder, { passphrase }),
      }
    : await generateReplicaKeys(folder, { passphrase })
  await keepAddresses(folder, addresses)
  const identity = { clusterId: genesis.clusterId, replica: index, consensusKey: keys.consensus.publicKey }
  return { folder, data: join(folder, DATA_FOLDER), identity, keys, addresses, operator }
}

/** A member of the genesis listens where that lists it; nobody lists this one, so its config file says it. */
async function keepAddresses(folder: string, addresses: readonly string[]): Promise<void> {
  const path = join(folder, CONFIG_FILE)
  if (!existsSync(path)) await writeFile(path, stringify({ listen: addresses }))
}

class Joining {
  private readonly input: Input
  private readonly context: Context
  private readonly joiner: Joiner
  private readonly around: Surroundings
  private asked = false

  constructor(input: Input, context: Context, joiner: Joiner, around: Surroundings) {
    this.input = input
    this.context = context
    this.joiner = joiner
    this.around = around
  }

  async run(): Promise<Outcome> {
    const { joiner, around, input } = this
    const { isIn, letIn, makeReady } = await import('../member/joining.ts')
    const key = joiner.keys.consensus.publicKey
    let chain = await around.client.follow({ signal: around.signal })
    while (!isIn(chain, key)) {
      await this.refuseStarted(chain)
      const file = await makeReady(joiner, chain, around)
      const office = chain.last
      const refused = await this.ask(file, office)
      if (refused !== undefined) return refused
      if (!input.flag('wait')) return this.ready(file)
      this.sayReady(file)
      around.progress(`waiting for the end of epoch ${office.charter.epoch}`)
      chain = await this.after(office)
      if (!isIn(chain, key)) {
        this.say(`epoch ${chain.links.length} began without this replica: it gets ready for the members of now`)
      }
    }
    await letIn(joiner, chain)
    return this.member(chain)
  }

  /** Its keys have voted, and it is a member no more: they never are again. */
  private async refuseStarted({ last }: EpochChain): Promise<void> {
    const { folder } = this.joiner
    if (!(await hasStarted(folder))) return
    throw new UsageError(
      `${folder} is of a replica that was a member, and is none in epoch ${last.charter.epoch}: its keys are never taken again; join with another --index`,
    )
  }

  /** Asks the cluster, where the user wants that; what is said where it refused. */
  private async ask(file: string, office: EpochContext): Promise<Outcome | undefined> {
    const { input, around } = this
    const replaced = input.text('replace')
    if (this.asked || (replaced === undefined && !input.flag('add'))) return undefined
    const { member } = await readJoin(file)
    const edit: Edit =
      replaced === undefined ? { op: 'add', member } : { op: 'replace', id: memberNamed(replaced, office), member }
    const nothing = { quorum: undefined, parameters: undefined, threshold: undefined }
    const command = { kind: 'change', base: office.membership.digest, edits: [edit], ...nothing } as const
    const { Refused } = await import('../../client/index.ts')
    try {
      const { value } = await around.client.system(command, { signal: around.signal })
      this.asked = true
      if (value.kind === 'proposed') this.say(proposedOf(value).text)
      if (value.kind === 'accepted') this.say(acceptedOf(value, false).text)
      return undefined
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'refused') throw error
      return refusedOf(error.detail)
    }
  }

  /** The chain once the epoch is over. */
  private async after({ charter }: EpochContext): Promise<EpochChain> {
    const { client, signal } = this.around
    return await client.follow({ until: charter.epoch + 1, signal, timeoutMs: Number.MAX_SAFE_INTEGER })
  }

  private sayReady(file: string): void {
    if (!this.asked) this.say(`${file} is ready: an admin makes it a member with quorate member add ${file}`)
  }

  private say(text: string): void {
    const { stage } = this.context
    stage.print(stage.json ? JSON.stringify({ text }) : text)
  }

  private ready(file: string): Outcome {
    return {
      status: 'done',
      value: { outcome: 'ready', file },
      text: `${file} is ready; quorate member add ${file} makes it a member, and quorate member join waits for that`,
    }
  }

  private member({ last }: EpochChain): Outcome {
    const { index, id } = this.place(last)
    const command = `quorate replica --index ${this.input.text('index')}`
    return {
      status: 'done',
      value: { outcome: 'member', epoch: last.charter.epoch, member: id, position: index },
      text: `it is member ${id} from epoch ${last.charter.epoch} on: start it with ${command}`,
    }
  }

  private place({ charter }: EpochContext): { readonly index: number; readonly id: number } {
    const { publicKey } = this.joiner.keys.consensus
    const index = charter.members.findIndex(({ consensusKey }) => equalBytes(consensusKey, publicKey))
    return { index, id: charter.members[index]?.id ?? index }
  }
}

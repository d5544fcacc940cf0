// `quorate keygen`: a keyset for a new cluster.

import { join } from 'node:path'
import { hex, MAX_REPLICAS, quorumFault } from '../../../crypto/index.ts'
import {
  addressFault,
  addressOf,
  clientFolder,
  defaultClients,
  GENESIS_FILE,
  type Genesis,
  generateKeyset,
  KeysError,
  type KeysetPlan,
  MAX_CLIENTS,
  operatorOf,
  readAddressList,
  readPassphrase,
  replicaFolder,
  toleranceOf,
} from '../../../keys/index.ts'
import { type Command, type Context, type Input, type Outcome, UsageError } from '../command.ts'
import { parametersOf } from '../parameters.ts'
import { table } from '../table.ts'
import { toleranceText } from './genesis-show.ts'

const DEFAULT_FOLDER = './quorate-cluster'
const DEFAULT_NAME = 'cluster'
const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_BASE_PORT = 7400
/** Shorter computations show no progress. */
const PROGRESS_AFTER_MS = 500

export const keygen: Command = {
  name: 'keygen',
  describe: 'Make the keys of a new cluster, and the genesis file that lists them',
  arguments: [{ name: 'DIR', describe: 'the new folder', default: DEFAULT_FOLDER }],
  options: [
    { flags: '--replicas <n>', describe: 'how many replicas', required: true },
    { flags: '--byzantine <b>', describe: 'how many of them may lie; 0 is crash mode (default: as many as n allows)' },
    { flags: '--crash <c>', describe: 'how many more may stop (default: as many as are left)' },
    { flags: '--clients <k>', describe: 'how many clients: admin, writer-1, writer-2... (default: 1)' },
    {
      flags: '--admins <m-of-k>',
      describe: 'how many admins must agree on changes of the members, and how many there are (default: 1-of-1)',
    },
    { flags: '--operators', describe: 'a client operator-I for each replica, which may replace it and its keys' },
    { flags: '--name <cluster>', describe: `name of the cluster, a DNS label (default: ${DEFAULT_NAME})` },
    { flags: '--host <host>', describe: `address of all replicas (default: ${DEFAULT_HOST})` },
    {
      flags: '--base-port <port>',
      describe: `port of replica 0, one more for each next (default: ${DEFAULT_BASE_PORT})`,
    },
    { flags: '--addresses <file>', describe: 'instead: a file with one line of multiaddrs a replica' },
    { flags: '--set <name=value>', describe: 'a protocol parameter, such as window=64', repeatable: true },
    { flags: '--passphrase-file <file>', describe: 'encrypt the secret keys (or set QUORATE_PASSPHRASE)' },
  ],
  examples: [
    ['quorate keygen --replicas 4', 'four replicas on this machine, of which one may lie'],
    ['quorate keygen ./prod --replicas 3 --byzantine 0 --addresses hosts.txt --name prod', 'three that do not lie'],
    ['quorate keygen --replicas 4 --admins 2-of-3 --operators', 'two of three admins must agree on who is a member'],
    ['quorate keygen --replicas 4 --set rotation=every:256 --set window=64', 'other protocol parameters'],
  ],
  async run(input, context) {
    const directory = input.argument('DIR')
    const plan = await planOf(input, context)
    const genesis = await generateKeyset(directory, plan, {
      signal: context.signal,
      onProgress: progressOf(context),
    }).catch((error) => {
      // What is wrong with this genesis was on the command line.
      throw error instanceof KeysError && error.code === 'invalid-genesis' ? new UsageError(error.message) : error
    })
    return outcomeOf(directory, genesis, plan.passphrase !== undefined)
  },
}

async function planOf(input: Input, { environment }: Context): Promise<KeysetPlan> {
  const replicas = input.integer('replicas', 1, MAX_REPLICAS) ?? 1
  const byzantine = input.integer('byzantine', 0, MAX_REPLICAS)
  const crash = input.integer('crash', 0, MAX_REPLICAS)
  const quorum = toleranceOf(replicas, {
    ...(byzantine !== undefined && { byzantine }),
    ...(crash !== undefined && { crash }),
  })
  const unfit = quorumFault({ replicas, ...quorum })
  if (unfit !== undefined) throw new UsageError(unfit)
  const [threshold, admins] = adminsOf(input.text('admins')) ?? [undefined, 1]
  const operators = input.flag('operators') ? Array.from({ length: replicas }, (_, i) => operatorOf(i)) : undefined
  return {
    name: input.text('name') ?? DEFAULT_NAME,
    quorum,
    addresses: await addressesOf(input, replicas),
    clients: [...defaultClients(input.integer('clients', 1, MAX_CLIENTS) ?? 1, admins), ...(operators ?? [])],
    threshold,
    operators: operators?.map(({ name }) => name),
    parameters: parametersOf(input.texts('set')),
    passphrase: await readPassphrase({ file: input.text('passphrase-file'), environment }),
  }
}

/** How many admins must agree, and how many there are. */
function adminsOf(text: string | undefined): readonly [number, number] | undefined {
  if (text === undefined) return undefined
  const [, least = '', all = ''] = /^([1-9][0-9]{0,3})-of-([1-9][0-9]{0,3})$/.exec(text) ?? []
  if (least === '' || Number(least) > Number(all)) {
    throw new UsageError(`--admins must be M-of-K with M at most K, such as 2-of-3, not ${JSON.stringify(text)}`)
  }
  return [Number(least), Number(all)]
}

async function addressesOf(input: Input, replicas: number): Promise<string[][]> {
  const file = input.text('addresses')
  const host = input.text('host')
  const basePort = input.integer('base-port', 1, 65_536 - replicas)
  if (file !== undefined) {
    if (host !== undefined || basePort !== undefined) {
      throw new UsageError('--addresses has hosts and ports in it; leave --host and --base-port out')
    }
    return readAddressList(file, replicas)
  }
  const addresses = Array.from({ length: replicas }, (_, i) =>
    addressOf(host ?? DEFAULT_HOST, (basePort ?? DEFAULT_BASE_PORT) + i),
  )
  const fault = addressFault(addresses[0] ?? '')
  if (fault !== undefined) throw new UsageError(`--host ${JSON.stringify(host)}: ${fault}`)
  return addresses.map((address) => [address])
}

function progressOf({ progress }: Context): (done: number, total: number) => void {
  const start = performance.now()
  return (done, total) => {
    if (performance.now() - start < PROGRESS_AFTER_MS) return
    progress(done < total ? `making keys: ${done} of ${total}` : 'checking and writing')
  }
}

function outcomeOf(directory: string, genesis: Genesis, encrypted: boolean): Outcome {
  const { replicas, byzantine, crash, quorum, trust } = genesis.membership.quorums
  const file = join(directory, GENESIS_FILE)
  const members = genesis.members.map(({ peerId, addresses }, index) => ({
    index,
    folder: replicaFolder(directory, index),
    peerId,
    addresses,
  }))
  const clients = genesis.clients.map(({ name, role }) => ({ name, role, folder: clientFolder(directory, name) }))
  const { label, origin } = genesis
  const clusterId = hex(genesis.clusterId)
  return {
    status: 'done',
    value: {
      directory,
      genesis: file,
      label,
      clusterId,
      origin,
      ...{ n: replicas, b: byzantine, c: crash, q: quorum, t: trust },
      encrypted,
      replicas: members,
      clients,
    },
    text: [
      `Cluster ${label} (id ${clusterId})`,
      `${toleranceText(genesis)}; ${quorum} decide.`,
      '',
      table([
        [file, 'public: give it to every replica, client and auditor'],
        ...members.map(({ folder, addresses }, i) => [
          `${folder}/`,
          `secret: for replica ${i} alone, at ${addresses.join(' ')}`,
        ]),
        ...clients.map(({ folder, name, role }) => [`${folder}/`, `secret: for client ${name} alone (role ${role})`]),
      ]),
      '',
      encrypted
        ? 'The secret keys are encrypted; without the passphrase nobody can use or restore them.'
        : 'The secret keys are not encrypted: whoever reads these files can act as their owner.',
    ].join('\n'),
  }
}

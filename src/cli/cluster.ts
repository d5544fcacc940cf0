// The cluster that a command talks to: the keyset's genesis, a client's key from it, and a client that numbers its requests from a
// file which all invocations with this key share, so that any number of them may run at once.

import { constants, existsSync } from 'node:fs'
import { access, lstat, mkdir } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { hex } from '../../crypto/index.ts'
import {
  CLIENT_KEY_FILE,
  type ClientKey,
  clientFolder,
  GENESIS_FILE,
  type Genesis,
  loadClientKey,
  loadGenesis,
  readPassphrase,
} from '../../keys/index.ts'
import type { CallOptions, Client, ClientError } from '../client/index.ts'
import { type Context, type Input, type OptionSpec, UsageError } from './command.ts'
import { clusterFolder } from './folder.ts'

/** In a client's folder, beside its key: the highest sequence number that was reserved. */
export const SEQUENCE_FILE = 'sequence'
/** Beside the genesis: what clients that use this keyset know of the members that came after it. */
export const CLUSTER_FILE = 'cluster.json'
const DEFAULT_TIMEOUT_S = 30
const MOST_TIMEOUT_S = 86_400

export const CLUSTER_OPTIONS: readonly OptionSpec[] = Object.freeze([
  { flags: '--cluster <dir>', describe: 'the keyset (default: QUORATE_CLUSTER or ./quorate-cluster)' },
  { flags: '--client <name>', describe: 'whose key asks (default: the first client whose key is in the keyset)' },
  { flags: '--passphrase-file <file>', describe: 'of the client key (or set QUORATE_PASSPHRASE)' },
  { flags: '--timeout <seconds>', describe: `until the outcome counts as unknown (default: ${DEFAULT_TIMEOUT_S})` },
])

export interface ClusterAccess {
  /** Folder of the keyset. */
  readonly cluster: string
  readonly genesis: Genesis
  readonly key: ClientKey
  /** Where the key lies. */
  readonly folder: string
}

/** The genesis and the client's key that the options of {@link CLUSTER_OPTIONS} name. @throws {UsageError} @throws {KeysError} */
export async function openCluster(input: Input, context: Context): Promise<ClusterAccess> {
  const cluster = clusterFolder(input.text('cluster'), context)
  if (!existsSync(join(cluster, GENESIS_FILE))) {
    throw new UsageError(
      `there is no keyset in ${cluster}; name one with --cluster, or make one: quorate keygen ${cluster} --replicas 4`,
    )
  }
  const genesis = await loadGenesis(join(cluster, GENESIS_FILE))
  const here = ({ name }: { name: string }) => existsSync(join(clientFolder(cluster, name), CLIENT_KEY_FILE))
  const name = input.text('client') ?? genesis.clients.find(here)?.name
  if (name === undefined)
    throw new UsageError(`${cluster} holds no client's key; it should be in ${cluster}/client-NAME`)
  const { clients } = genesis
  const folder = clientFolder(cluster, name)
  if (!clients.some((client) => client.name === name) && !here({ name })) {
    const known = clients.map((client) => client.name).join(', ')
    throw new UsageError(`${genesis.label} has no client ${name}, and no key is in ${folder}; it began with ${known}`)
  }
  const passphrase = await readPassphrase({
    file: input.text('passphrase-file'),
    environment: context.environment,
  })
  return { cluster, genesis, key: await loadClientKey(folder, genesis, { name, passphrase }), folder }
}

/** Deadline and signal of one call. */
export function callOptions(
  input: Input,
  { signal }: Context,
  defaultSeconds = DEFAULT_TIMEOUT_S,
): Required<CallOptions> {
  return { signal, timeoutMs: 1000 * (input.integer('timeout', 1, MOST_TIMEOUT_S) ?? defaultSeconds) }
}

/** Connects, and closes the client whatever comes of `use`. */
export async function withClient<Value>(
  access: ClusterAccess,
  context: Context,
  use: (client: Client) => Promise<Value>,
): Promise<Value> {
  // libp2p takes a third of a second to load, which other commands should not wait for.
  const { connect } = await import('../client/index.ts')
  const stateFile = await stateFileOf(access.folder, access.key)
  const numbers = stateFile === undefined ? {} : { stateFile, shareStateFile: true }
  const client = await connect({ ...memberOptions(access, context), ...numbers })
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

/**
 * The same for commands that ask for nothing that is numbered, and may run for long: they take none of the places of those that do.
 */
export async function withReader<Value>(
  access: ClusterAccess,
  context: Context,
  use: (client: Client) => Promise<Value>,
): Promise<Value> {
  const { connect } = await import('../client/index.ts')
  const client = await connect(memberOptions(access, context))
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

/** Who asks whom; two chains of epochs are told to the user, and a folder that cannot be written is not. */
export function memberOptions({ cluster, genesis, key }: Omit<ClusterAccess, 'folder'>, { signal, stage }: Context) {
  const onDoubt = (doubt: ClientError) => {
    if (doubt.code === 'ambiguous') stage.warn(`quorate: ${doubt.message}`)
  }
  return { genesis, key: key.signer, seed: key.seed, signal, clusterFile: join(cluster, CLUSTER_FILE), onDoubt }
}

/**
 * Beside the key, or, where that folder cannot be written, among this user's temporary files: whoever loses those goes on from the
 * clock. Undefined where neither will do; then invocations that overlap by more than a thousandth of a second may be told that
 * their requests came too late.
 */
async function stateFileOf(folder: string, { signer }: ClientKey): Promise<string | undefined> {
  if (await isWritable(folder)) return join(folder, SEQUENCE_FILE)
  const temporary = join(tmpdir(), `quorate-${userInfo().uid}`)
  try {
    await mkdir(temporary, { mode: 0o700 }).catch(() => {})
    const facts = await lstat(temporary)
    const ours = facts.isDirectory() && facts.uid === userInfo().uid && (facts.mode & 0o077) === 0
    // Somebody else's folder of that name could hold any number.
    return ours || process.platform === 'win32' ? join(temporary, hex(signer.publicKey).slice(0, 32)) : undefined
  } catch {
    return undefined
  }
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

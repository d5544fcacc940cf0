// What one replica runs with: its flags, then its config file, then the defaults.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { publicKey, replicaIndex } from '../../../crypto/index.ts'
import {
  CONSENSUS_KEY_FILE,
  GENESIS_FILE,
  type Genesis,
  isErased,
  loadGenesis,
  loadJoinedKeys,
  loadReplicaKeys,
  type ReplicaKeys,
  readPassphrase,
  replicaFolder,
  TRANSPORT_KEY_FILE,
} from '../../../keys/index.ts'
import { BehaviourError, type ParsedBehaviour, parseBehaviour } from '../../byzantine/index.ts'
import { ownerOf, StoreError } from '../../storage/index.ts'
import { type Context, type Input, UsageError } from '../command.ts'
import { clusterFolder } from '../folder.ts'
import { DURABILITIES, listenFault, type ReplicaConfig, readConfig } from './config.ts'
import { hasStarted, keptNothing, keptNothingText } from './started.ts'

/** Read where no `--config` is given and it exists. */
export const CONFIG_FILE = 'config.yaml'
export const DATA_FOLDER = 'data'
/** The highest number of a replica's folder: those that join after the genesis have numbers above its members'. */
export const MOST_INDEX = 9_999

export interface Settings {
  readonly cluster: string
  readonly genesis: Genesis
  /** The replica's folder in the keyset: keys, config, and what it has started. */
  readonly folder: string
  readonly keys: ReplicaKeys
  readonly data: string
  readonly durability: NonNullable<ReplicaConfig['durability']>
  readonly retention: { readonly slots?: number; readonly bytes?: number }
  readonly liar: { readonly text: string; readonly behaviour: ParsedBehaviour } | undefined
  readonly listen: readonly string[] | undefined
  readonly dial: Readonly<Record<number, string>>
  readonly metricsPort: number | undefined
  readonly log: NonNullable<ReplicaConfig['log']>
}

/** @throws {UsageError} {@link KeysError} {@link StoreError} with one sentence for whatever is wrong. */
export async function settingsOf(input: Input, context: Context): Promise<Settings> {
  const cluster = clusterFolder(input.optionalArgument('DIR'), context)
  const genesis = await loadGenesis(join(cluster, GENESIS_FILE))
  const index = input.integer('index', 0, MOST_INDEX) ?? 0
  const folder = replicaFolder(cluster, index)
  const passphrase = await readPassphrase({ file: input.text('passphrase-file'), environment: context.environment })
  if (await keptNothing(folder)) {
    throw new StoreError('missing', keptNothingText({ cluster, genesis, keys: { index: replicaIndex(index) } }))
  }
  const config = await configFor(input, folder)
  const data = resolve(input.text('data') ?? config.data ?? join(folder, DATA_FOLDER))
  const keys = await keysOf({ folder, genesis, index, passphrase, data })
  const durability = durabilityOf(input.text('durability')) ?? config.durability ?? 'fsync'
  if (durability === 'memory' && index >= genesis.members.length) {
    throw new UsageError(
      `replica ${index} joined with a store, which durability memory would not read: use fsync or os`,
    )
  }
  const liar = input.text('liar') ?? config.liar
  return {
    cluster,
    genesis,
    folder,
    keys,
    data,
    durability,
    retention: retentionOf(config.retention),
    liar: liar === undefined || liar === '' ? undefined : { text: liar, behaviour: behaviourOf(liar) },
    listen: listenOf(input.texts('listen')) ?? config.listen,
    dial: dialOf(config.peers ?? {}, genesis, index),
    metricsPort: input.integer('metrics-port', 0, 65_535) ?? config.metricsPort,
    log: config.log ?? {},
  }
}

interface KeysPlace extends Pick<Settings, 'folder' | 'genesis' | 'data'> {
  readonly index: number
  readonly passphrase: string | undefined
}

async function keysOf({ folder, genesis, index, passphrase, data }: KeysPlace): Promise<ReplicaKeys> {
  const { length } = genesis.members
  // A replica that was removed has erased its key, and says so when it is started again: its store knows.
  const isGone = await isErased(join(folder, CONSENSUS_KEY_FILE))
  const owner = isGone ? await ownerOf(data) : undefined
  const erased = owner && publicKey(owner.consensusKey)
  if (index < length) {
    const started = await hasStarted(folder)
    return await loadReplicaKeys(folder, genesis, { index: replicaIndex(index), passphrase, started, erased })
  }
  if (existsSync(join(folder, TRANSPORT_KEY_FILE)))
    return await loadJoinedKeys(folder, genesis, { index, passphrase, erased })
  throw new UsageError(
    `--index must be a whole number from 0 to ${length - 1}, or that of a replica that joined; ${index} is neither: ` +
      'quorate member join makes one',
  )
}

/** The behaviour that `text` names. @throws {UsageError} where there is none; the sentence lists them. */
export function behaviourOf(text: string): ParsedBehaviour {
  try {
    return parseBehaviour(text)
  } catch (error) {
    throw error instanceof BehaviourError ? new UsageError(error.message) : error
  }
}

/** @throws {UsageError} for what is no durability. */
export function durabilityOf(text: string | undefined): Settings['durability'] | undefined {
  if (text === undefined) return undefined
  const found = DURABILITIES.find((each) => each === text)
  if (found === undefined) {
    throw new UsageError(`--durability must be ${DURABILITIES.join(', ')}, not ${JSON.stringify(text)}`)
  }
  return found
}

async function configFor(input: Input, folder: string): Promise<ReplicaConfig> {
  const given = input.text('config')
  if (given !== undefined) return readConfig(given)
  const usual = join(folder, CONFIG_FILE)
  return existsSync(usual) ? readConfig(usual) : {}
}

function retentionOf({ slots, bytes }: NonNullable<ReplicaConfig['retention']> = {}): Settings['retention'] {
  return { ...(slots !== undefined && { slots }), ...(bytes !== undefined && { bytes }) }
}

function listenOf(addresses: readonly string[]): readonly string[] | undefined {
  for (const address of addresses) {
    const fault = listenFault(address)
    if (fault !== undefined) throw new UsageError(`--listen: ${fault}`)
  }
  return addresses.length > 0 ? addresses : undefined
}

function dialOf(peers: Readonly<Record<string, string>>, { members }: Genesis, own: number): Record<number, string> {
  return Object.fromEntries(
    Object.entries(peers).map(([text, address]) => {
      const index = Number(text)
      if (index >= members.length) throw new UsageError(`peers.${text}: no such member, n is ${members.length}`)
      if (index === own) throw new UsageError(`peers.${text}: is this replica itself`)
      return [index, address]
    }),
  )
}

// Where an export reads from: the running cluster through a client, or the data folders of stopped replicas.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { replicaIndex } from '../../../crypto/index.ts'
import {
  CLIENT_KEY_FILE,
  type ClientKey,
  clientFolder,
  type Genesis,
  loadClientKey,
  readPassphrase,
} from '../../../keys/index.ts'
import type { Pin } from '../../consensus/index.ts'
import type { Archive } from '../../wire/index.ts'
import { type ClusterAccess, memberOptions } from '../cluster.ts'
import { type Context, type Input, UsageError } from '../command.ts'
import { archiveIn } from './files.ts'

export interface ArchiveSource {
  readonly archives: readonly Archive[]
  close(): Promise<void>
}

/** The data folders of `--data`, or else every replica of the cluster. Close it. */
export async function archiveSource(
  input: Input,
  cluster: string,
  genesis: Genesis,
  pin: Pin | undefined,
  context: Context,
): Promise<ArchiveSource> {
  const folders = input.texts('data')
  return folders.length > 0
    ? await stopped(folders, genesis)
    : await running({ cluster, genesis, key: await clientKey(input, cluster, genesis, context) }, pin, context)
}

async function stopped(folders: readonly string[], genesis: Genesis): Promise<ArchiveSource> {
  const archives: Archive[] = []
  const close = async () => {
    for (const archive of archives) await archive.close()
  }
  try {
    for (const folder of folders) archives.push(await archiveIn(folder, genesis))
  } catch (error) {
    await close()
    throw error
  }
  return { archives, close }
}

async function running(
  access: Omit<ClusterAccess, 'folder'>,
  pin: Pin | undefined,
  context: Context,
): Promise<ArchiveSource> {
  // libp2p takes a third of a second to load, which other commands should not wait for.
  const { connect } = await import('../../client/index.ts')
  const { signal } = context
  const client = await connect({ ...memberOptions(access, context), ...(pin !== undefined && { pin }) })
  try {
    const { last } = await client.follow({ signal })
    return {
      archives: last.charter.members.map((_, index) => client.archive(replicaIndex(index))),
      close: () => client.close(),
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** The key of `--client`, or of the first client of the genesis whose key lies in the keyset. */
async function clientKey(
  input: Input,
  cluster: string,
  genesis: Genesis,
  { environment }: Context,
): Promise<ClientKey> {
  const given = input.text('client')
  const here = ({ name }: { name: string }) => existsSync(join(clientFolder(cluster, name), CLIENT_KEY_FILE))
  const name = given ?? genesis.clients.find(here)?.name
  if (name === undefined) {
    throw new UsageError(`${cluster} holds no client's key: name a keyset with --cluster, or a data folder with --data`)
  }
  const passphrase = await readPassphrase({ file: input.text('passphrase-file'), environment })
  return await loadClientKey(clientFolder(cluster, name), genesis, { name, passphrase })
}

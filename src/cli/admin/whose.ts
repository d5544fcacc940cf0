// Which client a command is about.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fromHex, type PublicKey, publicKey } from '../../../crypto/index.ts'
import { CLIENT_KEY_FILE, clientFolder, loadClientKey, readPassphrase } from '../../../keys/index.ts'
import { type ClusterAccess, openCluster } from '../cluster.ts'
import { type Context, type Input, UsageError } from '../command.ts'

const KEY_DIGITS = 64

/** The key of the client that is named: in 64 hexadecimal digits, by the genesis, or by its folder in the keyset. */
export async function clientKeyOf(given: string, input: Input, context: Context): Promise<PublicKey> {
  const bytes = given.length === KEY_DIGITS ? fromHex(given) : undefined
  if (bytes !== undefined) return publicKey(bytes)
  const { cluster, genesis }: ClusterAccess = await openCluster(input, context)
  const listed = genesis.clients.find(({ name }) => name === given)
  if (listed !== undefined) return listed.key
  const folder = clientFolder(cluster, given)
  if (!existsSync(join(folder, CLIENT_KEY_FILE))) {
    throw new UsageError(
      `NAME ${given} is no client of the genesis, and no key is in ${folder}; give the public key in 64 hexadecimal digits`,
    )
  }
  const passphrase = await readPassphrase({ file: input.text('passphrase-file'), environment: context.environment })
  const { signer } = await loadClientKey(folder, genesis, { name: given, passphrase })
  return signer.publicKey
}

const ROLES = ['reader', 'writer', 'admin'] as const

/** @throws {UsageError} unless it is a role. */
export function roleNamed(what: string, given: string): (typeof ROLES)[number] {
  const role = ROLES.find((each) => each === given)
  if (role !== undefined) return role
  throw new UsageError(`${what} must be one of ${ROLES.join(', ')}, not "${given}"`)
}

// What a user trusts beside the genesis: a pin, which is a file that holds one line, or the chain that clients followed with this keyset.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hex, publicKey } from '../../../crypto/index.ts'
import type { Genesis } from '../../../keys/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import { auditContext, type EpochTrust } from '../../audit/verify/index.ts'
import { followChain, type Pin, parsePin } from '../../consensus/index.ts'
import { parseCluster } from '../../wire/index.ts'
import { CLUSTER_FILE } from '../cluster.ts'
import { type Input, type OptionSpec, UsageError } from '../command.ts'

export const PIN_OPTION: OptionSpec = {
  flags: '--pin <file>',
  describe: 'a hand-over of the cluster that you trust, without which a log of several epochs is ambiguous',
}

/** @throws {UsageError} where the file cannot be read or holds no pin. */
export async function wantedPin(input: Input): Promise<Pin | undefined> {
  const file = input.text('pin')
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`--pin: ${file} cannot be read: ${error.message}`)
  })
  const pin = parsePin(text.replace(/\n$/, ''))
  if (pin === undefined) {
    throw new UsageError(`--pin: ${file} holds no pin, which is one line: quorate-pin-1 CLUSTER EPOCH DIGEST`)
  }
  return pin
}

/**
 * The pin of the user, or else what clients have followed that use the keyset of this genesis file.
 * @throws {UsageError} where either cannot be used.
 */
export async function wantedTrust(input: Input, genesisFile: string, genesis: Genesis): Promise<EpochTrust> {
  const pin = await wantedPin(input)
  if (pin !== undefined) return { pin }
  const file = join(dirname(genesisFile), CLUSTER_FILE)
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return {}
  const { chain } = auditContext(genesis, nativeVerifier)
  const known = parseCluster(text, (key) => chain.last.verify.admit(publicKey(key)))
  // One of another cluster lies there by chance: the genesis decides.
  if (known?.cluster !== hex(genesis.clusterId)) return {}
  const followed = followChain(chain, known.links, known.pin)
  if (followed.ok) return { chain: followed.value }
  throw new UsageError(`${file} holds no chain of this cluster (${followed.fault.code}): remove it, or give a --pin`)
}

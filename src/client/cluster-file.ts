// What a client remembers of a cluster beside its genesis: the chain of epochs that it followed, by which it is pinned from then on, and
// where the members are reached. One file, which all clients of one machine may share; its text is that of src/wire/cluster-file.ts.
// Whoever can write it can name the members, as with the genesis itself. It never goes back: what is there already and is longer stays.

import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hex, type MemberId, publicKey } from '../../crypto/index.ts'
import { type EpochChain, followChain, formatPin, type Pin } from '../consensus/index.ts'
import { formatCluster, parseCluster } from '../wire/index.ts'
import { ClientError } from './errors.ts'
import { CLUSTER_FILE_BYTES } from './limits.ts'
import { isSystemError, syncFolder } from './state-file.ts'

export interface KnownCluster {
  readonly chain: EpochChain
  readonly addresses: ReadonlyMap<MemberId, readonly string[]>
}

/**
 * What the file at `path` says, verified from `genesis` on; undefined where there is no file. `pin` is one that the caller has.
 * @throws {ClientError} `cluster-file` where it cannot be read, is none of this cluster, or does not go through the pin.
 */
export async function readCluster(path: string, genesis: EpochChain, pin?: Pin): Promise<KnownCluster | undefined> {
  const text = await textOf(path)
  if (text === undefined) return undefined
  const { clusterId } = genesis.last.membership
  const { admit } = genesis.last.verify
  const stored = parseCluster(text, (key) => admit(publicKey(key)))
  if (stored === undefined)
    throw unusable(path, 'it is no cluster file, or was damaged; remove it, and the members are looked for again')
  if (stored.cluster !== hex(clusterId))
    throw unusable(path, 'it is of another cluster; remove it, or name its genesis')
  const followed = followChain(genesis, stored.links, stored.pin)
  if (!followed.ok)
    throw unusable(
      path,
      `its hand-overs do not hold (${followed.fault.code}); remove it, and the members are looked for again`,
    )
  const chain = followed.value
  if (pin !== undefined && chain.links.length >= pin.epoch) {
    const through = followChain(genesis, stored.links, pin)
    if (!through.ok)
      throw unusable(
        path,
        `its hand-overs are not those of the pin (${through.fault.code}): one of the two is of a fork`,
      )
  }
  return { chain, addresses: stored.addresses }
}

/**
 * Keeps what is known now, unless what is there goes further. @throws {ClientError} `cluster-file` where it cannot be written;
 * `ambiguous` where another client followed another chain.
 */
export async function writeCluster(
  path: string,
  genesis: EpochChain,
  { chain, addresses }: KnownCluster,
): Promise<void> {
  const there = await readCluster(path, genesis).catch(() => undefined)
  if (there !== undefined) {
    const [longer, shorter] =
      there.chain.links.length > chain.links.length ? [there.chain, chain] : [chain, there.chain]
    if (formOf(longer.upTo(shorter.links.length)) !== formOf(shorter)) {
      throw new ClientError(
        'ambiguous',
        `${path} names another hand-over to epoch ${shorter.links.length} than the replicas show`,
      )
    }
    if (there.chain.links.length > chain.links.length) return
  }
  await writeWhole(path, formatCluster(chain, addresses))
}

function formOf({ pin }: EpochChain): string {
  return pin === undefined ? '' : formatPin(pin)
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length > CLUSTER_FILE_BYTES) throw unusable(path, `it has more than ${CLUSTER_FILE_BYTES} bytes`)
    return text
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'ENOENT') return undefined
    throw unusable(path, `the system answered ${error.code}`, error)
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${crypto.randomUUID()}`
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw unusable(path, `the system answered ${error.code}`, error)
  }
}

function unusable(path: string, why: string, cause?: unknown): ClientError {
  return new ClientError('cluster-file', `${path} cannot be used: ${why}`, { cause })
}

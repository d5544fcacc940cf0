// Makes a keyset: all keys, and the genesis that lists them. It is written into a temporary folder beside the target,
// synced, and moved there with one rename, so a crash leaves no half-made keyset where somebody looks for one.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Signer, utf8 } from '../crypto/index.ts'
import { fileError, invalidGenesis, KeysError } from './errors.ts'
import { readSecretFile, SECRET_FILE_MODE, SECRET_FOLDER_MODE, syncFolder, writeNewFile } from './files.ts'
import { assembleGenesis, type Genesis, genesisText, type Parameters, type Role, readGenesis } from './genesis/index.ts'
import {
  CLIENT_KEY_FILE,
  CONSENSUS_KEY_FILE,
  clientFolder,
  GENESIS_FILE,
  NEXT_CONSENSUS_KEY_FILE,
  replicaFolder,
  TRANSPORT_KEY_FILE,
} from './layout.ts'
import { nativeSigner, nativeVerifier } from './native/index.ts'
import { secretKeyOfPem, secretKeyPem } from './pem.ts'

export interface KeysetPlan {
  readonly name: string
  readonly quorum: { readonly byzantine: number; readonly crash: number }
  /** Of each replica, in order; their number is n. */
  readonly addresses: readonly (readonly string[])[]
  readonly clients: readonly { readonly name: string; readonly role: Role }[]
  readonly parameters: Parameters
  /** How many admins must agree on a change of the members; one unless told. */
  readonly threshold?: number | undefined
  /** The client that operates each replica, by its name, in order; nobody does unless told. */
  readonly operators?: readonly string[] | undefined
  /** Encrypts every secret key file. */
  readonly passphrase?: string | undefined
}

export interface GenerateOptions {
  /** Called after each replica and each client. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

interface NewKey {
  readonly secret: KeyObject
  readonly signer: Signer
}

/** One secret file: its folder below the keyset, its name and its text. */
interface SecretFile {
  readonly folder: string
  readonly file: string
  readonly key: NewKey
}

/**
 * Writes a new keyset to `directory` and returns its genesis, read back. A failure leaves nothing behind.
 * @throws {KeysError} where something is there already, the plan makes no good genesis, or the system refuses.
 */
export async function generateKeyset(
  directory: string,
  plan: KeysetPlan,
  options: GenerateOptions = {},
): Promise<Genesis> {
  const target = resolve(directory)
  await refuseExisting(target, directory)
  const { text, genesis, secrets } = await makeKeys(plan, options)
  const temporary = await mkdtemp(join(dirname(target), `.${basename(target)}.tmp-`)).catch((error) => {
    throw fileError(dirname(target), error)
  })
  try {
    for (const folder of new Set(secrets.map((secret) => secret.folder))) {
      await mkdir(join(temporary, folder), { mode: SECRET_FOLDER_MODE })
    }
    for (const { folder, file, key } of secrets) {
      options.signal?.throwIfAborted()
      await writeNewFile(join(temporary, folder, file), secretKeyPem(key.secret, plan.passphrase), SECRET_FILE_MODE)
    }
    for (const folder of new Set(secrets.map((secret) => secret.folder))) await syncFolder(join(temporary, folder))
    await writeNewFile(join(temporary, GENESIS_FILE), text, 0o644)
    await chmod(temporary, 0o755)
    await syncFolder(temporary)
    options.signal?.throwIfAborted()
    await refuseExisting(target, directory)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error instanceof KeysError ? error : fileError(directory, error)
  }
  await syncFolder(dirname(target)).catch((error) => {
    throw fileError(dirname(target), error)
  })
  return genesis
}

/**
 * Makes the key of one more client, in its folder below the keyset; the signer, to prove possession with. It becomes a client once the
 * cluster has agreed on it.
 * @throws {KeysError} where the folder is there already, or the system refuses.
 */
export async function generateClientKey(
  cluster: string,
  name: string,
  { passphrase }: { readonly passphrase?: string | undefined } = {},
): Promise<Signer> {
  const folder = clientFolder(cluster, name)
  await refuseExisting(folder, folder)
  const { secret, signer } = newKey()
  try {
    await mkdir(folder, { mode: SECRET_FOLDER_MODE })
    await writeNewFile(join(folder, CLIENT_KEY_FILE), secretKeyPem(secret, passphrase), SECRET_FILE_MODE)
    await syncFolder(folder)
    await syncFolder(cluster)
  } catch (error) {
    throw error instanceof KeysError ? error : fileError(folder, error)
  }
  return signer
}

/** The keys of one more replica, in a new folder. Nobody knows them until they are told. */
export async function generateReplicaKeys(
  folder: string,
  { passphrase }: { readonly passphrase?: string | undefined } = {},
): Promise<{ readonly consensus: Signer; readonly transport: Signer }> {
  await refuseExisting(folder, folder)
  const [consensus, transport] = [newKey(), newKey()]
  try {
    await mkdir(folder, { mode: SECRET_FOLDER_MODE })
    await writeNewFile(join(folder, CONSENSUS_KEY_FILE), secretKeyPem(consensus.secret, passphrase), SECRET_FILE_MODE)
    await writeNewFile(join(folder, TRANSPORT_KEY_FILE), secretKeyPem(transport.secret, passphrase), SECRET_FILE_MODE)
    await syncFolder(folder)
    await syncFolder(dirname(resolve(folder)))
  } catch (error) {
    throw error instanceof KeysError ? error : fileError(folder, error)
  }
  return { consensus: consensus.signer, transport: transport.signer }
}

/**
 * The key that the replica of `folder` is to have from the next epoch on: made where there is none yet, or the one of an earlier try.
 * @throws {KeysError} where the folder cannot be written, or what is there is no key.
 */
export async function nextConsensusKey(
  folder: string,
  { passphrase }: { readonly passphrase?: string | undefined } = {},
): Promise<Signer> {
  const path = join(folder, NEXT_CONSENSUS_KEY_FILE)
  if (await exists(path, path)) return nativeSigner(secretKeyOfPem(await readSecretFile(path), path, passphrase))
  const { secret, signer } = newKey()
  // Whole or not at all: half a key would stop the replica.
  const temporary = `${path}.tmp`
  try {
    await rm(temporary, { force: true })
    await writeNewFile(temporary, secretKeyPem(secret, passphrase), SECRET_FILE_MODE)
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (error) {
    throw error instanceof KeysError ? error : fileError(path, error)
  }
  return signer
}

async function makeKeys(plan: KeysetPlan, { onProgress, signal }: GenerateOptions) {
  const total = plan.addresses.length + plan.clients.length
  let done = 0
  const step = async () => {
    done += 1
    onProgress?.(done, total)
    // Each key takes milliseconds of computing; between them the process hears of Ctrl-C.
    await new Promise((resume) => setImmediate(resume))
    signal?.throwIfAborted()
  }
  const secrets: SecretFile[] = []
  const add = (folder: string, file: string): Signer => {
    const key = newKey()
    secrets.push({ folder, file, key })
    return key.signer
  }
  const members = []
  for (const [index, addresses] of plan.addresses.entries()) {
    const folder = replicaFolder('', index)
    const operator = plan.operators?.[index]
    members.push({
      ...{ consensus: add(folder, CONSENSUS_KEY_FILE), transport: add(folder, TRANSPORT_KEY_FILE), addresses },
      ...(operator !== undefined && { operator }),
    })
    await step()
  }
  const clients = []
  for (const { name, role } of plan.clients) {
    clients.push({ name, role, key: add(clientFolder('', name), CLIENT_KEY_FILE) })
    await step()
  }
  const { name, quorum, parameters, threshold } = plan
  const admins = threshold === undefined ? {} : { admins: { threshold } }
  const text = genesisText(assembleGenesis({ name, quorum, members, clients, parameters, ...admins }))
  // Read back like any other genesis: what keygen writes is what a replica takes, and a bad plan is refused by the same
  // sentences as a bad file.
  const result = readGenesis(utf8(text), nativeVerifier)
  if (!result.ok) throw invalidGenesis('this genesis', result.fault)
  return { text, genesis: result.value, secrets }
}

function newKey(): NewKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { secret: privateKey, signer: nativeSigner(privateKey) }
}

async function refuseExisting(target: string, shown: string): Promise<void> {
  if (await exists(target, shown)) {
    throw new KeysError('exists', `${shown} exists and is not overwritten; name another folder, or move this one away`)
  }
}

async function exists(target: string, shown: string): Promise<boolean> {
  const found = await lstat(target).catch((error) => {
    const known = fileError(shown, error)
    if (known.code === 'not-found') return undefined
    throw known
  })
  return found !== undefined
}

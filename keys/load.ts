// Loads a keyset. Everything is checked on every load: the genesis as a whole, that nobody else can read a secret, and
// that each secret is the one that the genesis lists for this place.

import { join } from 'node:path'
import {
  type AdmittedKey,
  equalBytes,
  type PublicKey,
  type ReplicaIndex,
  replicaIndex,
  type Signer,
} from '../crypto/index.ts'
import { type ConsensusFiles, consensusFiles, erasedSigner, isErased } from './consensus-files.ts'
import { invalidGenesis, KeysError } from './errors.ts'
import { readPublicFile, readSecretFile } from './files.ts'
import { type Genesis, MAX_GENESIS_BYTES, type Role, readGenesis } from './genesis/index.ts'
import { CLIENT_KEY_FILE, CONSENSUS_KEY_FILE, TRANSPORT_KEY_FILE } from './layout.ts'
import { nativeSigner, nativeVerifier } from './native/index.ts'
import { secretKeyOfPem, seedOf } from './pem.ts'

export interface ReplicaKeys {
  readonly index: ReplicaIndex
  readonly consensus: Signer
  /** The secret half of `consensus` is gone, and it signs nothing: that of a member that was removed. */
  readonly isErased?: boolean
  /** Made for the next epoch, when it was loaded. */
  readonly next?: Signer | undefined
  /** Where they are on disk. Without, a change of its key cannot be followed. */
  readonly files?: ConsensusFiles | undefined
  readonly transport: {
    readonly publicKey: AdmittedKey
    readonly peerId: string
    /** 32 bytes: what libp2p makes its identity of. */
    readonly seed: Uint8Array
  }
}

export interface ClientKey {
  readonly name: string
  /** That of the genesis; undefined for a client who was added later, whose role only the cluster knows. */
  readonly role: Role | undefined
  readonly signer: Signer
  /** 32 bytes: what libp2p makes the client's identity on the channel of. */
  readonly seed: Uint8Array
}

export interface SecretOptions {
  readonly passphrase?: string | undefined
}

/** Where a key stands in a genesis. */
type Owner =
  | { readonly kind: 'consensus' | 'transport'; readonly index: number }
  | { readonly kind: 'client'; readonly name: string }

interface LoadedSecret {
  readonly path: string
  readonly signer: Signer
  readonly seed: Uint8Array
  readonly owner: Owner | undefined
}

/** The genesis in `path`. @throws {KeysError} where it cannot be read, or has faults: all of them in one error. */
export async function loadGenesis(path: string): Promise<Genesis> {
  const result = readGenesis(await readPublicFile(path, MAX_GENESIS_BYTES), nativeVerifier)
  if (!result.ok) throw invalidGenesis(path, result.fault)
  return result.value
}

/** What is known beside the folder of a replica that was removed. */
export interface ErasedOptions {
  /** Its last consensus key, as its store has it: taken where the folder holds no consensus key any more. */
  readonly erased?: PublicKey | undefined
}

export interface ReplicaKeysOptions extends SecretOptions, ErasedOptions {
  /** Only this replica's will do. */
  readonly index?: ReplicaIndex | undefined
  /** It has voted: its consensus key may be one that it was given since, which only its store knows. */
  readonly started?: boolean
}

/**
 * The keys in a replica's folder, and whose they are.
 * @throws {KeysError} where a file is unreadable, open to others, no key, or not the key that `genesis` lists there.
 */
export async function loadReplicaKeys(
  folder: string,
  genesis: Genesis,
  { index, passphrase, erased, started = false }: ReplicaKeysOptions = {},
): Promise<ReplicaKeys> {
  const files = consensusFiles(folder, passphrase)
  const next = await files.next()
  const consensus = await loadConsensus(folder, genesis, { passphrase, next, erased })
  const transport = await loadSecret(join(folder, TRANSPORT_KEY_FILE), genesis, passphrase)
  const owner = started && consensus.owner === undefined ? memberOf(transport) : consensus.owner
  if (owner?.kind !== 'consensus') throw misplaced(consensus, genesis, "a replica's consensus key")
  if (index !== undefined && owner.index !== index) {
    throw misplaced(consensus, genesis, `the consensus key of replica ${index}`)
  }
  if (transport.owner?.kind !== 'transport' || transport.owner.index !== owner.index) {
    throw misplaced(transport, genesis, `the transport key of replica ${owner.index}`)
  }
  const member = genesis.members[owner.index]
  if (member === undefined) throw new Error('unreachable: the owner of a key is a member')
  return {
    index: replicaIndex(owner.index),
    consensus: consensus.signer,
    ...{ next, files, isErased: consensus.isErased },
    transport: { publicKey: transport.signer.publicKey, peerId: member.peerId, seed: transport.seed },
  }
}

/**
 * The key in a client's folder, and whose it is; with `name`, only that client's will do, or one that the genesis does not list where it
 * knows no client of that name either: that client was added later.
 * @throws {KeysError} like {@link loadReplicaKeys}.
 */
export async function loadClientKey(
  folder: string,
  genesis: Genesis,
  { name, passphrase }: SecretOptions & { readonly name?: string | undefined } = {},
): Promise<ClientKey> {
  const secret = await loadSecret(join(folder, CLIENT_KEY_FILE), genesis, passphrase)
  const { owner } = secret
  if (owner === undefined && name !== undefined && genesis.clients.every((client) => client.name !== name)) {
    return { name, role: undefined, signer: secret.signer, seed: secret.seed }
  }
  if (owner?.kind !== 'client') throw misplaced(secret, genesis, "a client's key")
  if (name !== undefined && owner.name !== name) throw misplaced(secret, genesis, `the key of client ${name}`)
  const client = genesis.clients.find((candidate) => candidate.name === owner.name)
  if (client === undefined) throw new Error('unreachable: the owner of a key is a client')
  return { name: client.name, role: client.role, signer: secret.signer, seed: secret.seed }
}

/** The consensus key in a replica's folder, whoever's it is. @throws {KeysError} like {@link loadReplicaKeys}. */
export async function loadConsensusKey(folder: string, { passphrase }: SecretOptions = {}): Promise<Signer> {
  const path = join(folder, CONSENSUS_KEY_FILE)
  return nativeSigner(secretKeyOfPem(await readSecretFile(path), path, passphrase))
}

/** The key in office; the next one where an erasure was interrupted that is for its sake, and what is left of an erased one. */
async function loadConsensus(
  folder: string,
  genesis: Genesis,
  { passphrase, next, erased }: SecretOptions & ErasedOptions & { readonly next: Signer | undefined },
): Promise<Omit<LoadedSecret, 'seed'> & { readonly isErased: boolean }> {
  const path = join(folder, CONSENSUS_KEY_FILE)
  const other = next ?? (erased && erasedSigner(erased))
  if (other !== undefined && (await isErased(path)))
    return { path, signer: other, owner: ownerOf(other.publicKey, genesis), isErased: next === undefined }
  return { ...(await loadSecret(path, genesis, passphrase)), isErased: false }
}

/** The replica whose transport key it is, as the owner of a consensus key. */
function memberOf({ owner }: LoadedSecret): Owner | undefined {
  return owner?.kind === 'transport' ? { kind: 'consensus', index: owner.index } : undefined
}

/** The transport key in a replica's folder, whoever's it is. @throws {KeysError} like {@link loadReplicaKeys}. */
export async function loadTransportKey(folder: string, { passphrase }: SecretOptions = {}): Promise<Signer> {
  const path = join(folder, TRANSPORT_KEY_FILE)
  return nativeSigner(secretKeyOfPem(await readSecretFile(path), path, passphrase))
}

async function loadSecret(path: string, genesis: Genesis, passphrase: string | undefined): Promise<LoadedSecret> {
  const key = secretKeyOfPem(await readSecretFile(path), path, passphrase)
  const signer = nativeSigner(key)
  return { path, signer, seed: seedOf(key), owner: ownerOf(signer.publicKey, genesis) }
}

/** Where a key stands in a genesis; undefined where that does not list it. */
export function ownerOf(key: AdmittedKey, { members, clients }: Genesis): Owner | undefined {
  for (const [index, { consensusKey, transportKey }] of members.entries()) {
    if (equalBytes(key, consensusKey)) return { kind: 'consensus', index }
    if (equalBytes(key, transportKey)) return { kind: 'transport', index }
  }
  const client = clients.find((candidate) => equalBytes(key, candidate.key))
  return client && { kind: 'client', name: client.name }
}

function misplaced({ path, owner }: Omit<LoadedSecret, 'seed'>, { label }: Genesis, expected: string): KeysError {
  if (owner === undefined) {
    return new KeysError(
      'wrong-key',
      `${path} should be ${expected} of ${label}, but its genesis does not list this key; is it of another cluster?`,
    )
  }
  const actual =
    owner.kind === 'client' ? `the key of client ${owner.name}` : `the ${owner.kind} key of replica ${owner.index}`
  return new KeysError('wrong-key', `${path} should be ${expected} of ${label}, but is ${actual}; were files swapped?`)
}

// The keys of a replica that joined after the genesis, which therefore lists neither of them: whether they are a member's, its store says.

import { join } from 'node:path'
import { type ReplicaIndex, replicaIndex } from '../crypto/index.ts'
import { consensusFiles, erasedSigner, isErased } from './consensus-files.ts'
import { KeysError } from './errors.ts'
import { readSecretFile } from './files.ts'
import { type Genesis, peerIdOf } from './genesis/index.ts'
import { CONSENSUS_KEY_FILE, TRANSPORT_KEY_FILE } from './layout.ts'
import { type ErasedOptions, ownerOf, type ReplicaKeys, type SecretOptions } from './load.ts'
import { nativeSigner } from './native/index.ts'
import { secretKeyOfPem, seedOf } from './pem.ts'

/** @throws {KeysError} where a file is unreadable, open to others or no key, or the genesis lists it. */
export async function loadJoinedKeys(
  folder: string,
  genesis: Genesis,
  { index, passphrase, erased }: SecretOptions & ErasedOptions & { readonly index: ReplicaIndex | number },
): Promise<ReplicaKeys> {
  const load = async (file: string) => {
    const path = join(folder, file)
    const key = secretKeyOfPem(await readSecretFile(path), path, passphrase)
    const signer = nativeSigner(key)
    if (ownerOf(signer.publicKey, genesis) !== undefined) {
      throw new KeysError(
        'wrong-key',
        `${path} is a key of the genesis of ${genesis.label}; replica ${index} has keys of its own`,
      )
    }
    return { signer, seed: seedOf(key) }
  }
  const files = consensusFiles(folder, passphrase)
  const next = await files.next()
  // An erasure for the sake of the next key was interrupted; or it was for good.
  const other = next ?? (erased && erasedSigner(erased))
  const isOther = other !== undefined && (await isErased(join(folder, CONSENSUS_KEY_FILE)))
  const consensus = isOther ? other : (await load(CONSENSUS_KEY_FILE)).signer
  const { signer, seed } = await load(TRANSPORT_KEY_FILE)
  const { publicKey } = signer
  return {
    index: replicaIndex(index),
    ...{ consensus, next, files, isErased: isOther && next === undefined },
    transport: { publicKey, peerId: peerIdOf(publicKey), seed },
  }
}

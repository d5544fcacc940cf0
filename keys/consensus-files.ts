// The consensus key of a replica while it changes: the one that it has, and the one that it is to have from the next epoch on. A key
// that is over is erased, so that who breaks in later cannot speak for the epochs in which it counted: overwritten, synced, and
// unlinked. What that is worth on flash and copy-on-write file systems, docs/keys.md says.

import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { admitKey, equalBytes, type PublicKey, type Signer } from '../crypto/index.ts'
import { fileError, KeysError } from './errors.ts'
import { readSecretFile, syncFolder } from './files.ts'
import { CONSENSUS_KEY_FILE, NEXT_CONSENSUS_KEY_FILE } from './layout.ts'
import { nativeSigner } from './native/index.ts'
import { secretKeyOfPem } from './pem.ts'

/** The consensus keys in a replica's folder. */
export interface ConsensusFiles {
  /** The key that was made for the next epoch, as it is on disk now; undefined where there is none. @throws {KeysError} where it is unreadable. */
  next(): Promise<Signer | undefined>
  /**
   * Erases the key that is over, and puts the next one in its place, where that is `key`; does nothing where it is not, since then it was
   * done before. Harmless where it was done in part. @throws {KeysError} where the system refuses.
   */
  replace(key: PublicKey): Promise<void>
  /** Erases all of them; likewise. */
  erase(): Promise<void>
}

export function consensusFiles(folder: string, passphrase?: string): ConsensusFiles {
  const [current, next] = [join(folder, CONSENSUS_KEY_FILE), join(folder, NEXT_CONSENSUS_KEY_FILE)]
  const prepared = () => absent(readKey(next, passphrase))
  return {
    next: prepared,
    async replace(key) {
      const signer = await prepared()
      if (signer === undefined || !equalBytes(signer.publicKey, key)) return
      await eraseFile(current, folder)
      await attempt(next, async () => {
        await rename(next, current)
        await syncFolder(folder)
      })
    },
    async erase() {
      for (const path of [current, next]) await eraseFile(path, folder)
    },
  }
}

function eraseFile(path: string, folder: string): Promise<void> {
  return attempt(path, async () => {
    await overwrite(path)
    await rm(path, { force: true })
    await syncFolder(folder)
  })
}

async function attempt(path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action()
  } catch (error) {
    throw error instanceof KeysError ? error : fileError(path, error)
  }
}

/**
 * What stands for a key whose secret half is erased: it is known, and signs nothing.
 * @throws {RangeError} for what is no Ed25519 key.
 */
export function erasedSigner(key: PublicKey): Signer {
  const publicKey = admitKey(key)
  if (publicKey === undefined) throw new RangeError('consensus key: expected one that can be admitted')
  return Object.freeze({
    publicKey,
    sign() {
      throw new Error('unreachable: nothing is signed with a key that is erased')
    },
  })
}

/** Whether an erasure, finished or not, has left no key in this file. @throws {KeysError} where the system does not say. */
export async function isErased(path: string): Promise<boolean> {
  const bytes = await absent(readSecretFile(path))
  return bytes?.every((byte) => byte === 0) ?? true
}

async function readKey(path: string, passphrase: string | undefined): Promise<Signer> {
  return nativeSigner(secretKeyOfPem(await readSecretFile(path), path, passphrase))
}

/** Undefined where there is no such file. */
async function absent<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof KeysError && error.code === 'not-found') return undefined
    throw error
  }
}

async function overwrite(path: string): Promise<void> {
  const file = await open(path, 'r+').catch((error: unknown) => {
    const known = fileError(path, error)
    if (known.code === 'not-found') return undefined
    throw known
  })
  if (file === undefined) return
  try {
    const { size } = await file.stat()
    await file.write(new Uint8Array(size), 0, size, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

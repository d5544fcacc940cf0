// The consensus keys of this replica, and what becomes of them at the end of an epoch. A key that the next epoch does not know is over: the store
// is noted under the new one first, then the old one is erased, and only then does the new one sign anything. Each step is done again at
// a start that finds it undone.

import { equalBytes, type PublicKey, type Signer } from '../../crypto/index.ts'
import type { ReplicaKeys } from '../../keys/index.ts'
import type { Store } from '../storage/index.ts'

export class Keyring {
  private readonly keys: Pick<ReplicaKeys, 'index' | 'consensus' | 'next' | 'files'>
  private readonly store: Pick<Store, 'adopt'>
  private inOffice: Signer
  /** The next key as it was found at the start: where that is in office already, the change to it was interrupted. */
  private prepared: Signer | undefined

  constructor(keys: Pick<ReplicaKeys, 'index' | 'consensus' | 'next' | 'files'>, store: Pick<Store, 'adopt'>) {
    this.keys = keys
    this.store = store
    this.inOffice = keys.consensus
    this.prepared = keys.next
  }

  get current(): Signer {
    return this.inOffice
  }

  /** The key in office, where that is `wanted`; undefined where it has to be replaced. */
  find(wanted: PublicKey): Signer | undefined {
    if (this.prepared !== undefined && equalBytes(this.prepared.publicKey, wanted)) return undefined
    return equalBytes(this.inOffice.publicKey, wanted) ? this.inOffice : undefined
  }

  /** Puts `wanted` into office and erases the one before. @throws {Error} where it is not here: one sentence for the operator. */
  async replace(wanted: PublicKey): Promise<Signer> {
    const { index, files } = this.keys
    const known = this.prepared
    const signer = known !== undefined && equalBytes(known.publicKey, wanted) ? known : await files?.next()
    if (signer === undefined || !equalBytes(signer.publicKey, wanted)) {
      throw new Error(
        `replica ${index} has another consensus key from this epoch on, which is not in its folder: put it there as next-consensus.pem, and start it again`,
      )
    }
    await this.store.adopt(wanted)
    await files?.replace(wanted)
    this.prepared = undefined
    this.inOffice = signer
    return signer
  }

  /** No epoch to come knows a key of this replica. */
  async erase(): Promise<void> {
    await this.keys.files?.erase()
  }
}

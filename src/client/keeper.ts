// Keeps what the client knows of the cluster in its file, beside everything else that it does: one write at a time, of what is known then.

import type { EpochChain } from '../consensus/index.ts'
import { writeCluster } from './cluster-file.ts'
import type { ClusterView } from './cluster-view.ts'
import { ClientError } from './errors.ts'

export interface KeeperParts {
  readonly path: string
  /** The chain of the first epoch alone. */
  readonly genesis: EpochChain
  readonly view: ClusterView
  /** The client goes on without it. */
  readonly doubt: (error: ClientError) => void
}

export class Keeper {
  private readonly parts: KeeperParts
  private writing: Promise<void> | undefined
  private again = false

  constructor(parts: KeeperParts) {
    this.parts = parts
  }

  keep(): void {
    if (this.writing !== undefined) {
      this.again = true
      return
    }
    this.writing = this.write().finally(() => {
      this.writing = undefined
      if (!this.again) return
      this.again = false
      this.keep()
    })
  }

  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing
  }

  private async write(): Promise<void> {
    const { path, genesis, view, doubt } = this.parts
    try {
      await writeCluster(path, genesis, { chain: view.chain, addresses: view.whereabouts })
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      doubt(error)
    }
  }
}

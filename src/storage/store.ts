// What a replica keeps on disk, as bytes: a log of records, and snapshots. The store knows slots and kinds as numbers, so that
// it can drop what is old and tell what was damaged; what they mean is told by src/wire and src/replica. Every implementation
// passes test/storage/compliance.ts.

/** What a replica promises to remember. `fsync`: survives a power cut. `os`: survives kill -9. `memory`: survives nothing. */
export type Durability = 'fsync' | 'os' | 'memory'

export interface StoreRecord {
  /** The caller's own number, 1 to 255. */
  readonly kind: number
  /** The log slot that it is about; 0 for records about none. Records of slots at or below a cut may be dropped. */
  readonly slot: number
  /**
   * Records about no slot outlive every cut until a newer one under the same name comes: `promise`, `new-view`, `evidence/3`.
   * 64 bytes at most. Records with a slot have none.
   */
  readonly key?: string
  readonly bytes: Uint8Array
}

/** A record that was damaged after it was acknowledged; its head may be readable where its body is not. */
export interface DamagedRecord {
  readonly file: string
  readonly offset: number
  /** 0 for the store's own records. */
  readonly kind: number | undefined
  readonly slot: number | undefined
  /**
   * False where nothing that binds this replica can be lost: it was about slots at or below the cut, a newer record of its
   * key is there, or it is a snapshot. Where true, this replica must take it that it said something it no longer knows.
   */
  readonly needed: boolean
}

export interface StoredSnapshot {
  readonly slot: number
  /** What the caller wrote beside the chunks. */
  readonly meta: Uint8Array
  /** In the order written; throws {@link StoreError} `damaged` at a chunk whose checksum is wrong. */
  chunks(): Iterable<Uint8Array>
}

export interface Recovered {
  /** All records above the last cut, and the newest of each key, in the order in which they were appended. */
  readonly records: readonly StoreRecord[]
  readonly damaged: readonly DamagedRecord[]
  /** Bytes of an append that a power cut tore, never acknowledged and cut off. */
  readonly tornBytes: number
  /** The newest snapshot that is whole. */
  readonly snapshot: StoredSnapshot | undefined
}

export interface StoreCounters {
  readonly appends: number
  readonly syncs: number
  readonly bytesWritten: number
  readonly bytesOnDisk: number
}

export interface Store {
  readonly recovered: Recovered
  /**
   * Appends as one unit: after a power cut all of it is there or none. Appends of one turn and of the time of a running sync
   * share the next write and sync. `done` is called when they are durable, in the order of the appends; before this returns where
   * the disk is quicker than the way to a thread and back (sync-pace.ts).
   * A disk that fails is told to {@link StoreOptions.onFailure}; `done` is then never called.
   */
  append(records: readonly StoreRecord[], done: () => void): void
  /** Writes a snapshot beside the log; resolves when it is durable and older ones were dropped. One at a time. */
  putSnapshot(slot: number, meta: Uint8Array, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>
  /**
   * From now on the store is that of the same replica with this consensus key; durable when it resolves. To be called before anything is
   * appended that the key signed.
   */
  adopt(consensusKey: Uint8Array): Promise<void>
  /** Everything about slots up to `slot` may go, but what retention keeps. Whole files are deleted. */
  cut(slot: number): void
  /** Records about slots from `from` to `to` that are still there, in the order of appending; what retention keeps too. */
  read(from: number, to: number): AsyncIterable<StoreRecord>
  /** The lowest slot from which on nothing was dropped. */
  readonly firstSlot: number
  counters(): StoreCounters
  /** Waits for what was appended, closes, and gives the lock back. */
  close(): Promise<void>
}

/** Whose store it is; a store of anybody else is refused. */
export interface StoreIdentity {
  readonly clusterId: Uint8Array
  readonly replica: number
  readonly consensusKey: Uint8Array
}

export interface StoreOptions {
  readonly path: string
  readonly identity: StoreIdentity
  /** Another consensus key that this replica has, or is about to have: whose store it is may have been noted under that one. */
  readonly otherKey?: Uint8Array | undefined
  readonly durability: Durability
  /** Keeps at least so much below the cut for audits; nothing unless told. */
  readonly retention?: { readonly slots?: number; readonly bytes?: number }
  /** Makes a new store where there is none; without it an absent or empty one is refused with `missing`. */
  readonly create: boolean
  readonly onFailure: (error: Error) => void
}

export type StoreErrorCode =
  /** Another process has it open. */
  | 'locked'
  /** It belongs to another cluster, replica or key. */
  | 'foreign'
  /** There is no store, though this key has voted before. */
  | 'missing'
  /** A format of a newer or older program. */
  | 'format'
  | 'damaged'
  /** An older copy: others hold what this replica said since. */
  | 'rolled-back'
  /** The system refused: permissions, a full disk. */
  | 'io'

/** The message is one sentence for the operator: what is wrong, and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

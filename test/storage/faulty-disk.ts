// A disk in memory that fails like real ones. What was written is seen at once, and is durable once it was synced; a power cut
// leaves of the rest what the test says. Names in a folder are durable once the folder was synced.

import type { Files, Lock, ReadableFile, WritableFile } from '../../src/storage/files.ts'
import { StoreError } from '../../src/storage/index.ts'

/** What a power cut leaves of the bytes of one file that were not synced. */
export type Survival = (unsynced: readonly Change[], path: string) => readonly Change[]

/** Bytes that took the place of others, or of nothing. */
export interface Change {
  readonly position: number
  readonly bytes: Uint8Array
}

export const nothing: Survival = () => []
export const everything: Survival = (unsynced) => unsynced

/** The first `count` bytes, in the order in which they were written. */
export function firstBytes(count: number): Survival {
  return (unsynced) => {
    let left = count
    return unsynced.map(({ position, bytes }) => {
      const kept = bytes.subarray(0, left)
      left -= kept.length
      return { position, bytes: kept }
    })
  }
}

/** Whole sectors, in any order: those that `keep` chooses. */
export function sectors(keep: (sector: number) => boolean): Survival {
  return (unsynced) =>
    unsynced.flatMap(({ position, bytes }) => {
      const pieces: Change[] = []
      for (let from = position; from < position + bytes.length; ) {
        const to = Math.min((Math.floor(from / 512) + 1) * 512, position + bytes.length)
        if (keep(Math.floor(from / 512)))
          pieces.push({ position: from, bytes: bytes.subarray(from - position, to - position) })
        from = to
      }
      return pieces
    })
}

class Inode {
  content: Uint8Array = new Uint8Array(0)
  /** How to undo what was not synced, and do it again; oldest first. */
  unsynced: { readonly change: Change; readonly before: Uint8Array }[] = []

  write({ position, bytes }: Change): void {
    this.unsynced.push({ change: { position, bytes: bytes.slice() }, before: this.content })
    const content = new Uint8Array(Math.max(this.content.length, position + bytes.length))
    content.set(this.content)
    content.set(bytes, position)
    this.content = content
  }

  copy(): Inode {
    const inode = new Inode()
    inode.content = this.content
    inode.unsynced = [...this.unsynced]
    return inode
  }
}

/** Ends a process in the middle of something that it waits for. */
export class PowerCut extends Error {}

type NameChange =
  | { readonly kind: 'set'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }

export class FaultyDisk implements Files {
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  #nameChanges: NameChange[] = []
  #folders = new Set<string>()
  #locked = new Set<string>()
  #life = 0
  /** Operations that changed something, since the beginning. */
  operations = 0
  /** Called before each of them; it may cut the power. */
  beforeOperation: (number: number) => void = () => {}
  /** Bytes that still fit. */
  room = Number.POSITIVE_INFINITY
  failsToSync = false
  /** Whether writes and syncs are done at once; a power cut in the middle of one is thrown as {@link PowerCut}. */
  quick = false
  #syncsHeld: (() => void)[] | undefined

  /** The power goes: every open file is dead, every lock free, and of what was not synced only that is left. */
  cutPower(survival: Survival, namesKept = 0): void {
    this.#life++
    this.#locked.clear()
    this.#syncsHeld = undefined
    for (const change of this.#nameChanges.splice(0).slice(0, namesKept)) apply(this.#durableNames, change)
    this.#names = new Map(this.#durableNames)
    for (const [path, inode] of this.#names) {
      const changes = inode.unsynced.map(({ change }) => change)
      inode.content = inode.unsynced[0]?.before ?? inode.content
      for (const change of survival(changes, path)) if (change.bytes.length > 0) inode.write(change)
      inode.unsynced = []
    }
  }

  /** Another disk with the same on it, and nobody using it. */
  copy(): FaultyDisk {
    const disk = new FaultyDisk()
    const inodes = new Map([...this.#names.values(), ...this.#durableNames.values()].map((each) => [each, each.copy()]))
    const copied = (names: Map<string, Inode>) =>
      new Map([...names].map(([path, each]) => [path, inodes.get(each) ?? each]))
    disk.#names = copied(this.#names)
    disk.#durableNames = copied(this.#durableNames)
    disk.#nameChanges = this.#nameChanges.map((change) =>
      change.kind === 'set' ? { ...change, inode: inodes.get(change.inode) ?? change.inode } : change,
    )
    disk.#folders = new Set(this.#folders)
    return disk
  }

  /** From now on syncs wait. The function that is returned lets them go on, those that come later too. */
  holdSyncs(): () => void {
    const held: (() => void)[] = []
    this.#syncsHeld = held
    return () => {
      this.#syncsHeld = undefined
      for (const release of held) release()
    }
  }

  get syncsWaiting(): number {
    return this.#syncsHeld?.length ?? 0
  }

  paths(): string[] {
    return [...this.#names.keys()].sort()
  }

  content(path: string): Uint8Array {
    return this.#inode(path).content
  }

  /** What a file holds from now on, as damage. */
  damage(path: string, content: Uint8Array): void {
    this.#inode(path).content = content
  }

  /** Somebody takes a file away. */
  lose(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
  }

  async list(folder: string): Promise<readonly string[] | undefined> {
    if (!this.#folders.has(folder)) return undefined
    return this.paths().flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []))
  }

  async makeFolder(folder: string): Promise<void> {
    this.#folders.add(folder)
  }

  async readWhole(path: string): Promise<Uint8Array | undefined> {
    return this.#names.get(path)?.content.slice()
  }

  openForReading(path: string): ReadableFile {
    const { content } = this.#inode(path)
    const readSync = (position: number, length: number) => content.slice(position, position + length)
    return {
      size: content.length,
      readSync,
      read: async (position, length) => readSync(position, length),
      close: () => {},
    }
  }

  async openForWriting(path: string, mode: 'new' | 'empty' | 'old'): Promise<WritableFile> {
    await this.#operation()
    if (mode === 'new' && this.#names.has(path)) throw new StoreError('io', `${path}: it exists`)
    if (mode !== 'old') this.#change({ kind: 'set', path, inode: new Inode() })
    return this.#writable(this.#inode(path), path)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#operation()
    this.#change({ kind: 'rename', from, to })
  }

  async remove(path: string): Promise<void> {
    await this.#operation()
    if (this.#names.has(path)) this.#change({ kind: 'remove', path })
  }

  async syncFolder(): Promise<void> {
    await this.#operation()
    for (const change of this.#nameChanges.splice(0)) apply(this.#durableNames, change)
  }

  lock(folder: string): Lock {
    if (this.#locked.has(folder)) throw new StoreError('locked', `process 1 has ${folder} open`)
    this.#locked.add(folder)
    const life = this.#life
    return {
      release: () => {
        if (life === this.#life) this.#locked.delete(folder)
      },
    }
  }

  #writable(inode: Inode, path: string): WritableFile {
    const life = this.#life
    const operation = () => this.#operation(life)
    return {
      write: async (parts, position) => {
        await operation()
        this.#write(inode, path, parts, position)
      },
      sync: async () => {
        await operation()
        // A sync takes its time, in which other things happen.
        await new Promise((turnEnded) => setImmediate(turnEnded))
        const held = this.#syncsHeld
        if (held !== undefined) await new Promise<void>((release) => held.push(release))
        if (life !== this.#life) await never()
        if (this.failsToSync) throw new StoreError('io', `${path}: the disk failed`)
        inode.unsynced = []
      },
      isQuick: () => this.quick,
      writeNow: (parts, position) => {
        this.#begin(life)
        this.#write(inode, path, parts, position)
        this.#begin(life)
        if (this.failsToSync) throw new StoreError('io', `${path}: the disk failed`)
        inode.unsynced = []
      },
      truncate: async (size) => {
        await operation()
        inode.content = inode.content.slice(0, size)
        inode.unsynced = []
      },
      close: async () => {},
    }
  }

  #write(inode: Inode, path: string, parts: readonly Uint8Array[], position: number): void {
    const bytes = Buffer.concat(parts)
    const fits = Math.min(bytes.length, this.room)
    this.room -= fits
    if (fits > 0) inode.write({ position, bytes: bytes.subarray(0, fits) })
    if (fits < bytes.length) throw new StoreError('io', `${path}: the disk is full`)
  }

  /** A process without power never hears of its operations again. */
  async #operation(life = this.#life): Promise<void> {
    if (life !== this.#life) await never()
    this.beforeOperation(this.operations++)
    if (life !== this.#life) await never()
  }

  #begin(life: number): void {
    if (life === this.#life) this.beforeOperation(this.operations++)
    if (life !== this.#life) throw new PowerCut()
  }

  #change(change: NameChange): void {
    apply(this.#names, change)
    this.#nameChanges.push(change)
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw new StoreError('io', `${path}: it does not exist`)
    return inode
  }
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'set') names.set(change.path, change.inode)
  else if (change.kind === 'remove') names.delete(change.path)
  else {
    const inode = names.get(change.from)
    if (inode === undefined) return
    names.delete(change.from)
    names.set(change.to, inode)
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}

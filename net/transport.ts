// What a replica and a client need of the network: frames of bytes between members, and between clients and members.
// A frame is bytes; what they mean is told by src/wire. Every implementation passes test/net/compliance.ts.

import type { PublicKey, ReplicaIndex } from '../crypto/index.ts'

/** Streams between members: `consensus` for the protocol, `transfer` for snapshots, so that bulk never delays votes. */
export type PeerChannel = 'consensus' | 'transfer'

/** Why frames or peers were dropped, counted; see limits.ts for the bounds. */
export type TransportCounter =
  | 'frame-too-large'
  | 'queue-full'
  | 'stranger-refused'
  | 'too-many-connections'
  | 'too-many-streams'
  | 'handshake-failed'
  | 'stream-reset'
  | 'malformed-prefix'

export interface Traffic {
  readonly writes: number
  readonly bytes: number
}

/** One position of a roster: a member, or somebody who is served like one. Members of a genesis are such entries. */
export interface RosterEntry {
  /** Its transport key, as libp2p writes it: who it is, wherever it stands. */
  readonly peerId: string
  /** Multiaddrs under which it is dialled. */
  readonly addresses: readonly string[]
}

/** One client at the other end of an authenticated connection. */
export interface ClientLink {
  /** The key that the channel proved. */
  readonly key: PublicKey
  /** Unique within this process's life. */
  readonly id: number
  /** Queues a frame; false where it was dropped, since the link is closed or its queue is full. */
  send(frame: Uint8Array): boolean
  close(): void
}

/** Somebody who was a member once, and may ask one thing. */
export interface FormerLink {
  /** The key that the channel proved. */
  readonly key: PublicKey
  /**
   * Sends the one frame that it gets, on the channel `consensus`, and ends the connection. False where it was dropped: it had one
   * already, is gone, or the frame is too long.
   */
  send(frame: Uint8Array): boolean
}

/** Called on the transport's own turn, or within `update`; must not throw. Frames may be kept: nobody changes their bytes afterwards. */
export interface ReplicaTransportHandlers {
  peerFrame(from: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): void
  peerUp(peer: ReplicaIndex): void
  peerDown(peer: ReplicaIndex): void
  clientFrame(link: ClientLink, frame: Uint8Array): void
  clientUp(link: ClientLink): void
  clientDown(link: ClientLink): void
  /** Asked for every connection of a key that is not in the roster. */
  isClient(key: PublicKey): boolean
  /** Asked for every connection of a key that is neither in the roster nor a client's: whether it was a member's once. */
  isFormer(key: PublicKey): boolean
  /** The first frame on `consensus` of a connection of a former member; it is not heard a second time. */
  formerFrame(link: FormerLink, frame: Uint8Array): void
}

/** A member's end. Queues are bounded in bytes per receiver; what does not fit is dropped and counted, never kept. */
export interface ReplicaTransport {
  /** Listens and dials the others of the roster, for ever and with back-off. @throws {NetError} where it cannot listen. */
  start(handlers: ReplicaTransportHandlers, options?: { readonly signal?: AbortSignal }): Promise<void>
  stop(): Promise<void>
  /**
   * From now on positions are those of `roster`, also where it does not run now. Links go by peer id: one that stays keeps its
   * connection and its queue, and nobody is told that it stands elsewhere; one that left is down, under its old position and before
   * this returns, and its connections end; one that is new is dialled. The own key may stand anywhere, or be missing.
   * Not to be called from within `peerDown`.
   * @throws {RangeError} for a roster that cannot be one; the former one stays.
   */
  update(roster: readonly RosterEntry[]): void
  /** Queues a frame; everything queued for one peer in one turn leaves as one write. False where it was dropped. */
  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean
  /** What is queued leaves now, before the turn ends; for whoever goes on with something that takes its time. */
  flush(): void
  connected(peer: ReplicaIndex): boolean
  /** Multiaddrs that it listens on, once started. */
  readonly addresses: readonly string[]
  counters(): Readonly<Partial<Record<TransportCounter, number>>>
  /** What left for members and clients: writes, and the bytes in them before encryption. */
  sent(): Traffic
  /** Bytes that wait to be written, over all receivers. */
  queuedBytes(): number
}

export interface ClientTransportHandlers {
  replicaFrame(from: ReplicaIndex, frame: Uint8Array): void
  replicaUp(replica: ReplicaIndex): void
  replicaDown(replica: ReplicaIndex): void
}

/** A client's end: dials everybody in the roster, for ever and with back-off. */
export interface ClientTransport {
  start(handlers: ClientTransportHandlers, options?: { readonly signal?: AbortSignal }): Promise<void>
  stop(): Promise<void>
  /** As that of {@link ReplicaTransport}. @throws {RangeError} for a roster that cannot be one; the former one stays. */
  update(roster: readonly RosterEntry[]): void
  send(to: ReplicaIndex, frame: Uint8Array): boolean
  connected(replica: ReplicaIndex): boolean
}

// Every bound of the network, with its unit and where it comes from. docs/network.md says what happens beyond each.

import { MAX_FRAME_BYTES } from './wire/index.ts'

const KIB = 1024
const MIB = 1024 * KIB

export interface NetLimits {
  /**
   * Bytes of one frame, by its channel; `client` goes to a replica, `replica` to a client. The prefix is judged before
   * anything is allocated. From net/wire/limits.ts.
   */
  readonly maxFrameBytes: Readonly<Record<'consensus' | 'transfer' | 'client' | 'replica', number>>
  /**
   * Bytes that wait for one member on one channel. A stopped member costs no more than this; a single frame always fits
   * into an empty queue. At 32 MiB, some seconds of votes and batches, after which it has to catch up anyway.
   */
  readonly maxPeerQueueBytes: number
  /** Bytes that wait for one client. */
  readonly maxClientQueueBytes: number
  /**
   * Bytes that wait for all clients together, so that many clients that do not read cost no more than a few members.
   */
  readonly maxClientsQueueBytes: number
  /**
   * Connections with one member: two, where both dialled at once, and one that a crash left behind. Beyond, the
   * oldest goes.
   */
  readonly maxConnectionsPerMember: number
  /** Connections of one client key, which may run in several processes. */
  readonly maxConnectionsPerClient: number
  /** Connections of all clients. Members do not count here: clients cannot crowd them out. */
  readonly maxClientConnections: number
  /**
   * Connections of all former members, one for each key: enough for all that a change may have dropped while they learn of it,
   * and too few to be worth anything to one that lies.
   */
  readonly maxFormerConnections: number
  /** Milliseconds for a former member to ask and be answered; half of what an honest one waits before it dials again at the latest. */
  readonly formerMs: number
  /** Bytes of what a former member asks. What is longer is no question: it comes with what the members sent one another. */
  readonly maxFormerFrameBytes: number
  /** Bytes of the answer: a few hand-overs. The rest is asked for once these are known. */
  readonly maxFormerAnswerBytes: number
  /**
   * Inbound connections that have not proved a key yet. Beyond, the oldest goes, and whoever wants to keep honest ones out has to open so
   * many while one of them takes its 10 ms. When a replica starts its clients come back at once and their handshakes
   * wait for one another: with room for 64, some hundreds of clients made those go that were nearly done, for half a minute and longer.
   */
  readonly maxHandshakes: number
  /** Milliseconds to prove a key: many round trips of a slow link, and too few to be worth dripping bytes. */
  readonly handshakeMs: number
  /** Inbound connections of one host and {@link tickMs}. A handshake costs us about 2 ms of processor time. */
  readonly maxInboundPerHost: number
  /** Streams that the other side may open in the life of one connection; an honest one opens two. */
  readonly maxStreams: number
  /** Milliseconds to agree on the protocol of a stream. */
  readonly negotiationMs: number
  /** Bytes that the other side may send ahead on one stream, and with it the longest piece that yamux puts together. */
  readonly windowBytes: number
  /** Encrypted messages that one piece of yamux may come in; an honest sender needs one for each 64 KiB. */
  readonly maxPiecesPerMuxFrame: number
  /**
   * Bytes that may wait to be encrypted on one connection: two windows, and the answers of yamux to a peer that does
   * not read.
   */
  readonly maxUnsentBytes: number
  /** Milliseconds from one look at all connections to the next, and between pings to a side that is silent. */
  readonly tickMs: number
  /** Looks without a byte from the other side, whose system pings as we do, after which a connection counts as dead. */
  readonly maxSilentTicks: number
  /** Milliseconds before the first new attempt to reach a member; doubled with each failure. */
  readonly backoffMs: number
  /** What that grows to: a member that returns is met again soon, and by its own dialling sooner. */
  readonly backoffCapMs: number
  /** Milliseconds that a connection has to hold for the next attempt to count as a first one. */
  readonly settledMs: number
  /** Head start of the lower index of two members that meet for the first time, so that seldom both dial. */
  readonly courtesyMs: number
  /** Milliseconds for one attempt: a connection, a handshake, and streams. */
  readonly dialMs: number
}

export const DEFAULT_LIMITS: NetLimits = Object.freeze({
  maxFrameBytes: MAX_FRAME_BYTES,
  maxPeerQueueBytes: 32 * MIB,
  maxClientQueueBytes: 4 * MIB,
  maxClientsQueueBytes: 128 * MIB,
  maxConnectionsPerMember: 3,
  maxConnectionsPerClient: 16,
  maxClientConnections: 1024,
  maxFormerConnections: 16,
  formerMs: 2_500,
  maxFormerFrameBytes: 64 * KIB,
  maxFormerAnswerBytes: MIB,
  maxHandshakes: 512,
  handshakeMs: 5_000,
  maxInboundPerHost: 512,
  maxStreams: 16,
  negotiationMs: 5_000,
  windowBytes: MIB,
  maxPiecesPerMuxFrame: 1024,
  maxUnsentBytes: 4 * MIB,
  tickMs: 2_000,
  maxSilentTicks: 5,
  backoffMs: 100,
  backoffCapMs: 5_000,
  settledMs: 10_000,
  courtesyMs: 200,
  dialMs: 8_000,
})

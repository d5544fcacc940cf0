// What replicas say about the requests under way, until t of them signed the same. A receipt is one replica's signature on the root
// of a slot's results; it counts once for everything that is proven under that root, whoever brought the proof. What is of no use
// is dropped before any signature is checked, and everything kept is bounded per replica: a liar can only crowd out itself.

import {
  assembleCertificate,
  type Certificate,
  type Digest,
  EMPTY_ROOT,
  equalBytes,
  hex,
  leafHashes,
  type MemberId,
  openMultiProof,
  type PresentLeaf,
  type PublicKey,
  type ReplicaIndex,
  readU64,
  type Verified,
  type Vote,
  type VoteStatement,
  verifyVote,
} from '../../crypto/index.ts'
import { type EpochContext, isOfEpoch, type SignedRequest } from '../consensus/index.ts'
import { decodeResultRecord, type ResultRecord } from '../machine/index.ts'
import type { ReplyItem, SlotReply } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'
import { STRIKES, TALLIES_PER_REPLICA, TALLY_BYTES_PER_REPLICA } from './limits.ts'
import type { Receipt } from './types.ts'

/** A record that t replicas stand for. */
export interface Settled {
  readonly record: ResultRecord
  readonly receipt: Receipt
}

/** Why something that a replica sent was of no use; counted. */
export type ReceiptFault =
  /** Of an epoch that is not known here, or that may not speak of this slot or request any more. */
  | 'receipt-other-epoch'
  /** About nothing that is under way: late, a repetition, or of another process with this key. */
  | 'receipt-not-needed'
  | 'receipt-malformed'
  /** Signed in another replica's name. */
  | 'receipt-wrong-signer'
  | 'receipt-bad-signature'
  /** Of a replica with too many bad signatures. */
  | 'receipt-struck'
  /** A record that is not below the signed root where it should be. */
  | 'record-not-proven'
  | 'record-malformed'
  /** Pushed out by newer ones of the same replica. */
  | 'receipt-crowded-out'

/** A proven record, and the request that it answers. */
interface Claim {
  readonly request: SignedRequest
  readonly record: ResultRecord
  readonly bytes: Uint8Array
  readonly index: number
  readonly path: readonly Digest[]
}

interface News {
  /** Its place among the items of the reply. */
  readonly place: number
  readonly request: SignedRequest
}

type ReceiptStatement = VoteStatement & { readonly kind: 'receipt' }

/** What is known of one slot's results. */
interface Tally {
  readonly key: string
  readonly context: EpochContext
  readonly statement: ReceiptStatement
  readonly count: number
  /** Each is by another member of the tally's epoch. */
  readonly votes: Map<MemberId, Verified<Vote>>
  readonly claims: Map<SignedRequest, Claim>
  /** Of the records and their proofs. */
  bytes: number
}

export interface ReceiptsOptions {
  readonly client: PublicKey
  readonly view: ClusterView
  /** The request under way with this number, and the epoch that was in office when it left. */
  readonly find: (sequence: number) => { readonly request: SignedRequest; readonly epoch: number } | undefined
  /** Somebody speaks of an epoch that is not known here. */
  readonly ahead: () => void
  readonly count: (fault: ReceiptFault) => void
  /** For tests; those of limits.ts otherwise. */
  readonly bounds?: { readonly tallies: number; readonly bytes: number }
}

/** By one member. */
interface Words {
  /** Oldest first. */
  readonly tallies: Set<Tally>
  bytes: number
  strikes: number
}

/** Where a record's fields are; see src/machine/result-record.ts. */
const RECORD = Object.freeze({ client: 2, sequence: 34, request: 42, end: 82 })

const DEFAULT_BOUNDS = Object.freeze({ tallies: TALLIES_PER_REPLICA, bytes: TALLY_BYTES_PER_REPLICA })
const NOTHING = Object.freeze({ request: undefined, epoch: 0 })
/** What one hash of a path costs, though others share it. */
const HASH_BYTES = 128

export class Receipts {
  private readonly options: ReceiptsOptions
  private readonly tallies = new Map<string, Tally>()
  /** What stands on each member's word, in whatever epochs. */
  private readonly words = new Map<MemberId, Words>()
  /** By request: the tallies with a claim about it. */
  private readonly about = new Map<SignedRequest, Set<Tally>>()

  constructor(options: ReceiptsOptions) {
    this.options = options
  }

  /** Takes a reply from the channel of replica `from`; what it settles is to be {@link forget forgotten} by the caller. */
  take(from: ReplicaIndex, reply: SlotReply): Settled[] {
    const { receipt, count } = reply
    const speaker = this.options.view.member(from)?.id
    if (speaker === undefined) return this.refuse('receipt-wrong-signer')
    const context = this.options.view.chain.of(receipt.statement.membership)
    if (context === undefined) {
      this.options.ahead()
      return this.refuse('receipt-other-epoch')
    }
    const fault = this.shapeFault(speaker, reply, context)
    if (fault !== undefined) return this.refuse(fault)
    const statement: ReceiptStatement = { ...receipt.statement, kind: 'receipt' }
    // The size of the tree is in no signature, so those who say different sizes do not stand for one another.
    const key = `${context.charter.epoch}/${statement.slot}/${count}/${hex(statement.digest)}`
    const known = this.tallies.get(key)
    const news = this.newsIn(reply.items, known, context)
    const voted = known?.votes.has(speaker) ?? false
    if (news.length === 0 && (known === undefined || voted)) return this.refuse('receipt-not-needed')
    const vote = voted ? undefined : this.checked(speaker, receipt, context)
    if (!voted && vote === undefined) return []

    const tally = known ?? emptyTally(key, context, statement, count)
    const claims = news.length === 0 ? [] : this.proven(reply, news)
    if (tally.claims.size + claims.length === 0) return []
    this.tallies.set(key, tally)
    if (vote !== undefined) this.enter(speaker, tally, vote)
    for (const claim of claims) this.claim(tally, claim)
    this.bound(speaker)
    return this.settled(tally)
  }

  /** Nothing more need be known about `request`. */
  forget(request: SignedRequest): void {
    for (const tally of this.about.get(request) ?? []) {
      const claim = tally.claims.get(request)
      if (claim === undefined) continue
      tally.claims.delete(request)
      this.charge(tally, -costOf(claim))
      if (tally.claims.size === 0) this.drop(tally)
    }
    this.about.delete(request)
  }

  /** Epochs that were open have ended: what was said in one about slots after its last says nothing. */
  moved(): void {
    const { chain } = this.options.view
    for (const tally of [...this.tallies.values()]) {
      const { membership, slot } = tally.statement
      const context = chain.of(membership)
      if (context === undefined || !isOfEpoch(slot, context.verify)) this.drop(tally)
    }
  }

  /** For the tests of bounds. */
  get held(): { readonly tallies: number; readonly bytes: number } {
    const bytes = [...this.words.values()].reduce((sum, words) => sum + words.bytes, 0)
    return { tallies: this.tallies.size, bytes }
  }

  private shapeFault(
    speaker: MemberId,
    { receipt, count }: SlotReply,
    { charter, verify }: EpochContext,
  ): ReceiptFault | undefined {
    if (charter.members[receipt.replica]?.id !== speaker) return 'receipt-wrong-signer'
    const { kind, slot } = receipt.statement
    if (kind !== 'receipt') return 'receipt-malformed'
    if (!isOfEpoch(slot, verify)) return 'receipt-other-epoch'
    const most = charter.parameters.maxBatchRequests
    if (!Number.isSafeInteger(count) || count < 1 || count > most) return 'receipt-malformed'
    return this.wordsOf(speaker).strikes >= STRIKES ? 'receipt-struck' : undefined
  }

  /** The items about requests under way that are not proven here already. */
  private newsIn(items: readonly ReplyItem[], tally: Tally | undefined, { charter }: EpochContext): News[] {
    const { client, find } = this.options
    const news: News[] = []
    for (const [place, { record }] of items.entries()) {
      const sequence = record.length < RECORD.end ? undefined : readU64(record, RECORD.sequence)
      if (sequence === undefined) {
        this.options.count('record-malformed')
        continue
      }
      const { request, epoch } = find(sequence) ?? NOTHING
      if (request === undefined || tally?.claims.has(request)) continue
      // Keys of an epoch that is over may be stolen by now: they stand for nothing that began after it.
      if (epoch > charter.epoch) {
        this.options.count('receipt-other-epoch')
        continue
      }
      // Another process with this key may use the same number for something else.
      if (!holdsAt(record, RECORD.request, request.id) || !holdsAt(record, RECORD.client, client)) continue
      news.push({ place, request })
    }
    return news
  }

  private checked(speaker: MemberId, receipt: Vote, { membership, verify }: EpochContext): Verified<Vote> | undefined {
    const result = verifyVote(receipt, membership, verify.verifier)
    if (result.ok) return result.value
    this.wordsOf(speaker).strikes++
    this.options.count('receipt-bad-signature')
    return undefined
  }

  /** Claims of a reply; none where not all its items are below the signed root. */
  private proven({ receipt, count, items, hashes }: SlotReply, news: readonly News[]): Claim[] {
    const paths = provenPaths(items, count, hashes, receipt.statement.digest)
    if (paths === undefined) return this.refuse('record-not-proven')
    const claims: Claim[] = []
    for (const { place, request } of news) {
      const [item, path] = [items[place], paths[place]]
      if (item === undefined || path === undefined) throw new Error('unreachable: every item has its path')
      const record = decodeResultRecord(item.record)
      if (record === undefined) this.options.count('record-malformed')
      else claims.push({ request, record, bytes: item.record, index: item.index, path })
    }
    return claims
  }

  private claim(tally: Tally, claim: Claim): void {
    if (tally.claims.has(claim.request)) return
    tally.claims.set(claim.request, claim)
    this.charge(tally, costOf(claim))
    const tallies = this.about.get(claim.request) ?? new Set()
    this.about.set(claim.request, tallies.add(tally))
  }

  private enter(speaker: MemberId, tally: Tally, vote: Verified<Vote>): void {
    tally.votes.set(speaker, vote)
    const words = this.wordsOf(speaker)
    words.tallies.add(tally)
    words.bytes += tally.bytes
  }

  private charge(tally: Tally, bytes: number): void {
    tally.bytes += bytes
    for (const speaker of tally.votes.keys()) this.wordsOf(speaker).bytes += bytes
  }

  /** Keeps what stands on one member's word within its bounds. */
  private bound(speaker: MemberId): void {
    const words = this.wordsOf(speaker)
    const { tallies, bytes } = this.options.bounds ?? DEFAULT_BOUNDS
    for (const tally of words.tallies) {
      if (words.tallies.size <= tallies && words.bytes <= bytes) return
      this.options.count('receipt-crowded-out')
      this.withdraw(speaker, tally)
      if (tally.votes.size === 0) this.drop(tally)
    }
  }

  private withdraw(speaker: MemberId, tally: Tally): void {
    tally.votes.delete(speaker)
    const words = this.wordsOf(speaker)
    words.tallies.delete(tally)
    words.bytes -= tally.bytes
  }

  private wordsOf(speaker: MemberId): Words {
    const words = this.words.get(speaker) ?? { tallies: new Set(), bytes: 0, strikes: 0 }
    this.words.set(speaker, words)
    return words
  }

  private drop(tally: Tally): void {
    for (const speaker of [...tally.votes.keys()]) this.withdraw(speaker, tally)
    for (const request of tally.claims.keys()) this.about.get(request)?.delete(tally)
    this.tallies.delete(tally.key)
  }

  private settled(tally: Tally): Settled[] {
    const { statement, votes, claims, count } = tally
    const { membership } = tally.context
    if (votes.size < membership.quorums.trust) return []
    const certificate: Certificate | undefined = assembleCertificate(statement, votes.values(), membership)
    if (certificate === undefined) throw new Error('unreachable: t members signed one statement')
    return [...claims.values()].map(({ request, record, bytes, index, path }) => ({
      record,
      receipt: { request, certificate, record: bytes, index, count, path },
    }))
  }

  private refuse(fault: ReceiptFault): never[] {
    this.options.count(fault)
    return []
  }
}

function emptyTally(key: string, context: EpochContext, statement: ReceiptStatement, count: number): Tally {
  return { key, context, statement, count, votes: new Map(), claims: new Map(), bytes: 0 }
}

/** The items' paths; undefined unless all are where they are said to be in the tree with this root. */
function provenPaths(items: readonly ReplyItem[], count: number, absent: Uint8Array, root: Uint8Array) {
  const ascending = items.every(({ index }, i) => index > (items[i - 1]?.index ?? -1))
  if (!ascending || items.length === 0 || (items.at(-1)?.index ?? count) >= count) return undefined
  const hashes = leafHashes(items.map(({ record }) => record))
  const leaves = items.map(({ index }, i): PresentLeaf => ({ index, leaf: hashes[i] ?? EMPTY_ROOT }))
  const paths = items.map((): Digest[] => [])
  const opened = openMultiProof(count, leaves, absent, paths)
  return opened !== undefined && equalBytes(opened, root) ? paths : undefined
}

function costOf({ bytes, path }: Claim): number {
  return bytes.length + HASH_BYTES * (path.length + 1)
}

function holdsAt(bytes: Uint8Array, offset: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[offset + i] !== expected[i]) return false
  return true
}

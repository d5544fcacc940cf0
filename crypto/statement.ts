// The bytes that are signed. One function builds them; a replica's consensus key signs nothing else but checkpoint notes.
//
// A vote is 161 bytes, whatever its kind:
//
//   offset  length  field
//        0      16  domain tag: 0x1e "quorate-vote-v1"
//       16       1  kind
//       17      32  cluster id
//       49      32  membership digest (epoch, members, n, b, c, mode, rule version)
//       81       8  view
//       89      32  justification: digest of the NewView that opened this view; of the hand-over checkpoint in a later
//                   epoch's first view; zero in the very first view, and where a statement relies on no view
//      121       8  slot
//      129      32  digest: what the vote is about
//
// A proof of possession is 89 bytes: tag 0x1e "quorate-poss-v1" (16), purpose (1), binding digest (32), index (8), key (32).
// A client's bundle of requests is 120 bytes: tag 0x1e "quorate-reqs-v1" (16), cluster id (32), client key (32), number of
// requests (8), RFC 6962 root of the requests (32). A joiner's statement is 144 bytes: tag 0x1e "quorate-join-v1" (16),
// cluster id (32), membership digest (32), consensus key (32), SHA-256 of the text of a checkpoint (32).
//
// 0x1e is a control character that no signed note may contain; a cosignature begins with "cosignature/v1", an SSHSIG with
// "SSHSIG", a Noise payload with "noise-libp2p-static-key:" (pitfall P37). Numbers are u64, big-endian, below 2^53.

import { type Digest, digest, type PublicKey, type Slot, slot, type View, view } from './brands.ts'
import { equalBytes, freshBytes, readU64, utf8, writeU64 } from './bytes.ts'

/** What a vote says; see the message table in src/consensus. */
export type VoteKind = 'prepare' | 'accept' | 'view-change' | 'new-view' | 'receipt'

/** Kind bytes. A retired number stays listed and is never used again. 6 is kept free for a fast-path vote. */
export const VOTE_KIND_BYTES: Readonly<Record<VoteKind, number>> = Object.freeze({
  prepare: 1,
  accept: 2,
  'view-change': 3,
  'new-view': 4,
  receipt: 5,
})

/** One thing that a replica can say under its signature. */
export interface VoteStatement {
  readonly kind: VoteKind
  readonly clusterId: Digest
  readonly membership: Digest
  readonly view: View
  readonly justification: Digest
  readonly slot: Slot
  readonly digest: Digest
}

/** What a key that proves its possession is for; the number is the byte in the statement. */
export const KEY_PURPOSE_BYTES = Object.freeze({ consensus: 1, transport: 2, client: 3 })
export type KeyPurpose = keyof typeof KEY_PURPOSE_BYTES

/** "I hold the secret half of this key, and it is for this": keeps anyone from listing somebody else's key as theirs. */
export interface PossessionStatement {
  readonly kind: 'possession'
  readonly purpose: KeyPurpose
  /** What the key is declared in: in a genesis, the digest of the genesis without its possession proofs. */
  readonly binding: Digest
  /** Position of the key's owner among those of its kind. */
  readonly index: number
  readonly key: PublicKey
}

/** "These are my requests": everything that a client submits in one turn, under one signature. */
export interface BundleStatement {
  readonly kind: 'bundle'
  readonly clusterId: Digest
  readonly client: PublicKey
  /** Number of requests, from 1. */
  readonly count: number
  /** RFC 6962 root over the requests' leaf hashes. */
  readonly root: Digest
}

/**
 * "I hold the state of this checkpoint, and vote from the next epoch on": without it nobody is made a member, who could be
 * one that does not know of it, or that has nothing to go on from.
 */
export interface JoinStatement {
  readonly kind: 'join'
  readonly clusterId: Digest
  /** Of the membership in office, which the change is to begin from. */
  readonly membership: Digest
  /** The consensus key that signs. */
  readonly key: PublicKey
  /** SHA-256 of the checkpoint's text, as members sign it. */
  readonly checkpoint: Digest
}

export type Statement = VoteStatement | PossessionStatement | BundleStatement | JoinStatement

export const VOTE_STATEMENT_BYTES = 161
export const POSSESSION_STATEMENT_BYTES = 89
export const BUNDLE_STATEMENT_BYTES = 120
export const JOIN_STATEMENT_BYTES = 144

const VOTE_TAG = utf8('\x1equorate-vote-v1')
const POSSESSION_TAG = utf8('\x1equorate-poss-v1')
const BUNDLE_TAG = utf8('\x1equorate-reqs-v1')
const JOIN_TAG = utf8('\x1equorate-join-v1')

/** The bytes to sign for `statement`; their number depends on its kind alone. */
export function statementBytes(statement: Statement): Uint8Array {
  switch (statement.kind) {
    case 'possession':
      return possessionBytes(statement)
    case 'bundle':
      return bundleBytes(statement)
    case 'join':
      return joinBytes(statement)
    default:
      return voteBytes(statement)
  }
}

/** True where both would be signed as the same bytes; cheaper than building those. */
export function sameStatement(a: VoteStatement, b: VoteStatement): boolean {
  if (a === b) return true
  return (
    a.kind === b.kind &&
    a.view === b.view &&
    a.slot === b.slot &&
    equalBytes(a.digest, b.digest) &&
    equalBytes(a.justification, b.justification) &&
    equalBytes(a.membership, b.membership) &&
    equalBytes(a.clusterId, b.clusterId)
  )
}

/** The vote statement in `bytes`, or undefined where they are not exactly what {@link statementBytes} writes for one. */
export function decodeVoteStatement(bytes: Uint8Array): VoteStatement | undefined {
  if (bytes.length !== VOTE_STATEMENT_BYTES || !equalBytes(bytes.subarray(0, 16), VOTE_TAG)) return undefined
  const kind = voteKinds.find((name) => VOTE_KIND_BYTES[name] === bytes[16])
  const viewNumber = readU64(bytes, 81)
  const slotNumber = readU64(bytes, 121)
  if (kind === undefined || viewNumber === undefined || slotNumber === undefined) return undefined
  return {
    kind,
    clusterId: digest(bytes.subarray(17, 49)),
    membership: digest(bytes.subarray(49, 81)),
    view: view(viewNumber),
    justification: digest(bytes.subarray(89, 121)),
    slot: slot(slotNumber),
    digest: digest(bytes.subarray(129, 161)),
  }
}

const voteKinds = Object.keys(VOTE_KIND_BYTES) as readonly VoteKind[]

function voteBytes(statement: VoteStatement): Uint8Array {
  const bytes = freshBytes(VOTE_STATEMENT_BYTES)
  bytes.set(VOTE_TAG, 0)
  bytes[16] = VOTE_KIND_BYTES[statement.kind]
  bytes.set(statement.clusterId, 17)
  bytes.set(statement.membership, 49)
  writeU64(bytes, 81, statement.view)
  bytes.set(statement.justification, 89)
  writeU64(bytes, 121, statement.slot)
  bytes.set(statement.digest, 129)
  return bytes
}

function possessionBytes(statement: PossessionStatement): Uint8Array {
  const bytes = freshBytes(POSSESSION_STATEMENT_BYTES)
  bytes.set(POSSESSION_TAG, 0)
  bytes[16] = KEY_PURPOSE_BYTES[statement.purpose]
  bytes.set(statement.binding, 17)
  writeU64(bytes, 49, statement.index)
  bytes.set(statement.key, 57)
  return bytes
}

function bundleBytes(statement: BundleStatement): Uint8Array {
  const bytes = freshBytes(BUNDLE_STATEMENT_BYTES)
  bytes.set(BUNDLE_TAG, 0)
  bytes.set(statement.clusterId, 16)
  bytes.set(statement.client, 48)
  writeU64(bytes, 80, statement.count)
  bytes.set(statement.root, 88)
  return bytes
}

function joinBytes(statement: JoinStatement): Uint8Array {
  const bytes = freshBytes(JOIN_STATEMENT_BYTES)
  bytes.set(JOIN_TAG, 0)
  bytes.set(statement.clusterId, 16)
  bytes.set(statement.membership, 48)
  bytes.set(statement.key, 80)
  bytes.set(statement.checkpoint, 112)
  return bytes
}

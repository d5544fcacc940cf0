// The two hashes of a genesis. Both are SHA-256 over the canonical JSON form (RFC 8785), so neither line breaks nor the
// order of names matter, and every value does:
//
//   cluster id          over the whole document; in every statement that a replica signs
//   possession binding  over the document without its `possession` fields; in every proof of possession. The proofs
//                       cannot be over the cluster id, which covers them.

import canonicalize from 'canonicalize'
import { type Digest, hex, type KeyPurpose, type PublicKey, sha256, statementBytes, utf8 } from '../../crypto/index.ts'
import { GENESIS_FORMAT, type GenesisContents, type GenesisContents1, type GenesisContents2 } from './format.ts'

type Unproven<Contents extends GenesisContents> = Omit<Contents, 'members' | 'clients'> & {
  readonly members: readonly Omit<Contents['members'][number], 'possession'>[]
  readonly clients: readonly Omit<Contents['clients'][number], 'possession'>[]
}

/** A genesis before its owners signed for their keys. */
export type UnprovenContents = Unproven<GenesisContents1> | Unproven<GenesisContents2>

/** The bytes that the cluster id is the SHA-256 of. Requires a document that passed {@link contentsOf}. */
export function canonicalForm(contents: GenesisContents | UnprovenContents): Uint8Array {
  const text = canonicalize(contents)
  if (text === undefined) throw new Error('unreachable: an object has a canonical form')
  return utf8(text)
}

/** What names the cluster, everywhere and for ever. */
export function clusterIdOf(contents: GenesisContents): Digest {
  return sha256(canonicalForm(contents))
}

/** What every proof of possession in the document is bound to. */
export function possessionBinding(contents: GenesisContents | UnprovenContents): Digest {
  const clients = contents.clients.map(({ name, role, key }) => ({ name, role, key }))
  if (contents.format === GENESIS_FORMAT) {
    return sha256(canonicalForm({ ...contents, members: contents.members.map(fieldsOf), clients }))
  }
  const members = contents.members.map((member) => {
    return member.operator === undefined ? fieldsOf(member) : { ...fieldsOf(member), operator: member.operator }
  })
  return sha256(canonicalForm({ ...contents, members, clients }))
}

function fieldsOf({ consensusKey, peerId, addresses }: UnprovenContents['members'][number]) {
  return { consensusKey, peerId, addresses }
}

/** The bytes that the holder of `key` signs; `index` is the position among the members or among the clients. */
export function possessionBytes(binding: Digest, purpose: KeyPurpose, index: number, key: PublicKey): Uint8Array {
  return statementBytes({ kind: 'possession', purpose, binding, index, key })
}

/** `<cluster name>-<first 8 hexadecimal digits of the cluster id>`, for people and, behind `quorate/`, for notes. */
export function clusterLabel(name: string, clusterId: Digest): string {
  return `${name}-${hex(clusterId.subarray(0, 4))}`
}

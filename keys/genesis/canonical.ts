// The two hashes of a genesis. Both are SHA-256 over the canonical JSON form (RFC 8785), so neither line breaks nor the
// order of names matter, and every value does:
//
//   cluster id          over the whole document; in every statement that a replica signs
//   possession binding  over the document without its `possession` fields; in every proof of possession. The proofs
//                       cannot be over the cluster id, which covers them.

import canonicalize from 'canonicalize'
import { type Digest, hex, type KeyPurpose, type PublicKey, sha256, statementBytes, utf8 } from '../../crypto/index.ts'
import type { GenesisContents } from './format.ts'

/** A genesis before its owners signed for their keys. */
export type UnprovenContents = Omit<GenesisContents, 'members' | 'clients'> & {
  readonly members: readonly Omit<GenesisContents['members'][number], 'possession'>[]
  readonly clients: readonly Omit<GenesisContents['clients'][number], 'possession'>[]
}

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
  return sha256(
    canonicalForm({
      format: contents.format,
      name: contents.name,
      rule: contents.rule,
      quorum: contents.quorum,
      members: contents.members.map(({ consensusKey, peerId, addresses }) => ({ consensusKey, peerId, addresses })),
      clients: contents.clients.map(({ name, role, key }) => ({ name, role, key })),
      parameters: contents.parameters,
    }),
  )
}

/** The bytes that the holder of `key` signs; `index` is the position among the members or among the clients. */
export function possessionBytes(binding: Digest, purpose: KeyPurpose, index: number, key: PublicKey): Uint8Array {
  return statementBytes({ kind: 'possession', purpose, binding, index, key })
}

/** `<cluster name>-<first 8 hexadecimal digits of the cluster id>`, for people and, behind `quorate/`, for notes. */
export function clusterLabel(name: string, clusterId: Digest): string {
  return `${name}-${hex(clusterId.subarray(0, 4))}`
}

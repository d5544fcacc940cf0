// Where the files of a keyset are, below its folder.

import { join } from 'node:path'
import type { ReplicaIndex } from '../crypto/index.ts'

export const GENESIS_FILE = 'genesis.json'
export const CONSENSUS_KEY_FILE = 'consensus.pem'
/** The key that a member is to have from the next epoch on, until it has it. */
export const NEXT_CONSENSUS_KEY_FILE = 'next-consensus.pem'
export const TRANSPORT_KEY_FILE = 'transport.pem'
export const CLIENT_KEY_FILE = 'key.pem'

export function replicaFolder(cluster: string, index: ReplicaIndex | number): string {
  return join(cluster, `replica-${index}`)
}

export function clientFolder(cluster: string, name: string): string {
  return join(cluster, `client-${name}`)
}

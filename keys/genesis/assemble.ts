// Writes a genesis: the counterpart of genesis.ts. Pure, given the signers.

import { hex, type KeyPurpose, SIGNATURE_RULE, type Signer } from '../../crypto/index.ts'
import { possessionBinding, possessionBytes } from './canonical.ts'
import { GENESIS_FORMAT, type GenesisContents, type Role } from './format.ts'
import type { Parameters } from './parameters.ts'
import { peerIdOf } from './peer-id.ts'

export interface GenesisDraft {
  readonly name: string
  readonly quorum: { readonly byzantine: number; readonly crash: number }
  /** In the order of their replica indexes. */
  readonly members: readonly {
    readonly consensus: Signer
    readonly transport: Signer
    readonly addresses: readonly string[]
  }[]
  readonly clients: readonly { readonly name: string; readonly role: Role; readonly key: Signer }[]
  readonly parameters: Parameters
}

/** The document with every proof of possession. Checks nothing: read the result back with `readGenesis`. */
export function assembleGenesis({ name, quorum, members, clients, parameters }: GenesisDraft): GenesisContents {
  const binding = possessionBinding({
    format: GENESIS_FORMAT,
    name,
    rule: SIGNATURE_RULE,
    quorum,
    members: members.map((member) => memberFields(member)),
    clients: clients.map((client) => clientFields(client)),
    parameters,
  })
  const prove = (signer: Signer, purpose: KeyPurpose, index: number) =>
    hex(signer.sign(possessionBytes(binding, purpose, index, signer.publicKey)))
  return {
    format: GENESIS_FORMAT,
    name,
    rule: SIGNATURE_RULE,
    quorum: { byzantine: quorum.byzantine, crash: quorum.crash },
    members: members.map((member, index) => ({
      ...memberFields(member),
      possession: {
        consensus: prove(member.consensus, 'consensus', index),
        transport: prove(member.transport, 'transport', index),
      },
    })),
    clients: clients.map((client, index) => ({
      ...clientFields(client),
      possession: prove(client.key, 'client', index),
    })),
    parameters,
  }
}

/** The text of a genesis file: indented JSON, fields in the order of the document. */
export function genesisText(contents: GenesisContents): string {
  return `${JSON.stringify(contents, undefined, 2)}\n`
}

function memberFields({ consensus, transport, addresses }: GenesisDraft['members'][number]) {
  return { consensusKey: hex(consensus.publicKey), peerId: peerIdOf(transport.publicKey), addresses }
}

function clientFields({ name, role, key }: GenesisDraft['clients'][number]) {
  return { name, role, key: hex(key.publicKey) }
}

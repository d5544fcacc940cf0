// Writes a genesis: the counterpart of genesis.ts. Pure, given the signers.

import { hex, type KeyPurpose, SIGNATURE_RULE, type Signer } from '../../crypto/index.ts'
import { possessionBinding, possessionBytes, type UnprovenContents } from './canonical.ts'
import { GENESIS_FORMAT, GENESIS_FORMAT_2, type GenesisContents, type Role } from './format.ts'
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
    /** The name of a client. */
    readonly operator?: string
  }[]
  readonly clients: readonly { readonly name: string; readonly role: Role; readonly key: Signer }[]
  readonly parameters: Parameters
  /** How many admins must agree on a change of the membership; one where left out. */
  readonly admins?: { readonly threshold: number }
}

/**
 * The document with every proof of possession; of the second format only where the first cannot say it. Checks nothing: read
 * the result back with `readGenesis`.
 */
export function assembleGenesis(draft: GenesisDraft): GenesisContents {
  const unproven = contentsOf(draft)
  const binding = possessionBinding(unproven)
  const prove = (signer: Signer, purpose: KeyPurpose, index: number) =>
    hex(signer.sign(possessionBytes(binding, purpose, index, signer.publicKey)))
  const possessions = draft.members.map(({ consensus, transport }, index) => ({
    consensus: prove(consensus, 'consensus', index),
    transport: prove(transport, 'transport', index),
  }))
  const clients = draft.clients.map((client, index) => ({
    ...clientFields(client),
    possession: prove(client.key, 'client', index),
  }))
  const proven = <Fields>(fields: Fields, index: number) => {
    const possession = possessions[index]
    if (possession === undefined) throw new Error('unreachable: a member without proofs')
    return { ...fields, possession }
  }
  if (unproven.format === GENESIS_FORMAT) return { ...unproven, members: unproven.members.map(proven), clients }
  return { ...unproven, members: unproven.members.map(proven), clients }
}

/** The text of a genesis file: indented JSON, fields in the order of the document. */
export function genesisText(contents: GenesisContents): string {
  return `${JSON.stringify(contents, undefined, 2)}\n`
}

function contentsOf({ name, quorum, members, clients, parameters, admins }: GenesisDraft): UnprovenContents {
  const common = {
    name,
    rule: SIGNATURE_RULE,
    quorum: { byzantine: quorum.byzantine, crash: quorum.crash },
    members: members.map(memberFields),
    clients: clients.map(clientFields),
    parameters,
  } as const
  if (admins === undefined && members.every(({ operator }) => operator === undefined)) {
    return { format: GENESIS_FORMAT, ...common }
  }
  return {
    format: GENESIS_FORMAT_2,
    ...common,
    members: members.map((member) => {
      const { operator } = member
      return operator === undefined ? memberFields(member) : { ...memberFields(member), operator }
    }),
    admins: { threshold: admins?.threshold ?? 1 },
  }
}

function memberFields({ consensus, transport, addresses }: GenesisDraft['members'][number]) {
  return { consensusKey: hex(consensus.publicKey), peerId: peerIdOf(transport.publicKey), addresses }
}

function clientFields({ name, role, key }: GenesisDraft['clients'][number]) {
  return { name, role, key: hex(key.publicKey) }
}

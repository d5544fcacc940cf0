// Who asks for the changes of the membership that a scenario names, one after another: makes the command of each from the charter
// in office, with what its new members sign, and asks all members until the next epoch has begun.

import {
  assembleStableCheckpoint,
  checkpointOf,
  checkpointText,
  memberId,
  merkleRoot,
  type Signer,
  statementBytes,
} from '../../crypto/index.ts'
import { joinBytes, memberPossessionBytes } from '../../keys/charter/index.ts'
import { requestId, type SignedRequest } from '../consensus/index.ts'
import { type Edit, encodeSystemCommand, type NewMember } from '../machine/index.ts'
import { CLUSTER_NAME } from './group.ts'
import { FIRST_CLIENT_ADDRESS, type World } from './world.ts'

const RETRY_US = 200_000

export class Admin {
  private readonly world: World
  private readonly signer: Signer
  private sequence = 0
  private asking: { readonly epoch: number; readonly request: SignedRequest } | undefined

  constructor(world: World, signer: Signer) {
    this.world = world
    this.signer = signer
  }

  /** No change is left that was asked for, or is to be. */
  get done(): boolean {
    return this.world.epochs.newest >= this.world.scenario.changes.length
  }

  start(): void {
    this.plan()
  }

  private plan(): void {
    const { world } = this
    const change = world.scenario.changes[world.epochs.newest]
    if (change !== undefined) world.at(world.nowUs + 1000 * change.afterMs, () => this.ask(world.epochs.newest))
  }

  private ask(epoch: number): void {
    const { world } = this
    if (world.epochs.newest > epoch) return this.plan()
    if (this.asking?.epoch !== epoch) this.asking = { epoch, request: this.request(epoch) }
    const packet = { kind: 'requests', client: world.scenario.clients.length, requests: [this.asking.request] } as const
    for (const index of world.epochs.members(epoch))
      for (const address of world.epochs.addressesOf(epoch, index))
        world.transmit(FIRST_CLIENT_ADDRESS + world.scenario.clients.length, address, packet)
    world.at(world.nowUs + RETRY_US, () => this.ask(epoch))
  }

  private request(epoch: number): SignedRequest {
    const { clusterId } = this.world.group.membership
    this.sequence += 1
    const made = { client: this.signer.publicKey, sequence: this.sequence, command: this.command(epoch) }
    const id = requestId(made)
    const root = merkleRoot([id])
    const statement = { kind: 'bundle', clusterId, client: made.client, count: 1, root } as const
    const signature = this.signer.sign(statementBytes(statement))
    return { request: made, id, proof: { index: 0, count: 1, root, path: [], signature } }
  }

  private command(epoch: number): Uint8Array {
    const { epochs, scenario, group } = this.world
    const change = scenario.changes[epoch]
    const before = scenario.changes.slice(0, epoch).reduce((sum, { add }) => sum + add, 0)
    const adds = group.candidates.slice(before, before + (change?.add ?? 0)).map((signer, i): Edit => {
      return { op: 'add', member: this.newMember(epoch, signer, before + i) }
    })
    // In a simulated cluster the identity of a member is where it is: candidates are numbered on from the first members.
    const removes = (change?.remove ?? []).map((id): Edit => ({ op: 'remove', id: memberId(id) }))
    const base = epochs.context(epoch).membership.digest
    const rest = { quorum: undefined, parameters: undefined, threshold: undefined }
    return encodeSystemCommand({ kind: 'change', base, edits: [...adds, ...removes], ...rest })
  }

  private newMember(epoch: number, consensus: Signer, candidate: number): NewMember {
    const { epochs, group } = this.world
    const transport = group.suite.signer(`transport of candidate ${candidate}`)
    const base = { clusterId: group.membership.clusterId, membership: epochs.context(epoch).membership.digest }
    const sign = (purpose: 'consensus' | 'transport', by: Signer) =>
      by.sign(memberPossessionBytes(purpose, by.publicKey, base))
    const { text, note } = this.held(epoch)
    return {
      ...{ consensusKey: consensus.publicKey, transportKey: transport.publicKey, operator: undefined },
      addresses: [`/ip4/127.0.0.1/tcp/${4000 + candidate}`],
      possession: { consensus: sign('consensus', consensus), transport: sign('transport', transport) },
      held: note,
      joined: consensus.sign(joinBytes(consensus.publicKey, base, text)),
    }
  }

  /** What began the epoch: the state that who joins is sure to find. */
  private held(epoch: number): { readonly text: string; readonly note: Uint8Array } {
    const link = this.world.epochs.links[epoch - 1]
    if (link === undefined) return { text: '', note: new Uint8Array(0) }
    const { signatures, ...content } = link.checkpoint
    const { membership } = this.world.epochs.context(epoch - 1)
    const { verifier } = this.world.group.suite
    const made = assembleStableCheckpoint(content, signatures, membership, CLUSTER_NAME, verifier)
    if (!made.ok) throw new Error(`a hand-over makes no note: ${made.fault.code}`)
    return { text: checkpointText(checkpointOf(content, membership, CLUSTER_NAME)), note: made.value.stable.note }
  }
}

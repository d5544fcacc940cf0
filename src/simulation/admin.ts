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
import { type ChangeBase, joinBytes, memberPossessionBytes } from '../../keys/charter/index.ts'
import { requestId, type SignedRequest } from '../consensus/index.ts'
import { type Edit, encodeSystemCommand, type NewMember } from '../machine/index.ts'
import { firstArrivalOf } from './cast.ts'
import { CLUSTER_NAME } from './group.ts'
import { FIRST_CLIENT_ADDRESS, type World } from './world.ts'

const RETRY_US = 200_000
/** Times that it asks with the same request. */
const RENEW_EVERY = 5

export class Admin {
  private readonly world: World
  private readonly signer: Signer
  private sequence = 0
  private asking: { readonly epoch: number; readonly request: SignedRequest; times: number } | undefined

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
    // Refused or not, what was asked long ago may be out of date: asked anew, it is another request, and one of them is taken.
    if (this.asking?.epoch !== epoch || this.asking.times === RENEW_EVERY)
      this.asking = { epoch, request: this.request(epoch), times: 0 }
    this.asking.times += 1
    const { clients } = world.scenario
    const packet = { kind: 'requests', client: clients.length, requests: [this.asking.request] } as const
    for (const index of world.epochs.members(epoch))
      for (const address of world.epochs.addressesOf(epoch, index))
        world.transmit(FIRST_CLIENT_ADDRESS + clients.length, address, packet)
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
    const { epochs, scenario } = this.world
    const change = scenario.changes[epoch]
    if (change === undefined) throw new Error(`no change is planned for epoch ${epoch}`)
    const { add, remove, replace = [], rotate = [], quorum } = change
    const { membership, charter } = epochs.context(epoch)
    const first = firstArrivalOf(scenario, epoch)
    const edits = [
      ...Array.from({ length: add }, (_, i): Edit => ({ op: 'add', member: this.newMember(epoch, first + i) })),
      ...replace.map((identity, i): Edit => {
        return { op: 'replace', id: memberId(identity), member: this.newMember(epoch, first + add + i) }
      }),
      ...remove.map((identity): Edit => ({ op: 'remove', id: memberId(identity) })),
      ...rotate.map((identity): Edit => this.rotation(epoch, identity)),
    ]
    const parameters = change.parameters && { ...charter.parameters, ...change.parameters }
    const rest = { quorum, parameters, threshold: undefined }
    return encodeSystemCommand({ kind: 'change', base: membership.digest, edits, ...rest })
  }

  private rotation(epoch: number, identity: number): Edit {
    const { publicKey: consensusKey, sign } = this.world.group.cast.rotated(identity, epoch)
    const possession = sign(memberPossessionBytes('consensus', consensusKey, this.base(epoch)))
    return { op: 'rotate-key', id: memberId(identity), consensusKey, possession }
  }

  private newMember(epoch: number, identity: number): NewMember {
    const { cast } = this.world.group
    const [consensus, transport] = [cast.signer(identity), cast.transport(identity)]
    const base = this.base(epoch)
    const sign = (purpose: 'consensus' | 'transport', by: Signer) =>
      by.sign(memberPossessionBytes(purpose, by.publicKey, base))
    const { text, note } = this.held(epoch)
    return {
      ...{ consensusKey: consensus.publicKey, transportKey: transport.publicKey, operator: undefined },
      addresses: [`/ip4/127.0.0.1/tcp/${4000 + identity}`],
      possession: { consensus: sign('consensus', consensus), transport: sign('transport', transport) },
      held: note,
      joined: consensus.sign(joinBytes(consensus.publicKey, base, text)),
    }
  }

  private base(epoch: number): ChangeBase {
    const { membership } = this.world.epochs.context(epoch)
    return { clusterId: membership.clusterId, membership: membership.digest }
  }

  /** The newest state that who joins can have fetched: of a stable checkpoint, or what the epoch began with. */
  private held(epoch: number): { readonly text: string; readonly note: Uint8Array } {
    const { epochs, stable } = this.world
    const began = epochs.links[epoch - 1]?.checkpoint
    const held = stable !== undefined && stable.signatures.length > 0 ? stable : began
    if (held === undefined) return { text: '', note: new Uint8Array(0) }
    const { signatures, ...content } = held
    const { membership } = epochs.at(held.slot)
    const made = assembleStableCheckpoint(
      content,
      signatures,
      membership,
      CLUSTER_NAME,
      this.world.group.suite.verifier,
    )
    if (!made.ok) throw new Error(`a stable checkpoint makes no note: ${made.fault.code}`)
    return { text: checkpointText(checkpointOf(content, membership, CLUSTER_NAME)), note: made.value.stable.note }
  }
}

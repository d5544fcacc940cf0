// Who is at the other ends of the transport. Its roster is that of the epoch in office, position by position, and after it those who are
// served, and of whom nothing is heard in consensus: members of the epoch before that are gone.

import { equalBytes, MAX_REPLICAS, type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import type { CharterMember } from '../../keys/charter/index.ts'
import { type Genesis, peerIdOf } from '../../keys/index.ts'
import type { PeerChannel, ReplicaTransport, RosterEntry } from '../../net/index.ts'
import type { Epochs } from './epochs.ts'
import type { MachineHost } from './machine-host.ts'
import type { Peer, Reigns } from './reign.ts'
import type { Retirement } from './retirement.ts'

export interface NetworkOptions {
  readonly transport: ReplicaTransport
  readonly genesis: Genesis
  readonly reigns: Reigns
  readonly epochs: Pick<Epochs, 'membersBefore'>
  readonly host: Pick<MachineHost, 'addressesOf' | 'position'>
  readonly retirement: Pick<Retirement, 'guests'>
}

export class Network {
  private readonly options: NetworkOptions
  private roster: readonly RosterEntry[] = []
  /** Positions in the roster. */
  private positions: ReadonlyMap<Peer, ReplicaIndex> = new Map()

  constructor(options: NetworkOptions) {
    this.options = options
    this.roster = options.genesis.members
    this.refresh()
  }

  /** Who stands at this position of the roster. */
  at(position: ReplicaIndex): Peer | undefined {
    return this.roster[position]?.peerId
  }

  /** Everybody in the roster. */
  get everybody(): readonly Peer[] {
    return this.roster.map(({ peerId }) => peerId)
  }

  /** False where the frame was dropped. */
  send(to: Peer, channel: PeerChannel, frame: Uint8Array): boolean {
    const position = this.positions.get(to)
    return position !== undefined && this.options.transport.send(position, channel, frame)
  }

  connected(peer: Peer): boolean {
    const position = this.positions.get(peer)
    return position !== undefined && this.options.transport.connected(position)
  }

  /** To be called where the epoch, or an address in the state, may be another. */
  refresh(): void {
    const { reigns, transport } = this.options
    const { current, former } = reigns
    const members = [current, ...(former === undefined ? [] : [former])].flatMap(({ epoch }) => epoch.charter.members)
    const entries = new Map<Peer, RosterEntry>()
    for (const member of [...members, ...this.guests]) {
      const entry = this.entryOf(member)
      if (!entries.has(entry.peerId)) entries.set(entry.peerId, entry)
    }
    const roster = [...entries.values()].slice(0, MAX_REPLICAS)
    if (sameRoster(roster, this.roster) && this.positions.size > 0) return
    // First: who left goes down under its old position.
    transport.update(roster)
    this.roster = roster
    this.positions = new Map(roster.map(({ peerId }, i) => [peerId, replicaIndex(i)]))
  }

  /**
   * Who is served beside the members of the epochs that have a core here; and who serves us: all that have the state with which our epoch
   * begins may have left with the one before.
   */
  private get guests(): readonly CharterMember[] {
    const { reigns, epochs, host, retirement } = this.options
    const { epoch } = reigns.current
    const lacksStart = host.position.slot < epoch.start.slot
    return [...retirement.guests, ...(lacksStart ? epochs.membersBefore(epoch) : [])]
  }

  /** The addresses of the state, where it has them; else those by which it was known last. */
  private entryOf({ id, transportKey }: CharterMember): RosterEntry {
    const { host, genesis } = this.options
    const peerId = peerIdOf(transportKey)
    const told = host.addressesOf(id)
    if (told.length > 0) return { peerId, addresses: told }
    const known = this.roster.find((each) => each.peerId === peerId)
    const first = genesis.members.find((each) => equalBytes(each.transportKey, transportKey))
    return { peerId, addresses: (known ?? first)?.addresses ?? [] }
  }
}

function sameRoster(one: readonly RosterEntry[], other: readonly RosterEntry[]): boolean {
  const textOf = (roster: readonly RosterEntry[]) =>
    JSON.stringify(roster.map(({ peerId, addresses }) => [peerId, ...addresses]))
  return textOf(one) === textOf(other)
}

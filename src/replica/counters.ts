// What a replica counts about itself and its peers, for metrics and tests. Names come from our own code, never from a peer, so the
// tables stay small.

import type { ReplicaIndex } from '../../crypto/index.ts'

/** Why frames of peers or clients came to nothing. */
export type CounterTable = Map<string, number>

export class Counters {
  /** Frames that no honest replica sends, by peer and code: `1 bad-signature`. */
  readonly blamed: CounterTable = new Map()
  /** Messages passed over before their signatures were checked, by reason. */
  readonly ignored: CounterTable = new Map()
  /** Requests that clients were refused, by code. */
  readonly refused: CounterTable = new Map()
  /** Views begun or given up, by reason. */
  readonly views: CounterTable = new Map()
  messages = 0
  turns = 0
  chunksSent = 0
  /** Made with the consensus key. */
  signatures = 0
  /** Frames to peers that the transport had no room for. */
  unsent = 0

  /** `peer`: the position of a member, or `former`. */
  blame(peer: string, code: string): void {
    count(this.blamed, `${peer} ${code}`)
  }

  ignore(reason: string): void {
    count(this.ignored, reason)
  }

  refuse(code: string): void {
    count(this.refused, code)
  }

  view(reason: string): void {
    count(this.views, reason)
  }

  /** Frames of this peer that no honest replica sends. */
  blamedOf(peer: ReplicaIndex): number {
    let sum = 0
    for (const [name, number] of this.blamed) if (name.startsWith(`${peer} `)) sum += number
    return sum
  }
}

function count(table: CounterTable, name: string): void {
  table.set(name, (table.get(name) ?? 0) + 1)
}

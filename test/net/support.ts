// What the tests of the network share: a genesis of four members and two clients, handlers that write down what they
// hear, and waiting for something to have happened.

import { replicaIndex } from '../../crypto/index.ts'
import { type Genesis, peerIdOf } from '../../keys/index.ts'
import type {
  ClientLink,
  ClientTransportHandlers,
  FormerLink,
  PeerChannel,
  ReplicaTransportHandlers,
  RosterEntry,
} from '../../net/index.ts'
import { genesisOf, memberDraft, sample, signerNamed } from '../keys/sample.ts'

export const GENESIS: Genesis = genesisOf(
  sample({
    quorum: { byzantine: 1, crash: 0 },
    members: [0, 1, 2, 3].map(memberDraft),
    clients: [
      { name: 'admin', role: 'admin', key: signerNamed('client admin') },
      { name: 'writer-1', role: 'writer', key: signerNamed('client writer-1') },
    ],
  }),
)

export const [R0, R1, R2, R3] = [replicaIndex(0), replicaIndex(1), replicaIndex(2), replicaIndex(3)]

/** Of the ends called `ends`, in this order: those of the genesis by their index there, and others beyond. */
export function rosterOf(...ends: readonly number[]): RosterEntry[] {
  return ends.map((end) => {
    const { transport, addresses } = memberDraft(end)
    return { peerId: peerIdOf(transport.publicKey), addresses }
  })
}

/** A frame that says `text`. */
export function frame(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** Something that happens step by step; `until` waits for the step after which `holds`. */
export class Happenings {
  readonly #waiting = new Set<() => void>()

  happened(): void {
    for (const check of [...this.#waiting]) check()
  }

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }
}

/** A member's handlers: every event as one line, frames kept, and clients by their links. */
export class HeardByReplica extends Happenings implements ReplicaTransportHandlers {
  readonly lines: string[] = []
  readonly frames: Uint8Array[] = []
  readonly links = new Set<ClientLink>()
  readonly visits: FormerLink[] = []
  readonly #known: readonly string[]
  readonly #formers = new Set<string>()
  /** Called with every frame of a client. */
  onClientFrame: (link: ClientLink, bytes: Uint8Array) => void = () => undefined
  onPeerFrame: (from: number, channel: PeerChannel, bytes: Uint8Array) => void = () => undefined
  onPeerUp: (peer: number) => void = () => undefined
  onFormerFrame: (link: FormerLink, bytes: Uint8Array) => void = () => undefined

  /** `known`: names of the seeds of clients that it lets in. */
  constructor(known: readonly string[] = ['client admin', 'client writer-1']) {
    super()
    this.#known = known.map((name) => String(signerNamed(name).publicKey))
  }

  peerFrame(from: number, channel: PeerChannel, bytes: Uint8Array): void {
    this.frames.push(bytes)
    this.onPeerFrame(from, channel, bytes)
    this.#add(`${channel} from ${from}: ${summary(bytes)}`)
  }

  peerUp(peer: number): void {
    this.onPeerUp(peer)
    this.#add(`up ${peer}`)
  }

  peerDown(peer: number): void {
    this.#add(`down ${peer}`)
  }

  clientFrame(link: ClientLink, bytes: Uint8Array): void {
    this.frames.push(bytes)
    this.onClientFrame(link, bytes)
    this.#add(`client ${link.id}: ${summary(bytes)}`)
  }

  clientUp(link: ClientLink): void {
    this.links.add(link)
    this.#add(`client up ${link.id}`)
  }

  clientDown(link: ClientLink): void {
    this.links.delete(link)
    this.#add(`client down ${link.id}`)
  }

  isClient(key: Uint8Array): boolean {
    return this.#known.includes(String(key))
  }

  isFormer(key: Uint8Array): boolean {
    return this.#formers.has(String(key))
  }

  formerFrame(link: FormerLink, bytes: Uint8Array): void {
    this.visits.push(link)
    this.onFormerFrame(link, bytes)
    this.#add(`former: ${summary(bytes)}`)
  }

  /** Takes the transport key of each of `ends` for a former member's. */
  knowFormers(...ends: readonly number[]): void {
    for (const end of ends) this.#formers.add(String(signerNamed(`transport ${end}`).publicKey))
  }

  heard(line: string): Promise<void> {
    return this.until(() => this.lines.includes(line))
  }

  #add(line: string): void {
    this.lines.push(line)
    this.happened()
  }
}

export class HeardByClient extends Happenings implements ClientTransportHandlers {
  readonly lines: string[] = []

  replicaFrame(from: number, bytes: Uint8Array): void {
    this.#add(`frame from ${from}: ${summary(bytes)}`)
  }

  replicaUp(replica: number): void {
    this.#add(`up ${replica}`)
  }

  replicaDown(replica: number): void {
    this.#add(`down ${replica}`)
  }

  heard(line: string): Promise<void> {
    return this.until(() => this.lines.includes(line))
  }

  #add(line: string): void {
    this.lines.push(line)
    this.happened()
  }
}

/** Short frames as text, longer ones by their length. */
function summary(bytes: Uint8Array): string {
  return bytes.length <= 40 ? textOf(bytes) : `${bytes.length} bytes`
}

// The links of one end with everybody in its roster, which may change while it runs.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { Roster } from '../roster.ts'
import type { RosterEntry } from '../transport.ts'

/** Where the other side of a link stands now: read at each use, since a link may outlive several rosters. */
export interface Place {
  readonly index: ReplicaIndex
  readonly entry: RosterEntry
}

/** What a link has to do beside carrying frames. */
export interface RosterLink {
  start(): void
  /** Says that it is down where it was up, and nothing more after that. */
  stop(): void
  /** Stops, and ends its connections. */
  drop(): void
}

interface Seat<Link> {
  readonly place: { index: ReplicaIndex; entry: RosterEntry }
  readonly link: Link
}

export class Links<Link extends RosterLink> {
  readonly #self: string | undefined
  readonly #make: (place: Place, self: ReplicaIndex | undefined) => Link
  readonly #seats = new Map<string, Seat<Link>>()
  #roster: Roster
  #running = false

  /** `self`: the own peer id, which gets no link; `make` is told its position, where it has one. */
  constructor(roster: Roster, make: (place: Place, self: ReplicaIndex | undefined) => Link, self?: string) {
    this.#self = self
    this.#make = make
    this.#roster = roster
    this.update(roster)
  }

  *[Symbol.iterator](): Iterator<Link> {
    for (const { link } of this.#seats.values()) yield link
  }

  at(index: ReplicaIndex): Link | undefined {
    const entry = this.#roster.entries[index]
    return entry === undefined ? undefined : this.of(entry.peerId)
  }

  of(peerId: string): Link | undefined {
    return this.#seats.get(peerId)?.link
  }

  start(): void {
    this.#running = true
    for (const link of this) link.start()
  }

  stop(): void {
    this.#running = false
    for (const link of this) link.stop()
  }

  /** Goes over to `roster`; the peer ids that are new in it. */
  update(roster: Roster): string[] {
    // First, so that they are down under the positions by which they are known.
    for (const [peerId, { link }] of this.#seats) {
      if (roster.indexOf(peerId) !== undefined) continue
      link.drop()
      this.#seats.delete(peerId)
    }
    this.#roster = roster
    const added = roster.entries.filter(({ peerId }) => peerId !== this.#self && !this.#seats.has(peerId))
    for (const entry of roster.entries) this.#seat(entry)
    return added.map(({ peerId }) => peerId)
  }

  #seat(entry: RosterEntry): void {
    const index = this.#roster.indexOf(entry.peerId)
    if (entry.peerId === this.#self || index === undefined) return
    const known = this.#seats.get(entry.peerId)
    if (known !== undefined) {
      known.place.index = index
      known.place.entry = entry
      return
    }
    const place = { index, entry }
    const self = this.#self === undefined ? undefined : this.#roster.indexOf(this.#self)
    const link = this.#make(place, self)
    this.#seats.set(entry.peerId, { place, link })
    if (this.#running) link.start()
  }
}

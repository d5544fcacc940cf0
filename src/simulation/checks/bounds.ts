// I9: nothing in a core grows past what follows from the parameters and the number of clients, whatever peers and clients send.

import { logWindow, PENDING_PER_CLIENT, type ProtocolParameters } from '../../consensus/index.ts'
import { type Observer, Violation } from '../observer.ts'

/** How many clients there are, and how many requests they have under way in all. */
export interface Clients {
  readonly clients: number
  readonly requests: number
}

/** A core to measure. */
export interface Measured {
  readonly address: number
  readonly honest: boolean
  readonly memory: object | undefined
}

/** Collections of requests: a liar may send old ones again, up to what the core keeps for a client. */
const REQUESTS = new Set(['core.pending', 'core.unassigned'])
/** Looks are rare, since each walks all that a core remembers. */
const LOOK_EVERY = 25
/** Levels of collections that are walked. */
const DEPTH = 3

export class BoundsCheck implements Observer {
  /** The most seen of each collection, for the report. */
  readonly peaks = new Map<string, number>()
  private readonly measured: () => readonly Measured[]
  private readonly limit: number
  private readonly requestLimit: number
  private looks = 0

  /** `parameters`: those of every epoch. */
  constructor(
    measured: () => readonly Measured[],
    parameters: readonly ProtocolParameters[],
    replicas: number,
    clients: Clients,
  ) {
    this.measured = measured
    // Slots of the window and of the tail, each with votes of all; messages kept ahead; requests under way, at most twice each.
    this.limit = 2 * Math.max(...parameters.map(logWindow)) + 8 * replicas + 256 + 2 * clients.requests
    this.requestLimit = clients.clients * PENDING_PER_CLIENT
  }

  time(): void {
    if (this.looks++ % LOOK_EVERY === 0) this.look()
  }

  finished(): void {
    this.look()
  }

  private look(): void {
    for (const { address, honest, memory } of this.measured()) {
      if (honest && memory !== undefined) this.walk(address, 'core', memory, DEPTH)
    }
  }

  private walk(address: number, name: string, value: object, depth: number): void {
    const size = sizeOf(value)
    if (size !== undefined) this.judge(address, name, size)
    if (depth === 0) return
    const members =
      value instanceof Map ? [...value.values()] : value instanceof Set || value instanceof Uint8Array ? [] : undefined
    if (members !== undefined) return this.walkAll(address, name, members, depth)
    for (const [key, member] of Object.entries(value)) {
      if (typeof member !== 'object' || member === null || key === 'config') continue
      this.walk(address, Array.isArray(value) ? `${name}[]` : `${name}.${key}`, member, depth - 1)
    }
  }

  private walkAll(address: number, name: string, members: readonly unknown[], depth: number): void {
    for (const member of members) {
      if (typeof member === 'object' && member !== null) this.walk(address, `${name}[]`, member, depth - 1)
    }
  }

  private judge(address: number, name: string, size: number): void {
    if (size > (this.peaks.get(name) ?? 0)) this.peaks.set(name, size)
    const limit = REQUESTS.has(name) ? this.requestLimit : this.limit
    if (size <= limit) return
    throw new Violation('I9 bounds', `r${address}: ${name} holds ${size} items, more than ${limit}`)
  }
}

function sizeOf(value: object): number | undefined {
  if (value instanceof Map || value instanceof Set) return value.size
  return Array.isArray(value) ? value.length : undefined
}

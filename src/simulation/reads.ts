// Where a simulated replica answers reads from its own state: once everything is executed that its core says must be. A liar answers
// what it answered the first time, which was true then.

import { bytesKey, type ReplicaIndex, type Slot } from '../../crypto/index.ts'
import type { Core } from './core.ts'
import type { MachineHost } from './machine-host.ts'
import type { ReadAnswer, ReadQuestion } from './packets.ts'
import { FIRST_CLIENT_ADDRESS, type World } from './world.ts'

export interface ReadsParts {
  readonly world: World
  readonly self: {
    readonly address: number
    readonly epoch: number
    readonly index: ReplicaIndex
    readonly honest: boolean
  }
  /** Of the epoch in office. */
  readonly core: () => Core
  readonly host: MachineHost
}

interface Held {
  readonly client: number
  readonly read: ReadQuestion
  readonly at: Slot
}

export class Reads {
  private readonly parts: ReadsParts
  private held: Held[] = []
  private readonly first = new Map<string, NonNullable<ReadAnswer>>()

  constructor(parts: ReadsParts) {
    this.parts = parts
  }

  /** `nowMs` and `wallMs` are read after the question came. */
  ask(client: number, read: ReadQuestion, nowMs: number, wallMs: number): void {
    const core = this.parts.core()
    const at = read.lease ? core.leaseIndex(nowMs, wallMs) : core.readIndex()
    if (at === undefined) return this.answer(client, read.id, undefined)
    this.held.push({ client, read, at })
    this.flush()
  }

  /** To be called after every execution. */
  flush(): void {
    const { core, host } = this.parts
    if (this.held.length === 0) return
    const { transferring, ended } = core().status()
    if (transferring || ended) return
    const { slot } = host.position
    const ready = this.held.filter(({ at }) => at <= slot)
    this.held = this.held.filter(({ at }) => at > slot)
    for (const { client, read } of ready) this.serve(client, read, slot)
  }

  private serve(client: number, { id, command }: ReadQuestion, slot: Slot): void {
    const { world, self, host } = this.parts
    const key = world.group.clientSigners[client]?.publicKey
    if (key === undefined) return
    const truth = { slot, result: host.read(command, key).result }
    if (self.honest) return this.answer(client, id, truth)
    const name = bytesKey(command)
    const old = this.first.get(name) ?? truth
    this.first.set(name, old)
    this.answer(client, id, { ...old, slot })
  }

  private answer(client: number, id: number, answer: ReadAnswer): void {
    const { world, self } = this.parts
    const { epoch, index: replica } = self
    const packet = { kind: 'read-answer', epoch, replica, id, answer } as const
    world.transmit(self.address, FIRST_CLIENT_ADDRESS + client, packet)
  }
}

// I6: every honest replica executes every slot once and in order, with the same results and the same state; a request takes effect
// once; and only what a client signed is executed. The results are compared with a model of the store that is a plain map.

import { type Digest, hex, type Slot } from '../../../crypto/index.ts'
import { type Effect, type Entry, type VerifyContext, verifyRequest } from '../../consensus/index.ts'
import { decodeResultRecord, type EntryResults, isSystemCommand } from '../../machine/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'
import { StoreModel } from './store-model.ts'

const NAME = 'I6 one execution'

export class ExecutionCheck implements Observer {
  private readonly contextOf: (epoch: number) => VerifyContext
  /** Last slot of each copy of a replica, in its present life. */
  private readonly positions = new Map<number, number>()
  private readonly entries = new Map<number, { readonly entry: Entry; readonly timestampMs: number }>()
  private readonly roots = new Map<number, string>()
  private readonly states = new Map<number, string>()
  /** Slot in which each request took effect. */
  private readonly took = new Map<string, number>()
  private readonly model = new StoreModel()

  /** `contextOf` tells by what the requests of an epoch's entries are judged: strictly, whatever the replicas do. */
  constructor(contextOf: (epoch: number) => VerifyContext) {
    this.contextOf = contextOf
  }

  started(replica: ReplicaView, _records: unknown, slot: Slot): void {
    this.positions.set(replica.address, slot)
  }

  installed(replica: ReplicaView, { slot, stateRoot }: { readonly slot: Slot; readonly stateRoot: Digest }): void {
    this.positions.set(replica.address, slot)
    if (replica.honest) this.same(this.states, slot, hex(stateRoot), `r${replica.address} installed another state`)
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest || effect.kind !== 'execute' || this.entries.has(effect.entry.header.slot)) return
    this.entries.set(effect.entry.header.slot, effect)
    for (const request of effect.entry.requests) {
      const checked = verifyRequest(request, this.contextOf(effect.entry.header.epoch))
      if (!checked.ok)
        throw new Violation(NAME, `slot ${effect.entry.header.slot} holds a request: ${checked.fault.code}`)
    }
  }

  executed(replica: ReplicaView, slot: Slot, results: EntryResults, stateRoot: Digest | undefined): void {
    if (!replica.honest) return
    const previous = this.positions.get(replica.address) ?? 0
    if (slot !== previous + 1) {
      throw new Violation(NAME, `r${replica.address} executed slot ${slot} after slot ${previous}`)
    }
    this.positions.set(replica.address, slot)
    const first = !this.roots.has(slot)
    this.same(this.roots, slot, hex(results.root), `r${replica.address} has other results`)
    if (stateRoot !== undefined) this.same(this.states, slot, hex(stateRoot), `r${replica.address} has another state`)
    if (first) this.judge(slot, results)
  }

  private same(known: Map<number, string>, slot: number, value: string, otherwise: string): void {
    const before = known.get(slot)
    if (before === undefined) known.set(slot, value)
    else if (before !== value) throw new Violation(NAME, `slot ${slot}: ${otherwise}`)
  }

  private judge(slot: number, { records }: EntryResults): void {
    const executed = this.entries.get(slot)
    const requests = executed?.entry.requests ?? []
    if (executed !== undefined) this.model.begin(executed.timestampMs)
    requests.forEach(({ request }, i) => {
      const record = decodeResultRecord(records[i] ?? new Uint8Array(0))
      if (record === undefined) throw new Violation(NAME, `slot ${slot}: unreadable result ${i}`)
      const { outcome, result } = record
      if ((outcome !== 'done' && outcome !== 'refused') || record.slot !== slot) return
      const key = `${hex(request.client)}/${request.sequence}`
      const before = this.took.get(key)
      if (before !== undefined) {
        throw new Violation(NAME, `request ${request.sequence} took effect in slot ${before} and again in slot ${slot}`)
      }
      this.took.set(key, slot)
      const { client, command } = request
      // Commands of the system are none of the store's.
      if (isSystemCommand(command)) return
      const fault = this.model.apply({ client, command, outcome, result })
      if (fault !== undefined) throw new Violation(NAME, `slot ${slot}, request ${i}: ${fault}`)
    })
  }
}

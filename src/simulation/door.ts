// Where a simulated replica meets clients: checks their requests, keeps away those that were answered lately, and sends results
// with their receipts and proofs.

import type { ReplicaIndex, Slot, Verified, Vote } from '../../crypto/index.ts'
import type { Message, SignedRequest } from '../consensus/index.ts'
import type { Answered, MachineHost } from './machine-host.ts'
import type { SlotReply } from './packets.ts'
import type { Reign } from './reign.ts'
import { FIRST_CLIENT_ADDRESS, type World } from './world.ts'

export class Door {
  private readonly world: World
  private readonly self: { readonly address: number; readonly index: ReplicaIndex }
  private readonly host: MachineHost
  /** In office. */
  private readonly reign: () => Pick<Reign, 'context' | 'core'>
  private readonly receipts = new Map<number, Vote>()

  constructor(world: World, self: Door['self'], host: MachineHost, reign: () => Pick<Reign, 'context' | 'core'>) {
    this.world = world
    this.self = self
    this.host = host
    this.reign = reign
  }

  /** The requests that the core has to see; the others are answered here, or not worth an answer. */
  take(requests: readonly SignedRequest[]): Verified<SignedRequest>[] {
    const wanted: Verified<SignedRequest>[] = []
    for (const request of requests) {
      if (!this.host.knows(request.request.client)) continue
      const answered = this.host.answerTo(request.id)
      if (answered !== undefined) this.answer(request, answered)
      else {
        const verified = this.world.verdicts.request(request, this.reign().context)
        if (verified.ok) wanted.push(verified.value)
      }
    }
    return wanted
  }

  /**
   * A peer's message without requests that were answered lately or that nobody listed signs: a liar that sends old ones again, or
   * invents clients, costs no slots and no room.
   */
  admissible(message: Message): Message {
    if (message.kind !== 'requests') return message
    const requests = message.requests.filter(
      ({ id, request }) => this.host.knows(request.client) && this.host.answerTo(id) === undefined,
    )
    return requests.length === message.requests.length ? message : { ...message, requests }
  }

  /** The receipt of a slot is signed: everybody who asked in it gets an answer, for all of their requests at once. */
  receipt(slot: Slot, receipt: Vote): void {
    this.receipts.set(slot, receipt)
    this.receipts.delete(slot - this.world.scenario.shell.keptResults)
    const indexes = new Map<number, number[]>()
    this.host.requestsOf(slot).forEach(({ request }, index) => {
      const client = this.world.group.clientOf(request.client)
      if (client === undefined) return
      const known = indexes.get(client)
      if (known === undefined) indexes.set(client, [index])
      else known.push(index)
    })
    for (const [client, ofClient] of indexes) this.reply(client, slot, ofClient)
  }

  private answer({ request }: SignedRequest, { slot, index }: Answered): void {
    const client = this.world.group.clientOf(request.client)
    if (client !== undefined) this.reply(client, slot, [index])
  }

  private reply(client: number, slot: Slot, indexes: readonly number[]): void {
    const receipt = this.receipts.get(slot)
    const results = this.host.resultsOf(slot)
    if (receipt === undefined || results === undefined) return
    const { count } = results
    const items = indexes.map((index) => ({ index, ...results.prove(index) }))
    const reply: SlotReply = { replica: receipt.replica, view: this.reign().core.status().view, receipt, count, items }
    this.world.transmit(this.self.address, FIRST_CLIENT_ADDRESS + client, { kind: 'reply', reply })
  }
}

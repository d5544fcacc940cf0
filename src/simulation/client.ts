// A simulated client: what the SDK does. It keeps a number of requests under way, signs those of one turn as a bundle, asks the
// leader first and everybody when the leader is silent, and believes a result when t replicas signed the same one.

import {
  bytesKey,
  equalBytes,
  leafHash,
  type ReplicaIndex,
  replicaIndex,
  type Signer,
  statementBytes,
  type Vote,
  verifyInclusion,
  verifyVote,
} from '../../crypto/index.ts'
import { type EpochContext, type HandOver, newBundle, type Request, type SignedRequest } from '../consensus/index.ts'
import { decodeResultRecord, type ResultRecord } from '../machine/index.ts'
import { ClientReads } from './client-reads.ts'
import type { Operation } from './history.ts'
import type { Random } from './kernel/index.ts'
import { Violation } from './observer.ts'
import type { Packet, ReplyItem, SlotReply } from './packets.ts'
import type { ClientSettings } from './scenario.ts'
import { answerOf, commandBytes, Workload } from './workload.ts'
import { FIRST_CLIENT_ADDRESS, type World } from './world.ts'

/** A request under way. */
interface Waiting {
  readonly sequence: number
  /** Two where the client equivocates, one otherwise; each with its request. */
  readonly operations: readonly Operation[]
  readonly requests: readonly SignedRequest[]
  /** By receipt statement: who signed it, and the record that it proves. */
  readonly receipts: Map<string, { readonly record: ResultRecord; readonly replicas: Set<ReplicaIndex> }>
  /** What it was told before it lost the answer and asked again. */
  lost: ResultRecord | undefined
}

/**
 * One turn of so many goes to all replicas at once. Followers that never see a request before its proposal cannot tell a leader that
 * sits on requests for 0.9 of a time-out from a cluster with little to do (pitfall P48).
 */
const SAMPLE_EVERY = 8

export class SimulatedClient {
  readonly index: number
  private readonly world: World
  private readonly settings: ClientSettings
  private readonly signer: Signer
  private readonly random: Random
  private readonly workload: Workload
  private readonly reads: ClientReads | undefined
  private readonly waiting = new Map<number, Waiting>()
  private sequence = 0
  private turns = 0
  private leader: ReplicaIndex
  private asleep = false
  /** The newest epoch to which it has followed the chain. */
  private epoch = 0
  private askedUs = -Infinity
  private operations: number

  constructor(world: World, index: number, settings: ClientSettings, signer: Signer) {
    this.world = world
    this.index = index
    this.settings = settings
    this.operations = settings.operations
    this.signer = signer
    this.random = world.random.fork(`client ${index}`)
    this.workload = new Workload(world.scenario.workload, index, this.random.fork('workload'))
    this.leader = replicaIndex(0)
    this.reads = settings.reads && new ClientReads(settings.reads)
  }

  start(): void {
    this.submit()
  }

  /** Nothing is left to ask or to wait for. */
  get done(): boolean {
    return this.waiting.size === 0 && this.sequence >= this.operations
  }

  /** Requests without an outcome, those that it has still to ask included. */
  get left(): number {
    return this.waiting.size + Math.max(0, this.operations - this.sequence)
  }

  /** From now on it asks no more than `more` new things. */
  finishAfter(more: number): void {
    this.operations = Math.min(this.operations, this.sequence + more)
    this.submit()
  }

  /** The operations whose outcome nobody knows yet. */
  get pending(): readonly Operation[] {
    return [...this.waiting.values()].flatMap(({ operations }) => operations)
  }

  receive(packet: Packet): void {
    if (packet.kind === 'chain') this.follow(packet.links)
    if (packet.kind === 'reply') this.take(packet.reply)
    if (packet.kind === 'read-answer') this.takeRead(packet)
  }

  private submit(): void {
    const { outstanding, bundle } = this.settings
    const room = Math.min(outstanding - this.waiting.size, this.operations - this.sequence, bundle)
    if (room <= 0) return
    const fresh = Array.from({ length: this.random.between((room + 1) >> 1, room) }, () => this.prepare())
    const signed = fresh.flatMap((waiting) => (this.readAside(waiting) ? [] : waiting.requests))
    for (const { sequence, operations } of fresh) {
      for (const operation of operations) this.world.announce('invoked', operation)
      this.watch(sequence)
    }
    if (this.settings.fault === 'equivocates') this.sendApart(signed)
    else if (signed.length > 0)
      this.send(signed, this.turns++ % SAMPLE_EVERY === 0 ? this.world.members : [this.leader])
    if (this.waiting.size < outstanding) this.submit()
  }

  private prepare(): Waiting {
    const sequence = ++this.sequence
    const { nowUs } = this.world
    const twice = this.settings.fault === 'equivocates'
    const commands = twice ? this.workload.nextTwo(sequence) : [this.workload.next(sequence)]
    const operations = commands.map((command): Operation => {
      const nothing = { returnedUs: undefined, answer: undefined, slot: undefined, index: undefined, givenUp: false }
      return { client: this.index, sequence, command, invokedUs: nowUs, outcome: 'unknown', ...nothing }
    })
    const requests = commands.map((each) => ({ client: this.signer.publicKey, sequence, command: commandBytes(each) }))
    const made: Waiting = { sequence, operations, requests: this.sign(requests), receipts: new Map(), lost: undefined }
    this.waiting.set(sequence, made)
    return made
  }

  /** Signs requests as one bundle. */
  private sign(requests: readonly Request[]): readonly SignedRequest[] {
    const { clusterId } = this.world.group.membership
    const { publicKey: client } = this.signer
    const count = requests.length
    return newBundle(requests, (root) =>
      this.signer.sign(statementBytes({ kind: 'bundle', clusterId, client, count, root })),
    )
  }

  private send(requests: readonly SignedRequest[], to: readonly ReplicaIndex[]): void {
    const from = FIRST_CLIENT_ADDRESS + this.index
    for (const replica of to) {
      for (const address of this.world.addressesOf(replica)) {
        this.world.transmit(from, address, { kind: 'requests', client: this.index, requests })
      }
    }
  }

  /** True where it is a read, and asked beside the log. */
  private readAside({ sequence, operations }: Waiting): boolean {
    const [operation] = operations
    if (this.reads === undefined || operation?.command.kind !== 'get') return false
    this.reads.begin(sequence)
    const lease = this.settings.reads === 'lease'
    const read = { id: sequence, command: commandBytes(operation.command), lease }
    for (const replica of this.world.members) {
      for (const address of this.world.addressesOf(replica)) {
        this.world.transmit(FIRST_CLIENT_ADDRESS + this.index, address, { kind: 'read', client: this.index, read })
      }
    }
    return true
  }

  private takeRead({ epoch, replica, id, answer }: Packet & { readonly kind: 'read-answer' }): void {
    if (epoch > this.epoch) return this.askChain()
    const { quorums } = this.world.epochs.context(epoch).membership
    const settled = this.reads?.take({ epoch, replica, quorums }, id, answer)
    const operation = this.waiting.get(id)?.operations[0]
    if (settled === undefined || operation === undefined) return
    operation.returnedUs = this.world.nowUs
    operation.outcome = 'done'
    operation.asOf = settled.asOf
    operation.answer = answerOf(operation.command, settled.result)
    this.workload.saw(operation)
    this.world.announce('returned', operation)
    this.waiting.delete(id)
    this.goOn()
  }

  /** Every request to a half of the replicas of its own. */
  private sendApart(requests: readonly SignedRequest[]): void {
    for (const request of requests) {
      this.send(
        [request],
        this.world.members.filter(() => this.random.chance(0.5)),
      )
    }
  }

  /** Asks everybody again as long as there is no answer; gives up for its caller when the deadline is over. */
  private watch(sequence: number): void {
    const { retryMs, deadlineMs } = this.settings
    const jitter = this.random.below(1 + 200 * retryMs)
    this.world.at(this.world.nowUs + 1000 * retryMs + jitter, () => {
      const waiting = this.waiting.get(sequence)
      if (waiting === undefined) return
      for (const operation of waiting.operations) {
        const waitedMs = (this.world.nowUs - operation.invokedUs) / 1000
        if (deadlineMs !== undefined && waitedMs > deadlineMs) operation.givenUp = true
      }
      this.reads?.giveUp(sequence)
      this.send(waiting.requests, this.world.members)
      this.watch(sequence)
    })
  }

  private take(reply: SlotReply): void {
    const { replica, receipt, items } = reply
    let genuine: boolean | undefined
    for (const item of items) {
      const record = decodeResultRecord(item.record)
      const waiting = record && this.waiting.get(record.sequence)
      if (record === undefined || waiting === undefined) continue
      // Once for all items, and only where one of them is still of use.
      genuine ??= receipt.statement.kind === 'receipt' && receipt.replica === replica && this.isGood(receipt)
      if (!genuine) return
      this.takeItem(reply, item, record, waiting)
    }
  }

  private takeItem(reply: SlotReply, item: ReplyItem, record: ResultRecord, waiting: Waiting): void {
    const { statement } = reply.receipt
    const { index } = item
    if (!equalBytes(record.client, this.signer.publicKey)) return
    const leaf = leafHash(item.record)
    const key = `${statement.slot}/${index}/${bytesKey(statement.digest)}${bytesKey(leaf)}`
    let known = waiting.receipts.get(key)
    if (known === undefined) {
      // What was proved of one replica's results root holds of the next one's, which is the same.
      if (!verifyInclusion({ leaf, index, size: reply.count, root: statement.digest }, item.path)) return
      known = { record, replicas: new Set() }
      waiting.receipts.set(key, known)
    }
    known.replicas.add(reply.replica)
    const epoch = this.epochOf(reply.receipt)
    if (epoch === undefined || known.replicas.size < epoch.membership.quorums.trust) return
    const { quorums } = epoch.membership
    this.leader = replicaIndex(reply.view % quorums.replicas)
    // A request that was ordered again has its position of then, which the receipt of now does not tell.
    this.finish(waiting, record, record.slot === statement.slot ? index : undefined)
  }

  /** In which a receipt counts: it is one of those that this client has followed, and has the slot. */
  private epochOf({ statement }: Vote): EpochContext | undefined {
    const epoch = this.world.epochs.of(statement.membership)
    if (epoch === undefined || epoch.charter.epoch > this.epoch) return undefined
    return epoch.lastSlot === undefined || statement.slot <= epoch.lastSlot ? epoch : undefined
  }

  private isGood(receipt: Vote): boolean {
    const epoch = this.epochOf(receipt)
    if (epoch === undefined) this.askChain()
    return epoch !== undefined && verifyVote(receipt, epoch.membership, this.world.group.suite.verifier).ok
  }

  /** Somebody speaks in an epoch that this client does not know: what led there? At most once a quarter of its patience. */
  private askChain(): void {
    const { nowUs, epochs } = this.world
    if (nowUs - this.askedUs < 250 * this.settings.retryMs) return
    this.askedUs = nowUs
    const from = FIRST_CLIENT_ADDRESS + this.index
    for (const to of epochs.everybody) this.world.transmit(from, to, { kind: 'chain-ask', epoch: this.epoch, from })
  }

  private follow(links: readonly HandOver[]): void {
    const news = links.filter(({ charter }) => charter.epoch > this.epoch)
    const fault = this.world.epochs.fault(this.epoch, news)
    if (fault === undefined) this.epoch += news.length
    else this.world.announce('chainRefused', FIRST_CLIENT_ADDRESS + this.index, fault)
  }

  /** What t replicas say of one of the commands under this number. */
  private finish(waiting: Waiting, record: ResultRecord, index: number | undefined): void {
    const { sequence, operations, requests, lost } = waiting
    if (lost !== undefined) {
      this.mustBeSame(sequence, lost, record)
      this.waiting.delete(sequence)
      return this.goOn()
    }
    const which = requests.findIndex(({ id }) => equalBytes(id, record.request))
    const operation = operations[which]
    if (operation === undefined || operation.returnedUs !== undefined) return
    operation.returnedUs = this.world.nowUs
    operation.slot = record.slot
    operation.index = index
    operation.outcome = record.outcome === 'done' || record.outcome === 'conflict' ? record.outcome : 'refused'
    if (record.outcome === 'done') operation.answer = answerOf(operation.command, record.result)
    this.workload.saw(operation)
    this.world.announce('returned', operation)
    if (operations.some(({ returnedUs }) => returnedUs === undefined)) return
    if (this.settings.fault === 'resumes') {
      waiting.lost = record
      waiting.receipts.clear()
      return this.send(requests, this.world.members)
    }
    this.waiting.delete(sequence)
    this.goOn()
  }

  private mustBeSame(sequence: number, lost: ResultRecord, record: ResultRecord): void {
    const same = record.outcome === lost.outcome && record.slot === lost.slot && equalBytes(record.result, lost.result)
    if (same) return
    const text = ({ outcome, slot }: ResultRecord) => `${outcome} in slot ${slot}`
    const what = `request ${sequence} of client ${this.index} was answered ${text(lost)}, and again ${text(record)}`
    throw new Violation('I6 one execution', what)
  }

  private goOn(): void {
    if (this.asleep) return
    this.asleep = true
    const pause = this.settings.thinkUs === 0 ? 0 : this.random.exponential(this.settings.thinkUs)
    this.world.at(this.world.nowUs + pause, () => {
      this.asleep = false
      this.submit()
    })
  }
}

// Where a replica meets its clients: who may ask, what is known already, what the core has to see, and who gets an answer. A door
// that turns somebody away decides nothing: what counts is judged when an entry is executed.

import { equalBytes, hex, type PublicKey, type Slot, type Verified, type Vote } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import {
  type Message,
  type MessageFault,
  PENDING_PER_CLIENT,
  PENDING_REQUESTS,
  type SignedRequest,
} from '../consensus/index.ts'
import { type ClientFrame, decodeClientFrame, type Question, type RefusalCode } from '../wire/index.ts'
import type { Core } from './core.ts'
import type { Counters } from './counters.ts'
import { type Drained, FairQueue } from './fair-queue.ts'
import {
  BAD_FRAME_FACTOR,
  BYTES_PER_CHECK,
  CLIENT_CHECKS_BURST,
  CLIENT_CHECKS_PER_SECOND,
  CLIENT_QUEUE_BYTES,
  CLIENT_QUEUES_BYTES,
  WATCH_CHECKS,
} from './limits.ts'
import type { MachineHost } from './machine-host.ts'
import { Replies } from './replies.ts'
import type { CachingVerifier } from './verify-cache.ts'
import type { Watches } from './watches.ts'

export interface DoorOptions {
  readonly core: () => Core
  readonly host: MachineHost
  readonly verifier: CachingVerifier
  readonly counters: Counters
  readonly watches: Watches
  readonly deliver: (requests: readonly Verified<SignedRequest>[]) => void
  /** What the question costs beside its bytes, in signature checks. */
  readonly ask: (link: ClientLink, id: number, question: Question) => number
}

interface ClientFrameFrom {
  readonly link: ClientLink
  readonly frame: Uint8Array
}

export class Door {
  private readonly options: DoorOptions
  private readonly replies: Replies
  /** By client key. */
  private readonly links = new Map<string, Set<ClientLink>>()
  /** What the frames of this turn ask for, and how much of it each client does. */
  private wanted: Verified<SignedRequest>[] = []
  private readonly wantedOf = new Map<string, number>()
  private readonly queue = new FairQueue<string, ClientFrameFrom>({
    sourceBytes: CLIENT_QUEUE_BYTES,
    totalBytes: CLIENT_QUEUES_BYTES,
    costPerSecond: CLIENT_CHECKS_PER_SECOND,
    costBurst: CLIENT_CHECKS_BURST,
  })

  constructor(options: DoorOptions) {
    this.options = options
    this.replies = new Replies(options.host)
  }

  get dropped(): number {
    return this.queue.dropped
  }

  /** Clients that are connected. */
  get clients(): number {
    return this.links.size
  }

  up(link: ClientLink): void {
    const name = hex(link.key)
    const links = this.links.get(name)
    if (links === undefined) this.links.set(name, new Set([link]))
    else links.add(link)
  }

  down(link: ClientLink): void {
    const name = hex(link.key)
    const links = this.links.get(name)
    links?.delete(link)
    if (links?.size === 0) this.links.delete(name)
  }

  push(link: ClientLink, frame: Uint8Array): void {
    this.queue.push(hex(link.key), { link, frame }, frame.length)
  }

  /** Handles frames until `over`; the requests in them go to the core together, so that they share a batch. */
  drain(nowMs: number, over: () => boolean): Drained {
    const drained = this.queue.drain(nowMs, over, (_, { link, frame }) => this.take(link, frame))
    const { wanted } = this
    if (wanted.length > 0) {
      this.wanted = []
      this.wantedOf.clear()
      this.options.deliver(wanted)
    }
    return drained
  }

  /** Answers of this turn leave. */
  flush(): void {
    this.replies.flush()
  }

  /**
   * A peer's message without requests that were answered lately or that nobody listed signs: a liar that sends old ones again, or
   * invents clients, costs no slots, no room and no signature check. Undefined where nothing is left of it.
   */
  admissible(message: Message): Message | undefined {
    if (message.kind !== 'requests') return message
    const { host } = this.options
    const core = this.options.core()
    const requests = message.requests.filter(
      (request) =>
        host.knows(request.request.client) && host.answerTo(request) === undefined && !core.isPending(request),
    )
    if (requests.length === message.requests.length) return message
    return requests.length === 0 ? undefined : { ...message, requests }
  }

  /** The receipt of a slot is signed: everybody who asked in it and is connected gets an answer. */
  receipt(slot: Slot, receipt: Verified<Vote>): void {
    const { host, core } = this.options
    const results = host.resultsOf(slot)
    if (results === undefined) return
    results.receipt = receipt
    if (this.links.size === 0) return
    const { view } = core().status()
    for (const [client, indexes] of indexesByClient(results.clients)) {
      for (const link of this.links.get(hex(client)) ?? []) this.replies.add(link, slot, view, indexes)
    }
  }

  /** What the frame has cost, in signature checks. */
  private take(link: ClientLink, frame: Uint8Array): number {
    const { verifier, counters, ask } = this.options
    const size = frame.length / BYTES_PER_CHECK
    const decoded = decodeClientFrame(frame)
    if (!decoded.ok) {
      counters.refuse('malformed-frame')
      return (size + 1) * BAD_FRAME_FACTOR
    }
    if (decoded.value.kind === 'ask') {
      return size + ask(link, decoded.value.id, decoded.value.question)
    }
    if (decoded.value.kind !== 'requests') return this.watch(link, decoded.value, size + WATCH_CHECKS)
    const before = verifier.checks
    const bad = this.takeRequests(link, decoded.value.requests)
    const cost = size + verifier.checks - before
    return bad ? cost * BAD_FRAME_FACTOR : cost
  }

  /** What the frame has cost. */
  private watch(link: ClientLink, frame: Exclude<ClientFrame, { kind: 'requests' | 'ask' }>, cost: number): number {
    const { watches } = this.options
    switch (frame.kind) {
      case 'watch':
        return watches.open(link, frame) ? cost : cost * BAD_FRAME_FACTOR
      case 'credit':
        watches.credit(link, frame.credits)
        return cost
      case 'unwatch':
        watches.close(link, frame.id)
        return cost
    }
  }

  /** True where a request was one that no honest client sends. */
  private takeRequests(link: ClientLink, requests: readonly SignedRequest[]): boolean {
    const { host } = this.options
    const core = this.options.core()
    const { wanted } = this
    const { view } = core.status()
    const name = hex(link.key)
    const waiting = core.pendingOf(link.key)
    let more = this.wantedOf.get(name) ?? 0
    let bad = false
    for (const request of requests) {
      const answered = host.answerTo(request)
      if (answered !== undefined) this.replies.add(link, answered.slot, view, [answered.index])
      else if (!core.isPending(request)) {
        const full = waiting + more >= PENDING_PER_CLIENT || core.pending + wanted.length >= PENDING_REQUESTS
        const taken = this.admit(link, request, full)
        if (taken.kind === 'wanted') {
          wanted.push(taken.request)
          more++
        } else bad = this.refuse(link, request, taken.code) || bad
      }
    }
    this.wantedOf.set(name, more)
    return bad
  }

  private admit(link: ClientLink, request: SignedRequest, full: boolean): Admission {
    const { core, host } = this.options
    const { client } = request.request
    if (!equalBytes(client, link.key)) return { kind: 'refused', code: 'not-allowed' }
    if (!host.knows(client)) return { kind: 'refused', code: 'unknown-client' }
    if (full) return { kind: 'refused', code: 'busy' }
    const verified = core().verifyRequest(request)
    if (verified.ok) return { kind: 'wanted', request: verified.value }
    return { kind: 'refused', code: refusalOf(verified.fault) }
  }

  private refuse(link: ClientLink, request: SignedRequest, code: RefusalCode): boolean {
    this.options.counters.refuse(code)
    this.replies.refuse(link, request.id, code)
    return code !== 'busy' && code !== 'unknown-client'
  }
}

type Admission =
  | { readonly kind: 'wanted'; readonly request: Verified<SignedRequest> }
  | { readonly kind: 'refused'; readonly code: RefusalCode }

/** By client the places of its requests, ascending. A bundle's requests have one array as their client. */
function indexesByClient(clients: readonly PublicKey[]): Iterable<readonly [PublicKey, readonly number[]]> {
  const groups = new Map<PublicKey, number[]>()
  for (const [index, client] of clients.entries()) {
    const group = groups.get(client)
    if (group === undefined) groups.set(client, [index])
    else group.push(index)
  }
  return groups
}

function refusalOf({ code }: MessageFault): RefusalCode {
  if (code === 'request-too-large') return 'too-large'
  return code === 'bad-client-signature' ? 'bad-signature' : 'malformed'
}

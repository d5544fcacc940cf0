// One replica of the floor: the signatures, syncs, messages and hashes of a slot, and no protocol around them. Nothing can fail here but
// the machine, so it knows no views, no windows and no lies.

import { hash } from 'node:crypto'
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { answers } from './answers.ts'
import { decode, encode, type Frame, HEAD_BYTES, helloOf, type Kind, Pen, requestsOf, speakerOf } from './frame.ts'
import { Link } from './link.ts'

/** Of a request: its identity, its leaf in the results, and its share of the trees over requests, results and state. */
const HASHES_PER_REQUEST = 6

export interface ReplicaJob {
  readonly index: number
  readonly replicas: number
  readonly quorum: number
  /** How many answer each client. */
  readonly trust: number
  /** Of one bundle. */
  readonly requests: number
  readonly requestBytes: number
  readonly file: string
  readonly sync: boolean
  /** Nobody lies: an entry is accepted as soon as it is proposed. */
  readonly crash: boolean
}

/** What it tells its parent: where it listens, that it is linked to all others, and its processor time whenever it is asked. */
export type ReplicaMessage =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'cpu'; readonly us: number }
/** What it is told: where the others listen. */
export type ReplicaOrder = { readonly kind: 'join'; readonly ports: readonly number[] } | { readonly kind: 'cpu' }

interface Slot {
  body: Buffer | undefined
  prepares: number
  accepts: number
  accepted: boolean
  done: boolean
}

const job: ReplicaJob = JSON.parse(process.argv[2] ?? '')
const { index, replicas, quorum } = job
const bundleBytes = HEAD_BYTES + job.requests * job.requestBytes
const pen = new Pen()
const file = openSync(job.file, 'w')
const slots = new Map<number, Slot>()
const state = new Map<string, Uint8Array>()
const peers = new Map<number, Link>()
/** Those that it answers. */
const clients = new Map<number, Link>()
/** At the leader: bundles that no slot has yet, and its last slot. */
let waiting: Buffer[] = []
let last = 0
let underWay = false

/** As Quorate on a small machine: at once, in this thread. */
function persist(bytes: Uint8Array): void {
  writeSync(file, bytes)
  if (job.sync) fdatasyncSync(file)
}

function frame(kind: Kind, number: number, body: Buffer = Buffer.alloc(0)): Buffer {
  return encode({ kind, from: index, number, signature: pen.sign(number), body })
}

function tellAll(bytes: Buffer): void {
  for (const peer of peers.values()) peer.send(bytes)
}

function slotOf(number: number): Slot {
  const known = slots.get(number)
  if (known !== undefined) return known
  const made: Slot = { body: undefined, prepares: 0, accepts: 0, accepted: false, done: false }
  slots.set(number, made)
  return made
}

/** At the leader: a client's bundle. */
function hear(bundle: Buffer): void {
  pen.check()
  waiting.push(bundle)
  if (!underWay) propose()
}

/** One slot at a time, for everything that waits. */
function propose(): void {
  underWay = waiting.length > 0
  if (!underWay) return
  const [number, body] = [++last, Buffer.concat(waiting)]
  waiting = []
  const slot = slotOf(number)
  const proposal = frame('propose', number, body)
  slot.body = body
  slot.prepares++
  persist(proposal)
  tellAll(proposal)
  advance(slot, number)
}

function take({ kind, number, body }: Frame): void {
  const slot = slotOf(number)
  if (slot.done) return
  switch (kind) {
    case 'propose': {
      pen.check()
      for (let at = 0; at < body.length; at += bundleBytes) pen.check()
      slot.body = body
      slot.prepares += 2
      if (job.crash) {
        slot.accepts++
        persist(body)
        break
      }
      const vote = frame('prepare', number)
      persist(Buffer.concat([vote, body]))
      tellAll(vote)
      break
    }
    case 'prepare':
      // Votes beyond the quorum need no check.
      if (!slot.accepted) pen.check()
      slot.prepares++
      break
    case 'accept':
      pen.check()
      slot.accepts++
      break
    case 'request':
    case 'reply':
      throw new Error(`a ${kind} from a replica`)
  }
  advance(slot, number)
}

function advance(slot: Slot, number: number): void {
  if (!slot.accepted && slot.body !== undefined && (job.crash || slot.prepares >= quorum)) {
    slot.accepted = true
    slot.accepts++
    // With nobody who lies, the leader's proposal is its Accept.
    if (!job.crash || index !== 0) {
      const vote = frame('accept', number)
      persist(vote)
      tellAll(vote)
    }
  }
  if (slot.done || slot.body === undefined || slot.accepts < quorum) return
  slot.done = true
  answer(number, slot.body)
  slots.delete(number - 64)
  if (index === 0) propose()
}

/** Executes a slot; its clients share one signature. */
function answer(number: number, proposed: Buffer): void {
  const requests = requestsOf(proposed, bundleBytes)
  for (const { body } of requests) execute(body)
  const signature = pen.sign(number)
  // What is answered is as long as what was asked.
  for (const { from, number: bundle, body } of requests)
    clients.get(from)?.send(encode({ kind: 'reply', from: index, number: bundle, signature, body }))
}

function execute(body: Buffer): void {
  for (let at = 0; at < body.length; at += job.requestBytes) {
    const request = body.subarray(at, at + job.requestBytes)
    for (let i = 0; i < HASHES_PER_REQUEST; i++) hash('sha256', request, 'buffer')
    state.set(request.toString('latin1', 0, 16), Uint8Array.from(request))
  }
}

const server = createServer((socket) => {
  let onFrame = (hello: Buffer): void => {
    const from = speakerOf(hello)
    onFrame = from < replicas ? (bytes) => take(decode(bytes)) : hear
    if (from < replicas) return join(from, link)
    if (answers({ replica: index, client: from - replicas, replicas, trust: job.trust })) clients.set(from, link)
    link.send(frame('reply', 0))
  }
  const link: Link = new Link(socket, (bytes) => onFrame(bytes))
})

function join(peer: number, link: Link): void {
  peers.set(peer, link)
  if (peers.size === replicas - 1) tellParent({ kind: 'ready' })
}

function tellParent(message: ReplicaMessage): void {
  process.send?.(message)
}

// Its parent is gone.
process.on('disconnect', () => process.exit(0))
process.on('message', (order: ReplicaOrder) => {
  if (order.kind === 'cpu') {
    const { user, system } = process.cpuUsage()
    return tellParent({ kind: 'cpu', us: user + system })
  }
  for (let other = 0; other < index; other++) {
    const link = new Link(connect(order.ports[other] ?? 0, '127.0.0.1'), (bytes) => take(decode(bytes)))
    link.send(helloOf(index))
    join(other, link)
  }
  if (replicas === 1) tellParent({ kind: 'ready' })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') tellParent({ kind: 'port', port: address.port })
})

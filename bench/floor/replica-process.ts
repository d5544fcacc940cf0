// One replica of the floor: the signatures, syncs, messages and hashes of a slot, and no protocol around them. Nothing can fail here but
// the machine, so it knows no views, no windows and no lies.

import { hash } from 'node:crypto'
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { decode, encode, type Frame, type Kind, Pen } from './frame.ts'
import { Link } from './link.ts'

/** Of a request: its identity, its leaf in the results, and its share of the trees over requests, results and state. */
const HASHES_PER_REQUEST = 6

export interface ReplicaJob {
  readonly index: number
  readonly replicas: number
  readonly quorum: number
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
const pen = new Pen()
const file = openSync(job.file, 'w')
const slots = new Map<number, Slot>()
const state = new Map<string, Uint8Array>()
const peers = new Map<number, Link>()
let client: Link | undefined

/** As Quorate on a small machine: at once, in this thread. */
function persist(bytes: Uint8Array): void {
  writeSync(file, bytes)
  if (job.sync) fdatasyncSync(file)
}

function frame(kind: Kind, slot: number, body: Buffer = Buffer.alloc(0)): Buffer {
  return encode({ kind, from: index, slot, signature: pen.sign(slot), body })
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

function take({ kind, slot: number, body }: Frame): void {
  const slot = slotOf(number)
  if (slot.done) return
  switch (kind) {
    case 'request': {
      pen.check()
      const proposal = frame('propose', number, body)
      slot.body = body
      slot.prepares++
      persist(proposal)
      tellAll(proposal)
      break
    }
    case 'propose': {
      pen.check()
      pen.check()
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
    case 'reply':
      throw new Error('a reply is for a client')
  }
  advance(slot, number)
}

function advance(slot: Slot, number: number): void {
  if (!slot.accepted && slot.body !== undefined && (job.crash || slot.prepares >= quorum)) {
    slot.accepted = true
    slot.accepts++
    // With nobody who lies, the leader's proposal is its Accept.
    if (job.crash && index === 0) return
    const vote = frame('accept', number)
    persist(vote)
    tellAll(vote)
  }
  if (slot.done || slot.body === undefined || slot.accepts < quorum) return
  slot.done = true
  client?.send(frame('reply', number, execute(slot.body)))
  slots.delete(number - 64)
}

/** The records that are answered. */
function execute(body: Buffer): Buffer {
  for (let at = 0; at < body.length; at += job.requestBytes) {
    const request = body.subarray(at, at + job.requestBytes)
    for (let i = 0; i < HASHES_PER_REQUEST; i++) hash('sha256', request, 'buffer')
    state.set(request.toString('latin1', 0, 16), Uint8Array.from(request))
  }
  return body
}

const server = createServer((socket) => {
  let known = false
  const link: Link = new Link(socket, (bytes) => {
    if (known) return take(decode(bytes))
    known = true
    const from = bytes[0] ?? 0
    if (from < replicas) return join(from, link)
    client = link
    link.send(encode({ kind: 'reply', from: index, slot: 0, signature: pen.sign(0), body: Buffer.alloc(0) }))
  })
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
    link.send(Uint8Array.of(index))
    join(other, link)
  }
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') tellParent({ kind: 'port', port: address.port })
})

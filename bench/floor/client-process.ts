// The clients of the floor: each has one bundle of requests under way, in a closed loop, which is done when as many replicas as must include
// an honest one answered.

import { connect } from 'node:net'
import { createHistogram, performance } from 'node:perf_hooks'
import { decode, encode, type Frame, helloOf, Pen } from './frame.ts'
import { Link } from './link.ts'

export interface FloorJob {
  readonly ports: readonly number[]
  readonly trust: number
  readonly clients: number
  /** Of the one bundle that each has under way. */
  readonly requests: number
  readonly requestBytes: number
  readonly warmUpMs: number
  readonly measuredMs: number
}

/** What it tells its parent: that the measured time begins, and then what came of it. */
export type ClientMessage = { readonly kind: 'warm' } | { readonly kind: 'done'; readonly load: FloorLoad }

export interface FloorLoad {
  readonly operations: number
  readonly seconds: number
  /** Of a bundle, from its signature to the last answer that it needs. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuUs: number
}

// Its parent is gone.
process.on('disconnect', () => process.exit(0))

/** Different keys of all clients together. */
const KEYS = 1000

const job: FloorJob = JSON.parse(process.argv[2] ?? '')
const latencies = createHistogram()
const body = Buffer.alloc(job.requests * job.requestBytes, 'floor')
let key = 0
let operations = 0
let from: { readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
let start = 0
let linked = 0
let over = false

class FloorClient {
  private readonly pen = new Pen()
  private readonly name: number
  private readonly links: readonly Link[]
  private bundle = 0
  private firstKey = 0
  private at = 0
  private answers = 0

  /** Its numbers follow those of the replicas. */
  constructor(index: number) {
    this.name = job.ports.length + index
    this.links = job.ports.map((port) => {
      const link = new Link(connect(port, '127.0.0.1'), (bytes) => this.hear(decode(bytes)))
      link.send(helloOf(this.name))
      return link
    })
  }

  ask(): void {
    this.at = performance.now()
    this.answers = 0
    this.firstKey = key
    for (let at = 0; at < body.length; at += job.requestBytes) {
      body.writeUInt32LE(key, at)
      key = (key + 1) % KEYS
    }
    const number = ++this.bundle
    this.links[0]?.send(encode({ kind: 'request', from: this.name, number, signature: this.pen.sign(number), body }))
  }

  private hear({ number, body: records }: Frame): void {
    if (number === 0) return welcome()
    // A replica that answers what is not its to answer would make the floor cheaper or dearer than it is.
    const asked = number === this.bundle && this.answers < job.trust
    if (!asked || records.length !== body.length || records.readUInt32LE(0) !== this.firstKey)
      throw new Error('an answer to something else')
    this.pen.check()
    if (++this.answers === job.trust) done(this, this.at)
  }
}

const clients = Array.from({ length: job.clients }, (_, index) => new FloorClient(index))

/** A replica knows a client; once all know all it begins. */
function welcome(): void {
  if (++linked < job.clients * job.ports.length) return
  start = performance.now()
  for (const client of clients) client.ask()
}

function done(client: FloorClient, begunAt: number): void {
  if (over) return
  const now = performance.now()
  if (from === undefined && now - start >= job.warmUpMs) {
    from = { at: now, cpu: process.cpuUsage() }
    tellParent({ kind: 'warm' })
  } else if (from !== undefined) {
    operations += job.requests
    latencies.record(Math.max(1, Math.round((now - begunAt) * 1000)))
    if (now - from.at >= job.measuredMs) return report(now, from)
  }
  client.ask()
}

function report(now: number, { at, cpu }: NonNullable<typeof from>): void {
  over = true
  const used = process.cpuUsage(cpu)
  const [p50Ms, p99Ms] = [latencies.percentile(50) / 1000, latencies.percentile(99) / 1000]
  tellParent({
    kind: 'done',
    load: { operations, seconds: (now - at) / 1000, p50Ms, p99Ms, cpuUs: used.user + used.system },
  })
}

function tellParent(message: ClientMessage): void {
  process.send?.(message)
}

// The client of the floor: bundles of requests in a closed loop, each done when as many replicas as must include an honest one answered.

import { connect } from 'node:net'
import { createHistogram, performance } from 'node:perf_hooks'
import { decode, encode, Pen } from './frame.ts'
import { Link } from './link.ts'

export interface FloorJob {
  readonly ports: readonly number[]
  readonly trust: number
  /** Of the one bundle under way. */
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
  readonly p50Ms: number
  readonly cpuUs: number
}

// Its parent is gone.
process.on('disconnect', () => process.exit(0))

const job: FloorJob = JSON.parse(process.argv[2] ?? '')
const pen = new Pen()
const latencies = createHistogram()
const body = Buffer.alloc(job.requests * job.requestBytes, 'floor')
const begun = new Map<number, { at: number; answers: number }>()
let next = 1
let operations = 0
let from: { readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
let start = 0
let linked = 0

const links = job.ports.map((port) => {
  const link = new Link(connect(port, '127.0.0.1'), (bytes) => answer(decode(bytes).slot))
  link.send(Uint8Array.of(255))
  return link
})

/** Every replica knows its client. */
function begin(): void {
  start = performance.now()
  ask()
}

function ask(): void {
  const slot = next++
  begun.set(slot, { at: performance.now(), answers: 0 })
  for (let i = 0; i < job.requests; i++) body.writeUInt32LE((slot * job.requests + i) % 1000, i * job.requestBytes)
  links[0]?.send(encode({ kind: 'request', from: 255, slot, signature: pen.sign(slot), body }))
}

function answer(slot: number): void {
  if (slot === 0 && ++linked === links.length) return begin()
  const waiting = begun.get(slot)
  if (waiting === undefined) return
  pen.check()
  waiting.answers++
  if (waiting.answers < job.trust) return
  begun.delete(slot)
  const now = performance.now()
  if (from === undefined && now - start >= job.warmUpMs) {
    from = { at: now, cpu: process.cpuUsage() }
    tellParent({ kind: 'warm' })
  } else if (from !== undefined) {
    operations += job.requests
    latencies.record(Math.max(1, Math.round((now - waiting.at) * 1000)))
    if (now - from.at >= job.measuredMs) return report(now, from)
  }
  ask()
}

function report(now: number, { at, cpu }: NonNullable<typeof from>): void {
  const used = process.cpuUsage(cpu)
  const load: FloorLoad = {
    ...{ operations, seconds: (now - at) / 1000, cpuUs: used.user + used.system },
    p50Ms: latencies.percentile(50) / 1000,
  }
  tellParent({ kind: 'done', load })
}

function tellParent(message: ClientMessage): void {
  process.send?.(message)
}

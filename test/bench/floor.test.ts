import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../bench/cluster/run.ts'
import { answers } from '../../bench/floor/answers.ts'
import { figuresOf } from '../../bench/floor/command.ts'
import type { FloorResult } from '../../bench/floor/floor.ts'
import { encode, HEAD_BYTES, helloOf, Pen, requestsOf, speakerOf } from '../../bench/floor/frame.ts'

const REPLICAS = 7

describe('who answers in the floor', () => {
  it('are as many replicas for each client as must include an honest one, and each replica answers as many clients', () => {
    const trust = 3
    const perReplica = Array.from({ length: REPLICAS }, () => 0)
    for (let client = 0; client < 4 * REPLICAS; client++) {
      const answering = perReplica.flatMap((_, replica) =>
        answers({ replica, client, replicas: REPLICAS, trust }) ? [replica] : [],
      )
      expect(answering, `client ${client}`).toHaveLength(trust)
      for (const replica of answering) perReplica[replica] = (perReplica[replica] ?? 0) + 1
    }
    expect(new Set(perReplica)).toEqual(new Set([4 * trust]))
  })
})

describe('the frames of the floor', () => {
  it('give each request of a proposal back with its client, also the last of 256', () => {
    const pen = new Pen()
    const requests = [REPLICAS, REPLICAS + 255].map((from, i) =>
      encode({ kind: 'request', from, number: 70_000 + i, signature: pen.sign(i), body: Buffer.from(`request ${i}`) }),
    )
    const opened = requestsOf(Buffer.concat(requests), HEAD_BYTES + 9)
    expect(opened.map(({ kind, from, number, body }) => ({ kind, from, number, body: body.toString() }))).toEqual([
      { kind: 'request', from: REPLICAS, number: 70_000, body: 'request 0' },
      { kind: 'request', from: REPLICAS + 255, number: 70_001, body: 'request 1' },
    ])
    expect(speakerOf(helloOf(REPLICAS + 255))).toBe(REPLICAS + 255)
  })
})

describe('the report of the floor', () => {
  it('has the median and the slowest hundredth of the latencies of both, and quotients of neighbouring runs', () => {
    const figures = figuresOf([floorOf(10), floorOf(40)], [clusterOf(20), clusterOf(40)])
    const of = (name: string) => figures.find((each) => each.name === name)
    expect(of('latency, p50, floor')).toMatchObject({ unit: 'ms', min: 10, max: 40 })
    expect(of('latency, p99, floor')).toMatchObject({ unit: 'ms', min: 100, max: 400 })
    expect(of('latency, p99, Quorate')).toMatchObject({ unit: 'ms', min: 200, max: 400 })
    expect(of('latency, p99: Quorate / floor')).toMatchObject({ unit: 'x', min: 1, max: 2 })
  })
})

function floorOf(p50Ms: number): FloorResult {
  return { operations: 100, seconds: 2, p50Ms, p99Ms: 10 * p50Ms, cpuUs: 300, replicaCpuUs: 500 }
}

function clusterOf(p50: number): RunResult {
  const latency = { p50, p90: 2 * p50, p99: 10 * p50, p999: 20 * p50, max: 30 * p50, mean: p50 }
  return {
    load: {
      ...{ kind: 'measured', seconds: 2, operations: 50, latency, longestGapMs: 1, failures: {}, counters: {} },
      ...{ cpuUs: { user: 1, system: 1 }, residentBytes: 1 },
    },
    replicas: [],
    checked: 1,
  }
}

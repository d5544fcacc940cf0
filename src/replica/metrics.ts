// Prometheus metrics and /healthz, on the loopback interface only. Numbers are read when somebody asks; nothing is counted twice.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Gauge, Registry } from 'prom-client'
import type { ReplicaTransport } from '../../net/index.ts'
import type { Store } from '../storage/index.ts'
import type { ReplicaStatus } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import type { CachingVerifier } from './verify-cache.ts'

export interface MetricsSources {
  readonly status: () => ReplicaStatus
  readonly counters: Counters
  readonly verifier: CachingVerifier
  readonly store: Store
  readonly transport: ReplicaTransport
  readonly snapshotsWritten: () => number
  readonly clients: () => number
  /** Frames dropped since our own queues were full. */
  readonly dropped: () => number
  /** Why the replica is not well; undefined where it is. */
  readonly illness: () => string | undefined
}

export interface MetricsServer {
  readonly port: number
  close(): Promise<void>
}

/** Serves on 127.0.0.1. @throws where the port is taken. */
export async function serveMetrics(port: number, sources: MetricsSources): Promise<MetricsServer> {
  const registry = registryOf(sources)
  const server = createServer((request, response) => {
    if (request.method !== 'GET') return void response.writeHead(405).end()
    if (request.url === '/healthz') {
      const illness = sources.illness()
      response.writeHead(illness === undefined ? 200 : 503, { 'content-type': 'text/plain' })
      return void response.end(`${illness ?? 'ok'}\n`)
    }
    if (request.url !== '/metrics') return void response.writeHead(404).end()
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  server.requestTimeout = 10_000
  server.maxConnections = 16
  await listening(server, port)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function registryOf(sources: MetricsSources): Registry {
  const metrics = new Metrics()
  addPlaces(metrics, sources)
  addLoad(metrics, sources)
  addReasons(metrics, sources)
  return metrics.registry
}

/** Numbers that are read when somebody asks. */
class Metrics {
  readonly registry = new Registry()

  gauge(name: string, help: string, read: () => number): void {
    const collect = () => {
      gauge.set(read())
    }
    const gauge = new Gauge({ name: `quorate_${name}`, help, registers: [this.registry], collect })
  }

  counter(name: string, help: string, read: () => number): void {
    const collect = () => {
      counter.reset()
      counter.inc(read())
    }
    const counter = new Counter({ name: `quorate_${name}_total`, help, registers: [this.registry], collect })
  }

  /** One counter with labels; keys are the values of the labels, with a blank between two. */
  table(name: string, help: string, labelNames: string[], read: () => Iterable<readonly [string, number]>): void {
    const collect = () => {
      counter.reset()
      for (const [key, value] of read()) counter.inc(labelsOf(labelNames, key), value)
    }
    const registers = [this.registry]
    const counter = new Counter({ name: `quorate_${name}_total`, help, labelNames, registers, collect })
  }
}

function addPlaces(metrics: Metrics, { status, clients, transport, store }: MetricsSources): void {
  metrics.gauge('view', 'view that the replica is in', () => status().view)
  metrics.gauge('active', '1 in a view, 0 while changing it', () => Number(status().active))
  metrics.gauge('leader', 'index of the leader of the view', () => status().leader)
  metrics.gauge('slot_chosen', 'last slot up to which everything is chosen', () => status().chosen)
  metrics.gauge('slot_executed', 'last slot executed', () => status().executed)
  metrics.gauge('slot_stable', 'slot of the stable checkpoint', () => status().stable)
  metrics.gauge('slot_first', 'first slot kept for audits', () => status().firstSlot)
  metrics.gauge('pending_requests', 'requests that wait to be executed', () => status().pending)
  metrics.gauge('transferring', '1 while a state is fetched from peers', () => Number(status().transferring))
  metrics.gauge('alarms', 'alarms raised since the start', () => status().alarms.length)
  metrics.gauge('uptime_seconds', 'seconds since the start', () => status().uptimeMs / 1000)
  metrics.gauge('peers_connected', 'members connected', () => status().connected.length)
  metrics.gauge('clients_connected', 'client keys connected', clients)
  metrics.gauge('queued_bytes', 'bytes that wait to be sent', () => transport.queuedBytes())
  metrics.gauge('resident_bytes', 'bytes of memory that the process holds', () => process.memoryUsage.rss())
  metrics.gauge('store_bytes', 'bytes of the store on disk', () => store.counters().bytesOnDisk)
}

function addLoad(metrics: Metrics, sources: MetricsSources): void {
  const { status, counters, verifier, store, transport } = sources
  metrics.counter('requests', 'requests executed', () => status().requests)
  metrics.counter('messages', 'messages of peers looked at', () => counters.messages)
  metrics.counter('signatures', 'signatures made', () => counters.signatures)
  metrics.counter('signature_checks', 'signatures checked', () => verifier.checks)
  metrics.counter('signature_checks_spared', 'signatures known from before', () => verifier.hits)
  metrics.counter('network_writes', 'writes to members and clients', () => transport.sent().writes)
  metrics.counter('network_written_bytes', 'bytes in them, before encryption', () => transport.sent().bytes)
  metrics.table('cpu_microseconds', 'processor time of the process', ['mode'], () => Object.entries(process.cpuUsage()))
  metrics.counter('store_appends', 'appends to the log', () => store.counters().appends)
  metrics.counter('store_syncs', 'syncs of the log', () => store.counters().syncs)
  metrics.counter('store_written_bytes', 'bytes written to the store', () => store.counters().bytesWritten)
  metrics.counter('snapshots_written', 'snapshots written', sources.snapshotsWritten)
  metrics.counter('chunks_sent', 'chunks of snapshots given to peers', () => counters.chunksSent)
  metrics.counter('frames_unsent', 'frames for peers that found no room', () => counters.unsent)
  metrics.counter('frames_unheard', 'frames of peers and clients that found no room', sources.dropped)
}

function addReasons(metrics: Metrics, { status, counters, transport }: MetricsSources): void {
  metrics.table('ignored', 'messages passed over, by reason', ['reason'], () => counters.ignored)
  metrics.table('blamed', 'frames that no honest replica sends', ['peer', 'code'], () => counters.blamed)
  metrics.table('refused', 'requests that were refused, by code', ['code'], () => counters.refused)
  metrics.table('views', 'views begun or given up, by reason', ['reason'], () => counters.views)
  metrics.table('transport', 'what the network refused or dropped', ['reason'], () =>
    Object.entries(transport.counters()),
  )
  metrics.table('lies', 'proofs of lies', ['accused', 'kind'], () =>
    status().lies.map(({ accused, kind, count }) => [`${accused} ${kind}`, count] as const),
  )
}

/** `1 bad-signature` as values of two labels; of one label it is the whole text. */
function labelsOf(labels: readonly string[], key: string): Record<string, string> {
  const [first = '', second] = labels
  const space = key.indexOf(' ')
  if (second === undefined || space < 0) return { [first]: key }
  return { [first]: key.slice(0, space), [second]: key.slice(space + 1) }
}

// npx node bench/net.ts: what two replicas in two processes on 127.0.0.1 get through one link. Not a suite of
// bench/main.ts, since half of what it measures runs in the other process.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type ReplicaIndex, replicaIndex } from '../crypto/index.ts'
import { assembleGenesis, DEFAULT_PARAMETERS, type Genesis, readGenesis } from '../keys/index.ts'
import { nativeSigner, nativeVerifier } from '../keys/native/index.ts'
import { libp2pReplicaTransport, type ReplicaTransport } from '../net/index.ts'

/** Frames that are under way at once where throughput is measured. */
const AHEAD = 512
const [US, THEM] = [replicaIndex(0), replicaIndex(1)]

interface Figures {
  readonly roundTripUs: { readonly p50: number; readonly p99: number }
  readonly framesPerSecond: number
  readonly megabytesPerSecond: number
  /** Processor time of this one of the two processes: what a busy machine does not change much. */
  readonly processorUs: { readonly roundTrip: number; readonly frame: number; readonly megabyte: number }
}

if (process.argv[2] === '--echo') await echo()
else await measure()

async function measure(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['--echo'])
  try {
    const [address] = await once(child, 'message')
    console.log(JSON.stringify(await figures(String(address)), null, 2))
  } finally {
    await end(child)
  }
}

async function figures(address: string): Promise<Figures> {
  const transport = endOf(US, () => [address])
  let onFrame: (frame: Uint8Array) => void = () => undefined
  await transport.start({
    peerFrame: (_from, _channel, frame) => onFrame(frame),
    peerUp: () => undefined,
    peerDown: () => undefined,
    clientFrame: () => undefined,
    clientUp: () => undefined,
    clientDown: () => undefined,
    isClient: () => false,
    isFormer: () => false,
    formerFrame: () => undefined,
  })
  // The other end may not be able to answer at once: what it cannot send is dropped.
  await new Promise<void>((resolve) => {
    const knock = setInterval(() => transport.send(THEM, 'consensus', Uint8Array.of(1)), 50)
    onFrame = () => {
      clearInterval(knock)
      resolve()
    }
  })
  const echoed = (send: number, size: number) =>
    new Promise<void>((resolve) => {
      let [sent, received] = [0, 0]
      const fill = () => {
        // What does not fit into the queue is dropped, so it is sent again later.
        while (sent < send && sent - received < AHEAD) {
          if (!transport.send(THEM, 'consensus', new Uint8Array(size).fill(1))) break
          sent++
        }
      }
      onFrame = () => {
        received++
        if (received === send) resolve()
        else if (sent - received < AHEAD / 2) fill()
      }
      fill()
    })
  await echoed(20_000, 300)
  const roundTrips: number[] = []
  const oneByOne = async () => {
    for (let i = 0; i < 5_000; i++) {
      const start = performance.now()
      await echoed(1, 300)
      roundTrips.push(1_000 * (performance.now() - start))
    }
  }
  const single = await cost(oneByOne, 5_000)
  const small = await cost(() => echoed(50_000, 300), 50_000)
  const large = await cost(() => echoed(100, 1024 * 1024), 100)
  await transport.stop()
  roundTrips.sort((a, b) => a - b)
  const at = (share: number) => Math.round(roundTrips[Math.floor(share * roundTrips.length)] ?? Number.NaN)
  return {
    roundTripUs: { p50: at(0.5), p99: at(0.99) },
    framesPerSecond: Math.round(small.perSecond),
    megabytesPerSecond: Math.round(large.perSecond),
    processorUs: { roundTrip: single.processorUs, frame: small.processorUs, megabyte: large.processorUs },
  }
}

/** Of `operations`, each there and back. */
async function cost(run: () => Promise<void>, operations: number): Promise<{ perSecond: number; processorUs: number }> {
  const [start, before] = [performance.now(), process.cpuUsage()]
  await run()
  const { user, system } = process.cpuUsage(before)
  return {
    perSecond: (1_000 * operations) / (performance.now() - start),
    processorUs: Math.round((10 * (user + system)) / operations) / 10,
  }
}

/** The other process: sends everything back, small as it is. */
async function echo(): Promise<void> {
  const transport = endOf(THEM, () => [])
  await transport.start({
    peerFrame: (from, channel, frame) => {
      transport.send(from, channel, frame.length > 1024 ? frame.subarray(0, 1) : frame)
    },
    peerUp: () => undefined,
    peerDown: () => undefined,
    clientFrame: () => undefined,
    clientUp: () => undefined,
    clientDown: () => undefined,
    isClient: () => false,
    isFormer: () => false,
    formerFrame: () => undefined,
  })
  process.send?.(transport.addresses[0])
  await once(process, 'disconnect')
  await transport.stop()
}

async function end(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
}

function endOf(self: ReplicaIndex, addresses: () => readonly string[]): ReplicaTransport {
  const { clusterId, members } = genesis()
  return libp2pReplicaTransport({
    clusterId,
    roster: members,
    self,
    seed: seed('transport', self),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    addresses,
  })
}

function genesis(): Genesis {
  const contents = assembleGenesis({
    name: 'bench',
    quorum: { byzantine: 0, crash: 0 },
    members: [US, THEM].map((index) => ({
      consensus: nativeSigner(seed('consensus', index)),
      transport: nativeSigner(seed('transport', index)),
      addresses: [`/ip4/127.0.0.1/tcp/${7400 + index}`],
    })),
    clients: [{ name: 'admin', role: 'admin', key: nativeSigner(seed('client', US)) }],
    parameters: DEFAULT_PARAMETERS,
  })
  const result = readGenesis(new TextEncoder().encode(JSON.stringify(contents)), nativeVerifier)
  if (!result.ok) throw new Error(JSON.stringify(result.fault))
  return result.value
}

function seed(purpose: 'consensus' | 'transport' | 'client', index: number): Uint8Array {
  return new Uint8Array(32).fill(1 + ['consensus', 'transport', 'client'].indexOf(purpose) * 8 + index)
}

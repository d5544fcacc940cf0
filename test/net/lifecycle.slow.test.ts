// Coming, going and coming back, over real sockets and with real processes.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS, NetError, type NetNotice, type ReplicaTransport } from '../../net/index.ts'
import { Loopback } from './libp2p-support.ts'
import { frame, HeardByClient, HeardByReplica, R0, R1 } from './support.ts'

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url))
const MIB = 1024 * 1024

const cleanups: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function started(transport: ReplicaTransport): Promise<HeardByReplica> {
  const heard = new HeardByReplica()
  cleanups.push(() => transport.stop())
  await transport.start(heard)
  return heard
}

/** The error that `start` ends with. */
async function refusal(transport: ReplicaTransport): Promise<unknown> {
  cleanups.push(() => transport.stop())
  return await transport.start(new HeardByReplica()).catch((error: unknown) => error)
}

async function worker(index: number, known: readonly string[] = []): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, ['--no-warnings', WORKER, `${index}`, ...known], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  })
  const lines = createInterface({ input: child.stdout })
  const [address] = await once(lines, 'line')
  return { child, address: String(address) }
}

describe('starting a member', () => {
  it('says which port is taken, and by whom perhaps', async () => {
    const loopback = new Loopback()
    await started(loopback.replica(0))
    const port = loopback.port(0)
    const error = await refusal(loopback.replica(1, { listen: [`/ip4/127.0.0.1/tcp/${port}`] }))
    expect(error).toMatchObject({
      code: 'port-in-use',
      message: `port ${port} on 127.0.0.1 is already in use; is another replica running?`,
    })
    expect(error).toBeInstanceOf(NetError)
  })

  it.each([
    [
      '/ip4/192.0.2.1/tcp/7400',
      'address-unavailable',
      'cannot listen on port 7400 on 192.0.2.1: this host has no such',
    ],
    [
      '/dns/no-such-host.invalid/tcp/7400',
      'cannot-resolve',
      'port 7400 on no-such-host.invalid: the name has no address',
    ],
  ])('says what is wrong with %s', async (address, code, text) => {
    const error = await refusal(new Loopback().replica(0, { listen: [address] }))
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) })
  })

  it('listens on no address where it cannot listen on all, and may be started again', async () => {
    const loopback = new Loopback()
    const blocker = await listening(createServer())
    const transport = loopback.replica(0, { listen: ['/ip4/127.0.0.1/tcp/0', `/ip4/127.0.0.1/tcp/${blocker.port}`] })
    expect(await refusal(transport)).toMatchObject({ code: 'port-in-use' })
    expect(transport.addresses).toEqual([])
    await blocker.close()
    await started(transport)
    expect(transport.addresses.length).toBe(2)
  })

  it('refuses a seed that is not its own', async () => {
    const error = await refusal(new Loopback().replica(0, { seed: 'transport 1' }))
    expect(error).toMatchObject({ message: expect.stringContaining('the seed is not that of replica 0') })
  })
})

describe('dialling a member', () => {
  async function firstNotice(loopback: Loopback): Promise<NetNotice> {
    return await new Promise((resolve) => {
      loopback.onNotice = resolve
    })
  }

  it('fails where another key answers, and says so', async () => {
    const loopback = new Loopback()
    await started(loopback.replica(2))
    const [elsewhere] = [loopback.addressesOf(2)]
    loopback.addressesOf = (replica) => (replica === 1 ? elsewhere : [])
    const notice = firstNotice(loopback)
    const transport = loopback.replica(0)
    await started(transport)
    expect(await notice).toMatchObject({
      kind: 'dial-failed',
      replica: 1,
      attempt: 1,
      error: { code: 'wrong-identity' },
    })
    expect((await notice).error.message).toMatch(
      /^what answers on port [0-9]+ on 127\.0\.0\.1 is not replica 1: it proved another key; does the/,
    )
    expect(transport.connected(R1)).toBe(false)
  })

  it('goes on for ever, with growing pauses, and names the cause', async () => {
    const loopback = new Loopback({ backoffMs: 4, backoffCapMs: 16 })
    loopback.addressesOf = (replica) => (replica === 1 ? ['/ip4/127.0.0.1/tcp/1'] : [])
    const ten = new Promise<void>((resolve) => {
      loopback.onNotice = ({ attempt }) => attempt === 10 && resolve()
    })
    await started(loopback.replica(0))
    await ten
    const [first] = loopback.notices
    expect(first?.error).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('nobody listens there'),
    })
    const pauses = loopback.notices.map(({ retryMs }) => retryMs)
    const full = [4, 8, 16, 16, 16, 16, 16, 16, 16, 16]
    for (const [i, pause] of pauses.slice(0, 10).entries()) {
      expect(pause).toBeGreaterThanOrEqual((full[i] ?? 0) / 2)
      expect(pause).toBeLessThanOrEqual(full[i] ?? 0)
    }
  })

  it('says where a name has no address', async () => {
    const loopback = new Loopback()
    loopback.addressesOf = (replica) => (replica === 1 ? ['/dns/no-such-host.invalid/tcp/7400'] : [])
    const notice = firstNotice(loopback)
    await started(loopback.replica(0))
    expect((await notice).error).toMatchObject({ code: 'cannot-resolve' })
  })

  it('settles, where both members dial at once, on links that stay', async () => {
    // No courtesy: both dial in the same moment.
    const loopback = new Loopback({ courtesyMs: 0 })
    const [a, b] = [loopback.replica(0), loopback.replica(1)]
    const [heardByA, heardByB] = await Promise.all([started(a), started(b)])
    await Promise.all([heardByA.heard('up 1'), heardByB.heard('up 0')])
    heardByB.onPeerFrame = (_, channel, bytes) => b.send(R0, channel, bytes)
    for (let i = 0; i < 50; i++) {
      expect(a.send(R1, 'consensus', frame(`${i}`))).toBe(true)
      await heardByA.heard(`consensus from 1: ${i}`)
    }
    expect([heardByA, heardByB].map(({ lines }) => lines.filter((line) => line.startsWith('down')))).toEqual([[], []])
  })
})

describe('losing a member', () => {
  it('holds no more than the bound for one that is stopped, and goes on with it afterwards', async () => {
    const loopback = new Loopback()
    const { child, address } = await worker(1)
    loopback.addressesOf = (replica) => (replica === 1 ? [address] : [])
    const transport = loopback.replica(0)
    const heard = await started(transport)
    await heard.heard('up 1')
    await answered(transport, heard, 'before')
    child.kill('SIGSTOP')
    const before = process.memoryUsage().rss
    const chunk = new Uint8Array(MIB)
    let full = 0
    for (let i = 0; i < 2_000; i++) {
      if (!transport.send(R1, 'consensus', chunk)) full++
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(full).toBeGreaterThan(1_900)
    expect(transport.queuedBytes()).toBeLessThanOrEqual(DEFAULT_LIMITS.maxPeerQueueBytes)
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB)
    child.kill('SIGCONT')
    await answered(transport, heard, 'after')
  })

  it('meets one again that was killed and came back', async () => {
    const loopback = new Loopback()
    const transport = loopback.replica(0)
    const heard = await started(transport)
    const first = await worker(1, [`0=${transport.addresses[0]}`])
    await heard.heard('up 1')
    first.child.kill('SIGKILL')
    await heard.heard('down 1')
    await worker(1, [`0=${transport.addresses[0]}`])
    await heard.until(() => heard.lines.filter((line) => line === 'up 1').length === 2)
    await answered(transport, heard, 'again')
  })

  it('notices one whose bytes no longer arrive, though its connection stands', async () => {
    const loopback = new Loopback({ tickMs: 50 })
    const other = loopback.replica(1)
    await started(other)
    const wire = await tunnel(loopback.port(1))
    loopback.addressesOf = (replica) => (replica === 1 ? [`/ip4/127.0.0.1/tcp/${wire.port}`] : [])
    const transport = loopback.replica(0)
    const heard = await started(transport)
    await heard.heard('up 1')
    wire.swallow(true)
    await heard.heard('down 1')
    expect(wire.open()).toBeGreaterThan(0)
    wire.swallow(false)
    await heard.until(() => heard.lines.filter((line) => line === 'up 1').length === 2)
  })
})

describe('stopping', () => {
  it('lets go of everything: the process ends by itself', async () => {
    const loopback = new Loopback()
    const transport = loopback.replica(0)
    const heard = await started(transport)
    const { child } = await worker(1, [`0=${transport.addresses[0]}`])
    await heard.heard('up 1')
    const exit = once(child, 'exit')
    child.stdin?.end()
    expect(await exit).toEqual([0, null])
  })

  it('waits for a start under way', async () => {
    const loopback = new Loopback()
    const transport = loopback.replica(0)
    const starting = transport.start(new HeardByReplica())
    await transport.stop()
    await starting
    expect(transport.addresses).toEqual([])
    const abort = new AbortController()
    const aborted = transport.start(new HeardByReplica(), { signal: abort.signal })
    abort.abort(new Error('changed my mind'))
    await expect(aborted).rejects.toThrow('changed my mind')
    expect(transport.addresses).toEqual([])
  })

  it('ends a client that nobody answered', async () => {
    const loopback = new Loopback()
    loopback.addressesOf = () => ['/ip4/127.0.0.1/tcp/1']
    const client = loopback.client('client admin')
    const failed = new Promise<void>((resolve) => {
      loopback.onNotice = () => resolve()
    })
    await client.start(new HeardByClient())
    await failed
    await client.stop()
    expect(client.connected(R0)).toBe(false)
  })
})

/** Sends `text` until it comes back: what is sent while the way back is not open yet is lost. */
async function answered(transport: ReplicaTransport, heard: HeardByReplica, text: string): Promise<void> {
  const knock = setInterval(() => transport.send(R1, 'consensus', frame(text)), 20)
  await heard.heard(`consensus from 1: ${text}`)
  clearInterval(knock)
}

async function listening(server: Server): Promise<{ port: number; close(): Promise<void> }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const close = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    await closed
  }
  cleanups.push(close)
  return { port: typeof address === 'object' && address !== null ? address.port : 0, close }
}

/** A TCP tunnel to `port` that can swallow all bytes without closing anything. */
async function tunnel(port: number) {
  const sockets = new Set<Socket>()
  let swallowing = false
  const server = createServer((inner) => {
    const outer = netConnect({ host: '127.0.0.1', port })
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => swallowing || to.write(bytes))
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        if (!swallowing) to.destroy()
      })
    }
  })
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: (await listening(server)).port,
    swallow: (on: boolean) => {
      swallowing = on
    },
    open: () => sockets.size,
  }
}

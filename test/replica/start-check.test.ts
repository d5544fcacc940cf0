// Replicas that start again ask what others hold of their word before they vote (P28), see src/replica/start-check.ts.

import { afterEach, describe, expect, it } from 'vitest'
import {
  type ReplicaIndex,
  replicaIndex,
  sha256,
  slot,
  utf8,
  type Vote,
  type VoteKind,
  view,
} from '../../crypto/index.ts'
import type { Genesis } from '../../keys/index.ts'
import type { ReplicaTransport } from '../../net/index.ts'
import type { MemoryContents } from '../../src/storage/index.ts'
import { decodeMessage, encodeMessage, type PeerMessage } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { MemoryCluster, type MemoryClusterOptions, type TestClient, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

/** Far beyond any test: who waits for it does not get anywhere. */
const NEVER_MS = 600_000
const BINDING: readonly PeerMessage['kind'][] = ['vote', 'propose', 'view-change', 'new-view', 'checkpoint']

async function started(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  cluster = new MemoryCluster(options)
  await cluster.start()
  return cluster
}

async function write(client: TestClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.submit([client.put('key', `value ${i}`)])
}

const takesPart = (c: MemoryCluster, replica: number) =>
  c.logged.filter((each) => each.replica === replica && each.text === 'taking part').length

describe('an old copy of a store', () => {
  const MODES = [
    { title: 'n = 4, b = 1', mode: {} },
    { title: 'n = 3, b = 0', mode: { replicas: 3, byzantine: 0, crash: 1 } },
    { title: 'votes unsigned', mode: { replicas: 3, byzantine: 0, crash: 1, parameters: { signedVotes: false } } },
  ]
  it.each(MODES)('is refused before the replica has said anything ($title)', async ({ mode }) => {
    const c = await started(mode)
    const client = await c.client()
    await write(client, 3)
    await c.stop(2)
    const old = copyOf(c.contents[2])
    await c.start(2)
    await write(client, 12)
    await until(() => c.status(2).executed >= 12)
    await c.stop(2)
    Object.assign(c.contents[2] ?? {}, old)
    const { sent, transport } = spied(c, 2)
    await c.startWith(2, { transport })
    await until(() => c.fatal.length > 0)
    expect(c.fatal).toEqual([
      expect.objectContaining({
        code: 'rolled-back',
        message: expect.stringMatching(
          /^memory-2 is an older copy: replica \d holds what this replica has signed since, /,
        ),
      }),
    ])
    expect(sent.filter((kind) => BINDING.includes(kind))).toEqual([])
    // The others go on without it.
    await write(client, 3)
  })
})

describe('a replica that starts again with the store that it had', () => {
  it('takes part, also where the others went on meanwhile, again and again', async () => {
    const c = await started()
    const client = await c.client()
    for (let i = 0; i < 4; i++) {
      await write(client, 5)
      await c.stop(i)
      await write(client, 5)
      await c.start(i)
      await until(() => takesPart(c, i) === 2)
    }
    expect(c.fatal).toEqual([])
  })

  it('knows of all that it has sent where it ends in the midst of it, as by kill -9', async () => {
    const c = await started()
    const client = await c.client()
    await c.stop(2)
    let copy: MemoryContents | undefined
    let dead = false
    let votes = 0
    // Dead with its seventh vote: nothing is written any more, and nothing heard of it, though the vote has just left.
    const { transport } = spied(c, 2, (_, message) => {
      if (message.kind === 'vote' && !dead && ++votes === 7) {
        dead = true
        copy = copyOf(c.contents[2])
        return message
      }
      return dead ? undefined : message
    })
    await c.startWith(2, { transport })
    const writing = write(client, 20)
    await until(() => dead)
    await writing
    await c.stop(2)
    Object.assign(c.contents[2] ?? {}, copy)
    await c.start(2)
    await until(() => takesPart(c, 2) === 3)
    await write(client, 10)
    expect(c.fatal).toEqual([])
  })

  it('takes part once q - 1 have answered, all of them starting at the same time', async () => {
    const c = await started({ parameters: { viewTimeoutMs: NEVER_MS, viewTimeoutCapMs: NEVER_MS } })
    const client = await c.client()
    await write(client, 5)
    await c.stop()
    await c.start()
    await until(() => [0, 1, 2].every((i) => takesPart(c, i) === 2))
    await write(client, 5)
    expect(c.fatal).toEqual([])
  })

  it('takes part after one view time-out where nobody is up', async () => {
    const c = await started()
    await write(await c.client(), 5)
    await c.stop()
    await c.start(1)
    await until(() => takesPart(c, 1) === 2)
    expect(c.fatal).toEqual([])
  })

  it('asks nobody where it is alone (n = 1)', async () => {
    const options = { viewTimeoutMs: NEVER_MS, viewTimeoutCapMs: NEVER_MS }
    const c = await started({ replicas: 1, byzantine: 0, parameters: options })
    const client = await c.client()
    await write(client, 3)
    await c.stop()
    await c.start()
    await write(client, 3)
  })

  it('asks nobody with a new store', async () => {
    const c = new MemoryCluster({ parameters: { viewTimeoutMs: NEVER_MS, viewTimeoutCapMs: NEVER_MS } })
    cluster = c
    const { sent, transport } = spied(c, 1)
    await c.startWith(1, { transport })
    expect(takesPart(c, 1)).toBe(1)
    expect(sent).not.toContain('what-of-me')
  })

  it('is not kept out by peers that lie about it, and blames nobody', async () => {
    const c = await started()
    const client = await c.client()
    await write(client, 5)
    for (const liar of [1, 3]) {
      await c.stop(liar)
      const { transport } = spied(c, liar, (to, message) =>
        message.kind === 'held-of-you' ? lie(c.genesis, liar, to) : message,
      )
      await c.startWith(liar, { transport })
      await until(() => takesPart(c, liar) === 2)
    }
    await write(client, 5)
    await c.stop(2)
    await c.start(2)
    await until(() => takesPart(c, 2) === 2)
    await write(client, 5)
    expect(c.fatal).toEqual([])
    expect([1, 3].map((liar) => c.replica(2).counters?.blamedOf(replicaIndex(liar)))).toEqual([0, 0])
  })
})

describe('what is held of a replica', () => {
  it('is told once a quarter of a view time-out, however often it asks, and what comes unasked is passed over', async () => {
    const c = await started({ parameters: { viewTimeoutMs: NEVER_MS, viewTimeoutCapMs: NEVER_MS } })
    const client = await c.client()
    await write(client, 5)
    await c.stop(2)
    const ours = c.network.replica(replicaIndex(2))
    const heard: PeerMessage['kind'][] = []
    await ours.start({
      ...QUIET,
      peerFrame(from, _, frame) {
        const decoded = decodeMessage(frame)
        if (from === 0 && decoded.ok) heard.push(decoded.value.message.kind)
      },
    })
    await until(() => ours.connected(replicaIndex(0)))
    const { epoch } = c.status(0)
    const nothing = { promise: undefined, vote: undefined, note: undefined }
    for (let i = 0; i < 50; i++) ours.send(replicaIndex(0), 'consensus', encodeMessage({ kind: 'what-of-me' }, epoch))
    ours.send(replicaIndex(0), 'consensus', encodeMessage({ kind: 'held-of-you', ...nothing }, epoch))
    await until(() => c.replica(0).counters?.ignored.get('too-late') === 1 && heard.includes('held-of-you'))
    expect(heard.filter((kind) => kind === 'held-of-you')).toHaveLength(1)
    expect(c.replica(0).counters?.blamedOf(replicaIndex(2))).toBe(0)
    await ours.stop()
  })
})

const QUIET = {
  peerUp: () => {},
  peerDown: () => {},
  clientFrame: () => {},
  clientUp: () => {},
  clientDown: () => {},
  isClient: () => false,
  isFormer: () => false,
  formerFrame: () => {},
}

/** Votes far ahead in the name of `of`, under the key that the liar has. */
function lie({ membership }: Genesis, liar: number, of: ReplicaIndex): PeerMessage {
  const place = { clusterId: membership.clusterId, membership: membership.digest, view: view(1_000), slot: slot(1_000) }
  const content = { ...place, justification: sha256(utf8('new view')), digest: sha256(utf8('entry')) }
  const vote = (kind: VoteKind): Vote => ({
    statement: { kind, ...content },
    replica: of,
    signature: signerNamed(`consensus ${liar}`).sign(new Uint8Array(1)),
  })
  return { kind: 'held-of-you', promise: vote('view-change'), vote: vote('accept'), note: undefined }
}

function copyOf(contents: MemoryContents | undefined): MemoryContents {
  if (contents === undefined) throw new Error('no contents')
  return { ...contents, records: [...contents.records] }
}

/** The transport of a replica, and the kinds of what it sends; `change` may replace any of it, or hold it back. */
function spied(
  c: MemoryCluster,
  index: number,
  change: (to: ReplicaIndex, message: PeerMessage) => PeerMessage | undefined = (_, message) => message,
): { readonly sent: PeerMessage['kind'][]; readonly transport: ReplicaTransport } {
  const inner = c.network.replica(replicaIndex(index))
  const sent: PeerMessage['kind'][] = []
  const transport: ReplicaTransport = {
    start: (handlers, options) => inner.start(handlers, options),
    stop: () => inner.stop(),
    update: (roster) => inner.update(roster),
    send(to, channel, frame) {
      const decoded = channel === 'consensus' ? decodeMessage(frame) : undefined
      if (!decoded?.ok) return inner.send(to, channel, frame)
      const { message, epoch } = decoded.value
      sent.push(message.kind)
      const changed = change(to, message)
      if (changed === undefined) return true
      return inner.send(to, channel, changed === message ? frame : encodeMessage(changed, epoch))
    },
    flush: () => inner.flush(),
    connected: (peer) => inner.connected(peer),
    get addresses() {
      return inner.addresses
    },
    counters: () => inner.counters(),
    sent: () => inner.sent(),
    queuedBytes: () => inner.queuedBytes(),
  }
  return { sent, transport }
}

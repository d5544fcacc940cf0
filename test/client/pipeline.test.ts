import { describe, expect, it } from 'vitest'
import { digest, view } from '../../crypto/index.ts'
import { type Client, OutcomeUnknown, Refused, ResultForgotten } from '../../src/client/index.ts'
import {
  BUNDLE_REQUESTS,
  EAGER_BUNDLES,
  FILLED_BUNDLE,
  SEQUENCE_SPAN,
  TICK_MS,
  UNDER_WAY_BYTES,
  WAITING_REQUESTS,
  WITNESS_PAUSE_SHARE,
  WITNESSED_EVERY,
} from '../../src/client/limits.ts'
import type { SignedRequest } from '../../src/consensus/index.ts'
import { encodeResultRecord, encodeWindow, type StateMachine } from '../../src/machine/index.ts'
import type { RefusalCode } from '../../src/wire/index.ts'
import { FakeCluster, numbersOf, recordOf } from './fake-cluster.ts'
import { rounds, useTestClock, watched } from './support.ts'

const pass = useTestClock()

/** Answers with what it was given, and refuses `no`. */
const echo: StateMachine = { name: 'echo-v1', apply: (command) => command }

async function withClient(cluster: FakeCluster, use: (client: Client) => Promise<void>): Promise<void> {
  const client = await cluster.connect()
  try {
    await use(client)
  } finally {
    await client.close()
  }
}

/** A client that has heard from everybody, so that it knows the leader. */
async function settled(cluster: FakeCluster): Promise<Client> {
  const client = await cluster.connect()
  await client.submit(bytes(3)).catch(() => {})
  await rounds()
  cluster.sent.length = 0
  return client
}

const bytes = (length: number) => new Uint8Array(length)

/** All replicas execute `requests` and say so. */
function answer(cluster: FakeCluster, requests: readonly SignedRequest[]): void {
  const slot = cluster.execute(requests)
  for (const replica of cluster.members)
    cluster.say(replica, { kind: 'replies', replies: [cluster.truth(replica, slot, requests)] })
}

describe('submitting', () => {
  it('signs everything of one turn once', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    const calls = Array.from({ length: 100 }, (_, i) => client.put(`k${i}`, 'v'))
    const done = await Promise.all(calls)
    expect(client.counters().bundles).toBe(2)
    const signatures = new Set(done.map(({ receipt }) => receipt.request.proof.signature.join()))
    expect(signatures.size).toBe(1)
    expect(new Set(done.map(({ slot }) => slot)).size).toBe(1)
    await client.close()
  })

  it('makes another bundle where one would be too large', () =>
    withClient(new FakeCluster({ machine: echo, parameters: { maxRequestBytes: 400_000 } }), async (client) => {
      await Promise.all([client.submit(bytes(300_000)), client.submit(bytes(300_000)), client.submit(bytes(100))])
      expect(client.counters().bundles).toBe(2)
      await Promise.all(Array.from({ length: BUNDLE_REQUESTS + 1 }, () => client.submit(bytes(1))))
      expect(client.counters().bundles).toBe(4)
    }))

  it('signs single requests while few bundles are under way, and then waits for company until one of them is done', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    const held: SignedRequest[][] = []
    for (const replica of cluster.members) cluster.doors.set(replica, (requests) => void held.push([...requests]))
    const before = client.counters().bundles ?? 0
    const calls: ReturnType<typeof watched>[] = []
    for (let i = 0; i < EAGER_BUNDLES + 5; i++) {
      calls.push(watched(client.submit(bytes(1))))
      await rounds(2)
    }
    expect(client.counters().bundles).toBe(before + EAGER_BUNDLES)
    answer(cluster, held[0] ?? [])
    await rounds()
    expect(calls[0]?.outcome).toHaveProperty('value')
    // The five that waited are one bundle.
    expect(client.counters().bundles).toBe(before + EAGER_BUNDLES + 1)
    expect(held.at(-1)).toHaveLength(5)
    await client.close()
  })

  it('does not wait for company when enough is there, nor longer than until the next look', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    for (const replica of cluster.members) cluster.doors.set(replica, () => {})
    const before = client.counters().bundles ?? 0
    for (let i = 0; i < EAGER_BUNDLES; i++) {
      watched(client.submit(bytes(1)))
      await rounds(2)
    }
    for (let i = 0; i < FILLED_BUNDLE; i++) watched(client.submit(bytes(1)))
    await rounds(2)
    expect(client.counters().bundles).toBe(before + EAGER_BUNDLES + 1)
    watched(client.submit(bytes(1)))
    await rounds()
    expect(client.counters().bundles).toBe(before + EAGER_BUNDLES + 1)
    await pass(TICK_MS)
    expect(client.counters().bundles).toBe(before + EAGER_BUNDLES + 2)
    await client.close()
  })

  it('counts no bundle as under way whose calls were all given up', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    for (const replica of cluster.members) cluster.doors.set(replica, () => {})
    const before = client.counters().bundles ?? 0
    const giveUp = new AbortController()
    for (let i = 0; i < EAGER_BUNDLES; i++) {
      watched(client.submit(bytes(1), { signal: giveUp.signal }))
      await rounds(2)
    }
    giveUp.abort()
    watched(client.submit(bytes(1)))
    await rounds(2)
    expect(client.counters().bundles).toBe(before + EAGER_BUNDLES + 1)
    await client.close()
  })

  it('keeps the numbers under way within the half of a session window, and the others in order', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    for (const replica of cluster.members) cluster.silent.add(replica)
    const count = SEQUENCE_SPAN + 300
    const calls = Array.from({ length: count }, (_, i) => client.submit(Uint8Array.of(i >> 8, i)))
    await pass(100)
    const sent = numbersOf(cluster.requestsTo(0))
    expect(sent).toHaveLength(SEQUENCE_SPAN)
    cluster.silent.clear()
    await pass(3000)
    const slots = (await Promise.all(calls)).map(({ receipt }) => receipt.request.request.sequence)
    expect(slots).toEqual(slots.toSorted((a, b) => a - b))
    await client.close()
  })

  it('keeps the bytes under way within what replicas have room for, and takes what is larger alone', async () => {
    const size = UNDER_WAY_BYTES / 8
    const cluster = new FakeCluster({
      machine: echo,
      parameters: { maxRequestBytes: UNDER_WAY_BYTES + 1, maxBatchBytes: 2 * UNDER_WAY_BYTES },
    })
    const client = await settled(cluster)
    const held: SignedRequest[] = []
    for (const replica of cluster.members) {
      cluster.doors.set(replica, (requests) => void (replica === 0 && held.push(...requests)))
    }
    const giveUp = new AbortController()
    const calls = Array.from({ length: 10 }, (_, i) => {
      return watched(client.submit(bytes(size), i === 9 ? { signal: giveUp.signal } : {}))
    })
    const large = watched(client.submit(bytes(UNDER_WAY_BYTES + 1)))
    const last = watched(client.submit(bytes(1)))
    await pass(TICK_MS)
    expect(held).toHaveLength(8)
    answer(cluster, held.splice(0, 3))
    await pass(TICK_MS)
    expect(held).toHaveLength(7)
    // Whoever gives up makes room, too.
    giveUp.abort()
    answer(cluster, held.splice(0, 6))
    await pass(TICK_MS)
    expect(held.map(({ request }) => request.command.length)).toEqual([size, UNDER_WAY_BYTES + 1])
    answer(cluster, held.splice(1))
    await pass(TICK_MS)
    expect(held.map(({ request }) => request.command.length)).toEqual([size, 1])
    answer(cluster, held.splice(1))
    await rounds()
    const outcomes = [...calls.slice(0, 9), large, last].map(({ outcome }) => outcome)
    // The machine refuses the large one.
    expect(outcomes).not.toContain(undefined)
    await client.close()
  })

  it('holds later numbers back while an early one is open, and lets them go with it', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    // The replicas lose the first request as often as it comes.
    let lost: SignedRequest | undefined
    const answerRest = (requests: readonly SignedRequest[]) => {
      lost ??= requests[0]
      const rest = requests.filter(({ id }) => lost === undefined || id.join() !== lost.id.join())
      const fresh = rest.filter((request) => !done.has(request.request.sequence))
      for (const { request } of fresh) done.add(request.sequence)
      if (fresh.length > 0) answer(cluster, fresh)
    }
    const done = new Set<number>()
    for (const replica of cluster.members) cluster.doors.set(replica, answerRest)
    const first = watched(client.submit(bytes(1)))
    await rounds()
    const others = Array.from({ length: SEQUENCE_SPAN + 10 }, () => watched(client.submit(bytes(2))))
    await pass(200)
    const open = others.filter(({ outcome }) => outcome === undefined)
    expect(open).toHaveLength(11)
    cluster.doors.clear()
    await pass(2000)
    expect(first.outcome).toHaveProperty('value')
    expect(others.every(({ outcome }) => outcome !== undefined && 'value' in outcome)).toBe(true)
    await client.close()
  })

  it('refuses at once what is too large, and says how large and what the limit is', () =>
    withClient(new FakeCluster(), async (client) => {
      const call = client.submit(bytes(65_537))
      await expect(call).rejects.toThrow(Refused)
      await expect(call).rejects.toThrow('has 65537 bytes, and the cluster takes at most 65536 (maxRequestBytes)')
    }))

  it('refuses at once what finds no room to wait', async () => {
    const cluster = new FakeCluster({ machine: echo })
    for (const replica of cluster.members) cluster.silent.add(replica)
    const client = await cluster.connect()
    const calls = Array.from({ length: WAITING_REQUESTS }, () => watched(client.submit(bytes(1))))
    await expect(client.submit(bytes(1))).rejects.toMatchObject({ name: 'Refused', code: 'queue-full' })
    await client.close()
    await rounds()
    expect(calls.every(({ outcome }) => outcome !== undefined && 'error' in outcome)).toBe(true)
  })
})

describe('whom it asks', () => {
  it('asks everybody at first, and the leader alone once t replicas have named their view', async () => {
    const cluster = new FakeCluster()
    cluster.view = 6
    await withClient(cluster, async (client) => {
      await client.put('a', '1')
      expect(cluster.sent.map(({ to }) => to)).toEqual([0, 1, 2, 3])
      await client.put('b', '2')
      expect(cluster.sent.slice(4).map(({ to }) => to)).toEqual([2])
    })
  })

  it('is not led astray by one replica that claims a later view', async () => {
    const cluster = new FakeCluster()
    cluster.lies.set(3, (truth) => [{ kind: 'replies', replies: [{ ...truth, view: view(7) }] }])
    await withClient(cluster, async (client) => {
      await client.put('a', '1')
      await client.put('b', '2')
      expect(cluster.sent.at(-1)?.to).toBe(0)
    })
  })

  it('asks everybody when the leader is silent, with the same bytes, and each time later', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    for (const replica of cluster.members) cluster.silent.add(replica)
    const call = watched(client.put('b', '2', { timeoutMs: 20_000 }))
    const times: number[] = []
    for (let at = 0; at < 8000; at += 100) {
      const before = cluster.requestsTo(0).length
      await pass(100)
      if (cluster.requestsTo(0).length > before) times.push(at)
    }
    const [first, ...later] = cluster.requestsTo(0)
    for (const again of later) expect(again).toEqual(first)
    expect(cluster.requestsTo(1)).toHaveLength(later.length)
    const pauses = times.slice(1).map((at, i) => at - (times[i] ?? 0))
    expect(pauses.length).toBeGreaterThanOrEqual(4)
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b))
    cluster.silent.clear()
    await pass(6000)
    expect(call.outcome).toHaveProperty('value')
    await client.close()
  })

  it('shows everybody one bundle in eight, so that others than the leader see how long it takes (P48)', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    for (let i = 0; i < 2 * WITNESSED_EVERY; i++) {
      await client.submit(bytes(1))
      await rounds()
    }
    const counts = cluster.members.map((replica) => cluster.requestsTo(replica).length)
    expect(counts.sort((a, b) => a - b)).toEqual([2, 2, 2, 2 * WITNESSED_EVERY])
    await client.close()
  })

  it.each([
    [0, 1],
    [7, 0],
  ])(
    'with %d requests of others in each slot, shows everybody %d of what comes after a pause',
    async (others, shown) => {
      const cluster = new FakeCluster({ machine: echo })
      for (const replica of cluster.members) {
        cluster.lies.set(replica, ({ receipt, items }) => {
          const records = [...items, ...Array.from({ length: others }, () => items[0])].flatMap(
            (each) => each?.record ?? [],
          )
          return [{ kind: 'replies', replies: [cluster.replyWith(replica, receipt.statement.slot, records, [0])] }]
        })
      }
      const client = await settled(cluster)
      for (let i = 0; i < 5 * WITNESSED_EVERY; i++) {
        await client.submit(bytes(1))
        await rounds()
      }
      cluster.sent.length = 0
      await pass(cluster.genesis.parameters.viewTimeoutMs * WITNESS_PAUSE_SHARE)
      await client.submit(bytes(1))
      await rounds()
      expect(cluster.requestsTo(1)).toHaveLength(shown)
      expect(cluster.requestsTo(0)).toHaveLength(1)
      await client.close()
    },
  )

  it('asks everybody at once when the link to the leader breaks', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    cluster.silent.add(0)
    const call = client.put('b', '2')
    await rounds()
    cluster.cut(0)
    await pass(50)
    await expect(call).resolves.toBeDefined()
    await client.close()
  })

  it('sends what is under way to whoever is reached later', async () => {
    const cluster = new FakeCluster()
    for (const replica of cluster.members) cluster.down.add(replica)
    await withClient(cluster, async (client) => {
      const call = watched(client.put('a', '1'))
      await pass(1000)
      expect(cluster.sent).toHaveLength(0)
      for (const replica of [1, 2]) cluster.raise(replica)
      await rounds()
      expect(call.outcome).toHaveProperty('value')
    })
  })
})

describe('a refusal at the door', () => {
  const door = (cluster: FakeCluster, code: RefusalCode, replicas: readonly number[]) => {
    for (const replica of replicas) {
      cluster.doors.set(replica, (requests) => {
        for (const { id } of requests) cluster.say(replica, { kind: 'refusal', request: id, code })
      })
    }
  }

  it('ends a request when t replicas say the same', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    door(cluster, 'unknown-client', [0, 1, 2, 3])
    const call = watched(client.put('b', '2'))
    await pass(50)
    expect(call.outcome).toMatchObject({ error: { name: 'Refused', code: 'unknown-client' } })
    await client.close()
  })

  it('ends nothing when a single one says it, or two say different things', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    door(cluster, 'unknown-client', [0])
    door(cluster, 'too-large', [1])
    for (const silent of [2, 3]) cluster.silent.add(silent)
    const call = watched(client.put('b', '2'))
    await pass(2000)
    expect(call.outcome).toBeUndefined()
    cluster.silent.clear()
    await pass(6000)
    expect(call.outcome).toHaveProperty('value')
    await client.close()
  })

  it('that says `busy`, from all of them, only delays', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    door(cluster, 'busy', [0, 1, 2, 3])
    const call = watched(client.put('b', '2'))
    await pass(3000)
    expect(call.outcome).toBeUndefined()
    expect(client.counters()['refusal-busy']).toBeLessThan(30)
    cluster.doors.clear()
    await pass(6000)
    expect(call.outcome).toHaveProperty('value')
    await client.close()
  })

  it('about a request that nobody made is counted', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    cluster.say(0, { kind: 'refusal', request: digest(bytes(32)), code: 'malformed' })
    expect(client.counters()['refusal-not-needed']).toBe(1)
    await client.close()
  })
})

describe('an agreed result that is no success', () => {
  it.each([
    ['refused', 'malformed', 'the state machine refused the request: malformed'],
    ['failed', '', 'the state machine failed at the request, and nothing was changed'],
    ['limit', '', 'the request goes beyond a limit of the state machine, and nothing was changed'],
    ['forbidden', '', "the client's role does not allow this, and nothing was changed"],
    ['unknown-client', '', 'the cluster does not know this client key'],
    ['conflict', '', 'another request with the same sequence number was first'],
  ] as const)('%s is a refusal with its receipt', async (outcome, detail, sentence) => {
    const error = await errorOf(outcome, detail === '' ? bytes(0) : Buffer.from(detail))
    expect(error).toBeInstanceOf(Refused)
    expect(error).toMatchObject({ code: outcome, detail, message: expect.stringContaining(sentence) })
    expect(error).toHaveProperty('receipt.certificate')
  })

  it('`forgotten` says that it was executed and where', async () => {
    const error = await errorOf('forgotten', bytes(32).fill(5), 9)
    expect(error).toBeInstanceOf(ResultForgotten)
    expect(error).toMatchObject({ slot: 9, message: expect.stringContaining('was executed in slot 9') })
  })

  it('`expired` leaves the outcome unknown, and later numbers are above what the cluster has seen', async () => {
    const cluster = new FakeCluster({ machine: echo })
    const client = await settled(cluster)
    const highest = (await client.submit(bytes(1))).receipt.request.request.sequence + 5000
    answerWith(cluster, 'expired', encodeWindow(highest - 1023, highest))
    const error = await client.submit(bytes(1)).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(OutcomeUnknown)
    expect(error).toMatchObject({ expired: true, message: expect.stringContaining(`the highest one used, ${highest}`) })
    cluster.doors.clear()
    expect((await client.submit(bytes(1))).receipt.request.request.sequence).toBe(highest + 1)
    await client.close()
  })
})

/** From now on everybody answers every request with this record. */
function answerWith(
  cluster: FakeCluster,
  outcome: Parameters<typeof encodeResultRecord>[0]['outcome'],
  result: Uint8Array,
  slot = 0,
) {
  for (const replica of cluster.members) {
    cluster.doors.set(replica, (requests) => {
      const records = requests.map(({ id, request: { client, sequence } }) =>
        encodeResultRecord({ outcome, client, sequence, request: id, slot, result }),
      )
      for (const each of cluster.members)
        cluster.say(each, { kind: 'replies', replies: [cluster.replyWith(each, 50, records)] })
    })
  }
}

async function errorOf(outcome: Parameters<typeof encodeResultRecord>[0]['outcome'], result: Uint8Array, slot = 0) {
  const cluster = new FakeCluster({ machine: echo })
  const client = await settled(cluster)
  answerWith(cluster, outcome, result, slot)
  const error: unknown = await client.submit(bytes(1)).catch((reason: unknown) => reason)
  await client.close()
  return error
}

describe('a deadline', () => {
  it('leaves the outcome unknown, and the same request, asked about again, is executed once', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    // Executed, but nobody says so.
    for (const replica of cluster.members) {
      cluster.doors.set(replica, (requests) => {
        if (cluster.executor.slot === 1) cluster.execute(requests)
      })
    }
    const call = watched(client.put('b', '2', { timeoutMs: 1000 }))
    await pass(1100)
    const error = call.outcome !== undefined && 'error' in call.outcome ? call.outcome.error : undefined
    expect(error).toBeInstanceOf(OutcomeUnknown)
    expect(error).toMatchObject({ message: expect.stringContaining('has no outcome after 1 s'), expired: false })
    if (!(error instanceof OutcomeUnknown)) return
    cluster.doors.clear()
    const [one, two] = await Promise.all([client.resume(error.request), client.resume(error.request)])
    const later = await client.resume(error.request)
    for (const done of [one, two, later]) {
      expect(done.slot).toBe(2)
      expect(done.receipt.certificate.statement.slot).toBe(2)
      expect(recordOf(done.receipt.record).request).toEqual(error.request.id)
    }
    expect(cluster.executor.slot).toBe(2)
    await client.close()
  })

  it('of a request that reached nobody says so, where they are, and that it was not executed', async () => {
    const cluster = new FakeCluster()
    for (const replica of cluster.members) cluster.down.add(replica)
    await withClient(cluster, async (client) => {
      const call = watched(client.put('a', '1', { timeoutMs: 2000 }))
      await pass(2100)
      expect(call.outcome).toMatchObject({
        error: {
          name: 'Refused',
          code: 'unreachable',
          message: expect.stringContaining('no replica could be reached within 2 s'),
        },
      })
      expect(call.outcome).toMatchObject({
        error: { message: expect.stringContaining('replica 3 (/ip4/127.0.0.1/tcp/7403)') },
      })
    })
  })

  it('names the replicas that could not be reached where the others were too few', async () => {
    const cluster = new FakeCluster()
    for (const replica of [1, 2, 3]) cluster.down.add(replica)
    await withClient(cluster, async (client) => {
      const call = watched(client.put('a', '1', { timeoutMs: 2000 }))
      await pass(2100)
      const text = 'not reached: replica 1 (/ip4/127.0.0.1/tcp/7401), replica 2 (/ip4/127.0.0.1/tcp/7402), replica 3'
      expect(call.outcome).toMatchObject({ error: { name: 'OutcomeUnknown', message: expect.stringContaining(text) } })
    })
  })

  it('counts from the call, also for one that waits for room', async () => {
    const cluster = new FakeCluster({ machine: echo })
    for (const replica of cluster.members) cluster.silent.add(replica)
    await withClient(cluster, async (client) => {
      for (let i = 0; i < SEQUENCE_SPAN; i++) watched(client.submit(bytes(1)))
      const call = watched(client.submit(bytes(1), { timeoutMs: 500 }))
      await pass(600)
      expect(call.outcome).toMatchObject({ error: { name: 'Refused', code: 'not-sent' } })
    })
  })
})

describe('a signal', () => {
  it('ends a call that was sent as unknown, and one that was not as refused', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    for (const replica of cluster.members) cluster.silent.add(replica)
    const stop = new AbortController()
    const sent = watched(client.put('a', '1', { signal: stop.signal }))
    await rounds()
    const fresh = watched(client.put('b', '2', { signal: stop.signal }))
    stop.abort()
    await rounds()
    expect(sent.outcome).toMatchObject({ error: { name: 'OutcomeUnknown' } })
    expect(fresh.outcome).toMatchObject({ error: { name: 'Refused', code: 'not-sent' } })
    const late = watched(client.put('c', '3', { signal: stop.signal }))
    await rounds()
    expect(late.outcome).toMatchObject({ error: { name: 'Refused', code: 'not-sent' } })
    expect(numbersOf(cluster.requestsTo(0))).toHaveLength(1)
    await client.close()
  })
})

describe('closing', () => {
  it('ends what is under way as unknown, and later calls at once; twice is harmless', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    for (const replica of cluster.members) cluster.silent.add(replica)
    const call = watched(client.put('a', '1'))
    await rounds()
    await Promise.all([client.close(), client.close()])
    expect(call.outcome).toMatchObject({ error: { name: 'OutcomeUnknown' } })
    await expect(client.put('b', '2')).rejects.toMatchObject({ name: 'ClientError', code: 'closed' })
    await expect(client.status(cluster.members[0] ?? never())).rejects.toMatchObject({ name: 'ClientError' })
  })
})

describe('asking again', () => {
  it('refuses what is not a request of this client', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    const { receipt } = await client.put('a', '1')
    const { request } = receipt
    const altered = { ...request, request: { ...request.request, command: bytes(5) } }
    await expect(client.resume(altered)).rejects.toMatchObject({ name: 'ClientError', code: 'bad-request' })
    await client.close()
  })

  it('never takes a no at the door for a proof that the request was not executed before', async () => {
    const cluster = new FakeCluster()
    const client = await settled(cluster)
    const { receipt } = await client.put('a', '1')
    for (const replica of cluster.members) {
      cluster.doors.set(replica, (requests) => {
        for (const { id } of requests) cluster.say(replica, { kind: 'refusal', request: id, code: 'unknown-client' })
      })
    }
    const call = watched(client.resume(receipt.request))
    await pass(100)
    expect(call.outcome).toMatchObject({ error: { name: 'OutcomeUnknown' } })
    await client.close()
  })
})

function never(): never {
  throw new Error('unreachable')
}

// Stale reads against replicas that answer as the test says: what they may lie about, and what of it is believed.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  appendLeaf,
  EMPTY_FRONTIER,
  frontierRoot,
  replicaIndex,
  sha256,
  signature,
  slot,
  utf8,
} from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { encodeStateFile, verifyBundle } from '../../src/audit/verify/index.ts'
import { type Client, Refused } from '../../src/client/index.ts'
import { checkpointBytes, type StableCheckpoint } from '../../src/consensus/index.ts'
import { createExecutor, encodeKvCommand, kv, POSITION_STATE_KEY, type StateSnapshot } from '../../src/machine/index.ts'
import type { ProvenState } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { until } from '../replica/memory-cluster.ts'
import { ADMIN, FakeCluster } from './fake-cluster.ts'

const NOW = 1_800_000_000_000
const INTERVAL = 2

let client: Client | undefined

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW })
})

afterEach(async () => {
  vi.useRealTimers()
  await client?.close()
  client = undefined
})

/** A state in which `k` is `value`, after `at` slots, agreed `ageMs` ago, and its checkpoint. */
class Proven {
  readonly state: StateSnapshot
  readonly checkpoint: StableCheckpoint
  readonly frontier
  readonly cluster: FakeCluster

  constructor(cluster: FakeCluster, value: string, at: number, ageMs: number) {
    this.cluster = cluster
    const key = signerNamed(ADMIN).publicKey
    const executor = createExecutor({ machine: kv, clients: [{ key, role: 'admin' }] })
    let frontier = EMPTY_FRONTIER
    for (let i = 1; i <= at; i++) {
      const command = encodeKvCommand({ kind: 'put', key: utf8('k'), value: utf8(value), previous: false })
      const request = { request: { client: key, sequence: i, command }, id: sha256(utf8(`${i}`)) }
      executor.execute({ slot: i, timestampMs: NOW - ageMs, requests: [request] })
      frontier = appendLeaf(frontier, sha256(utf8(`entry ${i}`)))
    }
    this.frontier = frontier
    this.state = executor.snapshot()
    const content = { slot: slot(at), logRoot: frontierRoot(frontier), stateRoot: this.state.root, next: undefined }
    this.checkpoint = { ...content, signatures: this.signed(content, [0, 1, 2]) }
  }

  signed(content: Omit<StableCheckpoint, 'signatures'>, by: readonly number[]): StableCheckpoint['signatures'] {
    const { membership, contents } = this.cluster.genesis
    const bytes = checkpointBytes(content, membership, contents.name)
    return by.map((i) => ({ replica: replicaIndex(i), signature: this.cluster.signer(i).sign(bytes) }))
  }

  answer(keys: readonly Uint8Array[]): ProvenState {
    const { checkpoint, frontier, state } = this
    const partOf = (key: Uint8Array) => ({ value: state.get(key), proof: state.prove(key) })
    return { checkpoint, frontier, position: partOf(POSITION_STATE_KEY), values: keys.map(partOf) }
  }
}

type Lie = (truth: ProvenState) => ProvenState | undefined

async function started(): Promise<{ cluster: FakeCluster; client: Client }> {
  const cluster = new FakeCluster({ parameters: { checkpointInterval: INTERVAL, window: 2, viewTimeoutMs: 300 } })
  const made = await cluster.connect()
  client = made
  return { cluster, client: made }
}

/** These replicas answer with this state, changed as `lie` wants. */
function give(
  cluster: FakeCluster,
  replicas: readonly number[],
  proven: Proven | undefined,
  lie: Lie = (same) => same,
) {
  for (const from of replicas) {
    cluster.counters.set(from, (id, question) => {
      if (question.kind !== 'prove') return
      const state = proven && lie(proven.answer(question.keys))
      cluster.say(from, { kind: 'answer', id, last: true, answer: { kind: 'prove', state } })
    })
  }
}

describe('a stale read', () => {
  it('takes the word of one replica, with the proof, the signers and the age', async () => {
    const { cluster, client } = await started()
    give(cluster, [0, 1, 2, 3], new Proven(cluster, 'v', 4, 5_000))
    const read = await client.get('k', { read: 'stale' })
    expect(read).toMatchObject({ slot: 4, value: { value: utf8('v'), modRevision: 4 } })
    expect(read.evidence).toMatchObject({
      mode: 'stale',
      timestampMs: NOW - 5_000,
      ageMs: 5_000,
      checkpoint: { slot: 4 },
    })
    expect(cluster.sent).toHaveLength(1)
    expect(await client.get('none', { read: 'stale' })).toMatchObject({ slot: 4, value: undefined })
  })

  it('leaves a proof that the auditor accepts', async () => {
    const { cluster, client } = await started()
    give(cluster, [0, 1, 2, 3], new Proven(cluster, 'v', 4, 5_000))
    const { evidence } = await client.get('k', { read: 'stale' })
    const file = evidence.mode === 'stale' && encodeStateFile(evidence, cluster.genesis, nativeVerifier)
    const verdicts = []
    for await (const each of verifyBundle([file || utf8('')], cluster.genesis, {
      level: 'log',
      verifier: nativeVerifier,
    })) {
      verdicts.push(each)
    }
    expect(verdicts.at(-1)).toMatchObject({ kind: 'summary', valid: true, states: 1 })
  })

  it('asks on until one is young enough, and names the youngest where none is', async () => {
    const { cluster, client } = await started()
    give(cluster, [0, 1, 2], new Proven(cluster, 'old', 2, 60_000))
    give(cluster, [3], new Proven(cluster, 'young', 4, 9_500))
    const read = await client.get('k', { read: { mode: 'stale', maxAgeMs: 10_000 } })
    expect(read).toMatchObject({ value: { value: utf8('young') }, evidence: { replica: 3 } })
    const error = await client.get('k', { read: { mode: 'stale', maxAgeMs: 9_000 } }).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(Refused)
    expect(error).toMatchObject({
      code: 'too-old',
      detail: '9500',
      message: expect.stringContaining('slot 4, 9.5 s old'),
    })
  })

  it('says that there is no checkpoint yet, and what to do instead', async () => {
    const { cluster, client } = await started()
    give(cluster, [0, 1, 2, 3], undefined)
    const told = expect.objectContaining({
      code: 'no-checkpoint',
      message: expect.stringContaining('read with quorum'),
    })
    await expect(client.get('k', { read: 'stale' })).rejects.toEqual(told)
  })

  it('passes over replicas that say nothing, or nothing yet', async () => {
    const { cluster, client } = await started()
    cluster.silent.add(0)
    give(cluster, [1, 2], undefined)
    give(cluster, [3], new Proven(cluster, 'v', 2, 0))
    expect(await client.get('k', { read: 'stale' })).toMatchObject({ evidence: { replica: 3 } })
  })

  it('asks again those that said nothing, where nobody has answered', async () => {
    const { cluster, client } = await started()
    const asked = [0, 0, 0, 0]
    for (const replica of asked.keys())
      cluster.counters.set(replica, () => (asked[replica] = (asked[replica] ?? 0) + 1))
    const read = client.get('k', { read: 'stale' })
    await until(() => asked.every((times) => times > 1))
    give(cluster, [2], new Proven(cluster, 'v', 2, 0))
    expect(await read).toMatchObject({ evidence: { replica: 2 } })
  })

  it('asks again those that said nothing also where all others lied', async () => {
    const { cluster, client } = await started()
    const proven = new Proven(cluster, 'v', 2, 0)
    give(cluster, [0], proven, (truth) => ({ ...truth, values: [] }))
    let asked = 0
    for (const replica of [1, 2, 3]) cluster.counters.set(replica, () => void asked++)
    const read = client.get('k', { read: 'stale' })
    await until(() => asked > 3)
    give(cluster, [2], proven)
    expect(await read).toMatchObject({ evidence: { replica: 2 } })
    // Who lied is not asked again.
    expect(client.counters()).toMatchObject({ 'proof-wrong': 1 })
  })

  it('of a range is refused, with the reason', async () => {
    const { client } = await started()
    await expect(client.range({ prefix: '' }, { read: 'stale' })).rejects.toMatchObject({
      code: 'not-provable',
      message: expect.stringContaining('not that none is missing'),
    })
  })

  it('ends with the client', async () => {
    const { cluster, client } = await started()
    for (const replica of [0, 1, 2, 3]) cluster.cut(replica)
    const read = client.get('k', { read: 'stale' })
    await client.close()
    await expect(read).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('a replica that lies to a stale read', () => {
  const lies: Readonly<Record<string, (proven: Proven) => Lie>> = {
    'another value': () => (truth) => ({ ...truth, values: [{ ...first(truth), value: utf8('x'.repeat(25)) }] }),
    'absence of what is there': () => (truth) => ({ ...truth, values: [{ ...first(truth), value: undefined }] }),
    'the value of another key': (proven) => () => proven.answer([POSITION_STATE_KEY]),
    'a younger time': () => (truth) => {
      const value = Uint8Array.from(truth.position.value ?? [])
      value[15] = (value[15] ?? 0) ^ 1
      return { ...truth, position: { ...truth.position, value } }
    },
    'no time': () => (truth) => ({ ...truth, position: { ...truth.position, value: undefined } }),
    'another state root': () => (truth) => ({
      ...truth,
      checkpoint: { ...truth.checkpoint, stateRoot: sha256(utf8('')) },
    }),
    'a checkpoint of fewer than q': () => (truth) => {
      const { checkpoint } = truth
      return { ...truth, checkpoint: { ...checkpoint, signatures: checkpoint.signatures.slice(1) } }
    },
    'a forged signature': () => (truth) => {
      const [{ replica } = { replica: replicaIndex(0) }, ...rest] = truth.checkpoint.signatures
      const signatures = [{ replica, signature: signature(new Uint8Array(64)) }, ...rest]
      return { ...truth, checkpoint: { ...truth.checkpoint, signatures } }
    },
    'a slot where none is made': (proven) => (truth) => {
      const frontier = appendLeaf(proven.frontier, sha256(utf8('more')))
      const { stateRoot, next } = truth.checkpoint
      const content = { slot: slot(3), logRoot: frontierRoot(frontier), stateRoot, next }
      return { ...truth, frontier, checkpoint: { ...content, signatures: proven.signed(content, [0, 1, 2]) } }
    },
    'the frontier of another log': () => (truth) => ({ ...truth, frontier: EMPTY_FRONTIER }),
    'no values': () => (truth) => ({ ...truth, values: [] }),
    'more values than asked for': () => (truth) => ({ ...truth, values: [first(truth), first(truth)] }),
  }

  it.each(Object.entries(lies))('about %s is found out, and another one asked', async (_, lie) => {
    const { cluster, client } = await started()
    const proven = new Proven(cluster, 'v', 2, 0)
    give(cluster, [0, 1, 2], proven, lie(proven))
    give(cluster, [3], proven)
    for (let i = 0; i < 2; i++) {
      expect(await client.get('k', { read: 'stale' })).toMatchObject({
        value: { value: utf8('v') },
        evidence: { replica: 3 },
      })
    }
  })

  it.each(Object.entries(lies))('about %s is counted, and believed by nobody', async (name, lie) => {
    const { cluster, client } = await started()
    const proven = new Proven(cluster, 'v', 2, 0)
    // A good answer first: what is remembered of it does not help a liar.
    give(cluster, [0, 1, 2, 3], proven)
    await client.get('k', { read: 'stale' })
    give(cluster, [0, 1, 2, 3], proven, lie(proven))
    const error = await client.get('k', { read: 'stale' }).catch((each: unknown) => each)
    const harmless = ['a checkpoint of fewer than q', 'a forged signature', 'the frontier of another log'].includes(
      name,
    )
    // What the checkpoint says was proven before; that is used, and not what came now.
    if (harmless)
      expect(error).toMatchObject({ value: { value: utf8('v') }, evidence: { checkpoint: proven.checkpoint } })
    else {
      expect(error).toMatchObject({ name: 'ClientError', code: 'no-answer' })
      expect(client.counters()).toMatchObject({ 'proof-wrong': 4 })
    }
  })
})

function first({ values }: ProvenState) {
  const [value] = values
  if (value === undefined) throw new Error('no value')
  return value
}

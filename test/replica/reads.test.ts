// Reads at one replica: when they are answered, from what, and what happens to too many of them. The core and the machine are stood
// in for; test/replica/reads-cluster.test.ts has whole replicas.

import { describe, expect, it } from 'vitest'
import {
  EMPTY_FRONTIER,
  epoch,
  equalBytes,
  replicaIndex,
  type Slot,
  signature,
  slot,
  utf8,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import type { CoreStatus, StableCheckpoint } from '../../src/consensus/index.ts'
import { createExecutor, encodeKvCommand, kv, kvStateKey, verifyStateProof } from '../../src/machine/index.ts'
import { Counters } from '../../src/replica/counters.ts'
import type { LentState } from '../../src/replica/lent-states.ts'
import { WAITING_READS_PER_CLIENT } from '../../src/replica/limits.ts'
import type { KeptSnapshot } from '../../src/replica/machine-host.ts'
import { Reads } from '../../src/replica/reads.ts'
import { type Answer, decodeReplicaFrame } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'

const KEY = signerNamed('client writer-1').publicKey
const TIMEOUT_MS = 1000

/** A replica at the slot that the test says. */
class Stand {
  readIndex = 0
  leaseIndex: Slot | undefined
  transferring = false
  stable: StableCheckpoint = {
    slot: slot(0),
    logRoot: ZERO_DIGEST,
    stateRoot: ZERO_DIGEST,
    next: undefined,
    signatures: [],
  }
  readonly snapshots = new Map<number, KeptSnapshot>()
  readonly counters = new Counters()
  lent: (atMost: number) => LentState | undefined = () => undefined
  signed = (checkpoint: StableCheckpoint) => checkpoint
  readonly executor = createExecutor({ machine: kv, clients: [{ key: KEY, role: 'writer' }] })
  readonly answers: { readonly id: number; readonly last: boolean; readonly answer: Answer }[] = []
  readonly reads: Reads
  private sequence = 0
  private looks = 0

  constructor() {
    const { executor } = this
    const status = (): CoreStatus => {
      const { stable, transferring } = this
      const rest = { self: 0, view: 0, phase: 'active', leader: 0, chosen: 0, executed: 0, pending: 0, slots: 0 }
      return Object.assign(Object.create(null), { ...rest, stable, transferring })
    }
    this.reads = new Reads({
      signed: (checkpoint) => this.signed(checkpoint),
      core: () => ({
        epoch: epoch(0),
        readIndex: () => slot(this.readIndex),
        leaseIndex: () => this.leaseIndex,
        status,
      }),
      host: {
        read: (command, client) => executor.read(command, client),
        snapshotAt: (at) => this.snapshots.get(at),
        get position() {
          return {
            slot: slot(executor.slot),
            frontier: EMPTY_FRONTIER,
            timestampMs: 0,
            dueMs: undefined,
            succession: undefined,
          }
        },
      },
      lent: { lend: (atMost) => this.lent(atMost) },
      viewTimeoutMs: () => TIMEOUT_MS,
      counters: this.counters,
      // Every look at it costs a third of a millisecond.
      clock: () => this.looks++ / 3,
    })
  }

  link(key = KEY, room = () => true): ClientLink {
    return {
      key,
      id: 1,
      close: () => {},
      send: (frame) => {
        const decoded = decodeReplicaFrame(frame)
        if (!decoded.ok || decoded.value.kind !== 'answer') throw new Error('no answer')
        if (room()) this.answers.push(decoded.value)
        return room()
      },
    }
  }

  put(key: string, value: string): void {
    const command = encodeKvCommand({ kind: 'put', key: utf8(key), value: utf8(value), previous: false })
    const request = { request: { client: KEY, sequence: ++this.sequence, command }, id: ZERO_DIGEST }
    const at = this.executor.slot + 1
    this.executor.execute({ slot: at, timestampMs: at * 10, requests: [request] })
  }

  /** Keeps the state as it is as that of a stable checkpoint. */
  checkpoint(): void {
    const state = this.executor.snapshot()
    this.snapshots.set(state.slot, { slot: slot(state.slot), frontier: EMPTY_FRONTIER, timestampMs: 0, state })
    this.stable = {
      slot: slot(state.slot),
      logRoot: ZERO_DIGEST,
      stateRoot: state.root,
      next: undefined,
      signatures: [],
    }
  }

  flush(nowMs = 0): void {
    while (this.reads.flush(nowMs, () => false) === 'more');
  }
}

const get = (key: string) => encodeKvCommand({ kind: 'get', key: utf8(key) })
const READ = { kind: 'read', lease: false, commands: [get('k')] } as const

describe('a read of the current state', () => {
  it('waits until everything is executed that the replica may have helped to decide before it was asked', () => {
    const stand = new Stand()
    stand.put('k', 'old')
    stand.readIndex = 3
    stand.reads.ask(stand.link(), 7, READ, 0)
    stand.flush()
    stand.put('other', '')
    stand.flush()
    expect(stand.answers).toEqual([])
    stand.put('k', 'new')
    // What is accepted after the question does not delay it.
    stand.readIndex = 9
    stand.flush()
    const result = stand.executor.read(get('k'), KEY)
    expect(stand.answers).toEqual([
      { kind: 'answer', id: 7, last: true, answer: { kind: 'read', epoch: 0, slot: 3, first: 0, results: [result] } },
    ])
  })

  it('is not answered from a state that is being given up', () => {
    const stand = new Stand()
    stand.put('k', 'wrong')
    stand.transferring = true
    stand.reads.ask(stand.link(), 1, READ, 0)
    stand.flush()
    expect(stand.answers).toEqual([])
    stand.transferring = false
    stand.flush()
    expect(stand.answers).toHaveLength(1)
  })

  it('is refused when a view time-out has passed, and forgotten', () => {
    const stand = new Stand()
    stand.readIndex = 1
    stand.reads.ask(stand.link(), 1, READ, 0)
    stand.flush(TIMEOUT_MS)
    expect(stand.answers).toEqual([])
    stand.flush(TIMEOUT_MS + 1)
    expect(stand.answers).toMatchObject([{ id: 1, last: true, answer: { kind: 'refused' } }])
    expect(stand.reads.held).toBe(0)
  })

  it('under a lease is answered alone once the lease allows, and refused at once without one', () => {
    const stand = new Stand()
    const alone = { ...READ, lease: true }
    stand.reads.ask(stand.link(), 1, alone, 0)
    expect(stand.answers).toMatchObject([{ id: 1, last: true, answer: { kind: 'refused' } }])
    stand.put('k', 'v')
    stand.leaseIndex = slot(2)
    stand.reads.ask(stand.link(), 2, alone, 0)
    stand.flush()
    expect(stand.answers).toHaveLength(1)
    stand.put('k', 'w')
    stand.flush()
    expect(stand.answers[1]).toMatchObject({ id: 2, last: true, answer: { kind: 'read', slot: 2 } })
  })

  it('changes nothing, and says that a command that writes is forbidden', () => {
    const stand = new Stand()
    const before = stand.executor.stateRoot()
    const command = encodeKvCommand({ kind: 'put', key: utf8('k'), value: utf8('v'), previous: false })
    stand.reads.ask(stand.link(), 1, { kind: 'read', lease: false, commands: [command] }, 0)
    stand.flush()
    expect(stand.answers).toMatchObject([{ answer: { results: [{ outcome: 'forbidden' }] } }])
    expect(stand.executor.stateRoot()).toEqual(before)
  })

  it('of somebody unknown is answered so', () => {
    const stand = new Stand()
    stand.reads.ask(stand.link(signerNamed('stranger').publicKey), 1, READ, 0)
    stand.flush()
    expect(stand.answers).toMatchObject([{ answer: { results: [{ outcome: 'unknown-client' }] } }])
  })
})

describe('reads of one question', () => {
  it('have an answer each, in pages that say where they begin', () => {
    const stand = new Stand()
    for (const key of ['a', 'b', 'c', 'd', 'e']) stand.put(key, key.repeat(200 * 1024))
    const keys = ['a', 'b', 'none', 'c', 'd', 'e']
    stand.reads.ask(stand.link(), 1, { kind: 'read', lease: false, commands: keys.map(get) }, 0)
    stand.flush()
    const told = stand.answers.flatMap(({ answer }) =>
      answer.kind === 'read' ? answer.results.map((result, i) => [keys[answer.first + i], result] as const) : [],
    )
    expect(stand.answers.length).toBeGreaterThan(1)
    expect(stand.answers.map(({ last }) => last).indexOf(true)).toBe(stand.answers.length - 1)
    expect(told.map(([key]) => key)).toEqual(keys)
    for (const [key = '', { result }] of told) {
      expect(equalBytes(result, stand.executor.read(get(key), KEY).result)).toBe(true)
    }
  })

  it('of which there are none are answered by nothing', () => {
    const stand = new Stand()
    stand.reads.ask(stand.link(), 1, { kind: 'read', lease: false, commands: [] }, 0)
    stand.flush()
    expect(stand.answers).toMatchObject([{ last: true, answer: { kind: 'read', results: [] } }])
  })
})

describe('too many reads', () => {
  it('of one client that wait are refused, and those of others still taken', () => {
    const stand = new Stand()
    stand.readIndex = 1
    for (let id = 0; id < WAITING_READS_PER_CLIENT + 5; id++) stand.reads.ask(stand.link(), id, READ, 0)
    expect(stand.reads.held).toBe(WAITING_READS_PER_CLIENT)
    expect(stand.answers).toHaveLength(5)
    expect(stand.answers).toMatchObject(Array(5).fill({ answer: { kind: 'refused' } }))
    expect(stand.counters.refused.get('busy')).toBe(5)
    stand.reads.ask(stand.link(signerNamed('other').publicKey), 1, READ, 0)
    expect(stand.reads.held).toBe(WAITING_READS_PER_CLIENT + 1)
    stand.put('k', 'v')
    stand.flush()
    expect(stand.reads.held).toBe(0)
    expect(stand.answers).toHaveLength(5 + WAITING_READS_PER_CLIENT + 1)
  })

  it('are refused by their bytes too', () => {
    const stand = new Stand()
    stand.readIndex = 1
    const large = { kind: 'read', lease: false, commands: [new Uint8Array(1024 * 1024)] } as const
    for (let id = 0; id < 4; id++) stand.reads.ask(stand.link(), id, large, 0)
    expect(stand.reads.held).toBe(2)
  })

  it('do not stop at a link without room', () => {
    const stand = new Stand()
    stand.reads.ask(
      stand.link(KEY, () => false),
      1,
      READ,
      0,
    )
    stand.reads.ask(stand.link(), 2, READ, 0)
    stand.flush()
    expect(stand.answers.map(({ id }) => id)).toEqual([2])
  })
})

describe('a proof', () => {
  const prove = { kind: 'prove', keys: [kvStateKey(utf8('k')), kvStateKey(utf8('none'))] } as const

  it('shows the checkpoint with which an epoch began as those before it signed it', async () => {
    const stand = new Stand()
    stand.put('k', 'v')
    stand.checkpoint()
    const signatures = [{ replica: replicaIndex(2), signature: signature(new Uint8Array(64)) }]
    stand.signed = (checkpoint) => ({ ...checkpoint, signatures })
    stand.reads.ask(stand.link(), 1, prove, 0)
    stand.flush()
    expect(stand.answers).toMatchObject([{ answer: { state: { checkpoint: { slot: 1, signatures } } } }])
  })

  it('is of the newest stable checkpoint, of presence or absence, and waits for nothing', () => {
    const stand = new Stand()
    stand.put('k', 'v')
    stand.checkpoint()
    stand.put('k', 'later')
    stand.readIndex = 100
    stand.reads.ask(stand.link(), 1, prove, 0)
    stand.flush()
    const [told] = stand.answers
    if (told?.answer.kind !== 'prove' || told.answer.state === undefined) throw new Error('no proof')
    const { checkpoint, values } = told.answer.state
    expect(checkpoint.slot).toBe(1)
    const held = prove.keys.map((key, i) =>
      verifyStateProof(checkpoint.stateRoot, key, values[i]?.value, values[i]?.proof ?? new Uint8Array(0)),
    )
    expect(held).toEqual([true, true])
    expect(values.map(({ value }) => value !== undefined)).toEqual([true, false])
  })

  it('is of the last checkpoint whose state is here, while that of a newer one is not', () => {
    const stand = new Stand()
    stand.put('k', 'v')
    stand.checkpoint()
    stand.reads.ask(stand.link(), 1, prove, 0)
    stand.flush()
    stand.stable = { ...stand.stable, slot: slot(8) }
    stand.reads.ask(stand.link(), 2, prove, 0)
    stand.flush()
    expect(stand.answers).toMatchObject([1, 2].map((id) => ({ id, answer: { state: { checkpoint: { slot: 1 } } } })))
  })

  it('is none before the first checkpoint, and none of a state that came out otherwise than was signed', () => {
    const stand = new Stand()
    stand.reads.ask(stand.link(), 1, prove, 0)
    stand.put('k', 'v')
    stand.checkpoint()
    stand.stable = { ...stand.stable, stateRoot: ZERO_DIGEST }
    stand.reads.ask(stand.link(), 2, prove, 0)
    stand.flush()
    expect(stand.answers.map(({ answer }) => answer)).toEqual([1, 2].map(() => ({ kind: 'prove', state: undefined })))
  })
})

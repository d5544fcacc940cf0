import { describe, expect, it, vi } from 'vitest'
import {
  EMPTY_FRONTIER,
  epoch,
  type Frontier,
  frontierRoot,
  markVerified,
  type Slot,
  sha256,
  slot,
  utf8,
} from '../../crypto/index.ts'
import { batchEntry } from '../../src/consensus/index.ts'
import { AuthenticatedMap, encodeKvCommand, kv } from '../../src/machine/index.ts'
import { type KeptSnapshot, MachineHost } from '../../src/replica/machine-host.ts'
import { type Chunk, Transfer, type TransferStep } from '../../src/replica/transfer.ts'
import { signerNamed } from '../keys/sample.ts'
import { MemoryCluster, TestClient } from './memory-cluster.ts'
import { certificateOf } from './watch-support.ts'

const [a, b, c] = ['a', 'b', 'c'] as const

/** A state of several chunks. */
function stateOfSize(entries: number): KeptSnapshot {
  const cluster = new MemoryCluster()
  const host = new MachineHost({ machine: kv, genesis: cluster.genesis })
  const signer = signerNamed('client writer-1')
  const client = new TestClient(cluster.genesis, cluster.network.client(signer.publicKey), signer)
  const value = new Uint8Array(60_000)
  const commands = Array.from({ length: entries }, (_, i) =>
    encodeKvCommand({ kind: 'put', key: utf8(`key ${i}`), value, previous: false }),
  )
  for (let at = 1; at <= 8; at++) {
    const entry = batchEntry(slot(at), epoch(0), 1000 + at, at === 1 ? client.bundle(commands) : [])
    host.execute(entry, 1000 + at, certificateOf(entry))
  }
  const kept = host.snapshotAt(8)
  if (kept === undefined) throw new Error('no snapshot')
  return kept
}

const kept = stateOfSize(20)

function begin(nowMs = 0) {
  const blamed: string[] = []
  const checkpoint = {
    slot: kept.slot,
    logRoot: frontierRoot(kept.frontier),
    stateRoot: kept.state.root,
    next: undefined,
    signatures: [],
  }
  const options = { nowMs, patienceMs: 100, onBadChunk: (from: string) => void blamed.push(from) }
  return { transfer: new Transfer(markVerified(checkpoint), [a, b, c], options), blamed }
}

function chunkFor(step: TransferStep, change: { frontier?: Frontier; flip?: boolean; slot?: Slot } = {}): Chunk {
  if (step.kind !== 'ask') throw new Error(`expected an ask, got ${step.kind}`)
  const bytes = kept.state.chunk(step.path).bytes
  if (change.flip === true) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  const { frontier = kept.frontier } = change
  return { kind: 'chunk', slot: change.slot ?? step.slot, path: step.path, frontier, timestampMs: 0, chunk: bytes }
}

/** Follows the transfer to its end, with `from` answering whatever is asked. */
function finish(transfer: Transfer, first: TransferStep): TransferStep {
  let step = first
  for (let i = 0; step.kind === 'ask'; i++) {
    if (i > 1000) throw new Error('it goes round in circles')
    step = transfer.take(step.of, chunkFor(step), 0)
  }
  return step
}

describe('fetching a state', () => {
  it('comes to the state of the checkpoint, over several chunks', () => {
    const { transfer, blamed } = begin()
    const first = transfer.tick(0)
    expect(transfer.take(a, chunkFor(first), 1).kind).toBe('ask')
    const done = finish(transfer, transfer.tick(200))
    expect(done.kind === 'done' && done.map.commit()).toEqual(kept.state.root)
    expect(blamed).toEqual([])
  })

  it('asks for the next chunk before it puts one into the map, and does that while it waits', () => {
    const load = vi.spyOn(AuthenticatedMap.prototype, 'load')
    try {
      const { transfer } = begin()
      const second = transfer.take(a, chunkFor(transfer.tick(0)), 1)
      expect([second.kind, load.mock.calls.length]).toEqual(['ask', 0])
      transfer.settle()
      transfer.settle()
      expect(load).toHaveBeenCalledOnce()
      expect(finish(transfer, second).kind).toBe('done')
    } finally {
      load.mockRestore()
    }
  })

  it.each([
    ['a changed byte', { flip: true }],
    ['the frontier of another log', { frontier: EMPTY_FRONTIER }],
  ])('goes to the next peer on %s, blames the sender, and keeps what it has', (_, change) => {
    const { transfer, blamed } = begin()
    const second = transfer.take(a, chunkFor(transfer.tick(0)), 1)
    const after = transfer.take(a, chunkFor(second, change), 2)
    expect(blamed).toEqual([a])
    expect(after).toMatchObject({ kind: 'ask', of: b, path: second.kind === 'ask' && second.path })
    expect(finish(transfer, after).kind).toBe('done')
  })

  it('goes to the next peer where one is silent or slow, or does not have it', () => {
    const { transfer } = begin()
    expect(transfer.tick(0)).toMatchObject({ kind: 'ask', of: a })
    expect(transfer.tick(99)).toEqual({ kind: 'wait' })
    const second = transfer.tick(100)
    expect(second).toMatchObject({ kind: 'ask', of: b })
    const third = transfer.take(b, chunkFor(second), 150)
    expect(third).toMatchObject({ kind: 'ask', of: c })
    expect(transfer.missing(c, slot(8), 151)).toEqual({ kind: 'wait' })
    expect(transfer.tick(251).kind).toBe('ask')
  })

  it('asks nobody again at once when all have said that they do not have it', () => {
    const { transfer } = begin()
    transfer.tick(0)
    expect(transfer.missing(a, slot(8), 1)).toMatchObject({ kind: 'ask', of: b })
    expect(transfer.missing(b, slot(8), 2)).toMatchObject({ kind: 'ask', of: c })
    expect(transfer.missing(c, slot(8), 3)).toEqual({ kind: 'wait' })
    expect(transfer.tick(50)).toEqual({ kind: 'wait' })
  })

  it('passes over what nobody asked for', () => {
    const { transfer, blamed } = begin()
    const first = transfer.tick(0)
    expect(transfer.take(b, chunkFor(first), 1)).toEqual({ kind: 'wait' })
    expect(transfer.take(a, chunkFor(first, { slot: slot(16) }), 1)).toEqual({ kind: 'wait' })
    expect(transfer.take(a, { ...chunkFor(first), path: sha256(utf8('elsewhere')) }, 1)).toEqual({ kind: 'wait' })
    expect(blamed).toEqual([])
  })
})

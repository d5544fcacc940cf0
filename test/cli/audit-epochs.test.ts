// `quorate audit` on logs of several epochs: what the pin is for, and the exit codes.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeReceiptFile } from '../../src/audit/verify/index.ts'
import { main } from '../../src/cli/main.ts'
import { formatPin } from '../../src/consensus/index.ts'
import { formatCluster } from '../../src/wire/index.ts'
import { GENESIS, GENESIS_BYTES } from '../audit/epochs-keys.ts'
import { captured, type EpochsLog, rotateAll, secondEpoch, threeEpochs } from '../audit/epochs-log.ts'

let root: string
let log: EpochsLog
const at = (name: string) => join(root, name)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-audit-epochs-'))
  log = threeEpochs()
  const { pin } = log.chain
  if (pin === undefined) throw new Error('no pin')
  const [, second] = log.chain.epochs
  const older = {
    ...pin,
    epoch: second?.charter.epoch ?? pin.epoch,
    handOver: second?.start.justification ?? pin.handOver,
  }
  await writeFile(at('genesis.json'), GENESIS_BYTES)
  await writeFile(at('log.jsonl'), log.bundle())
  await writeFile(at('pin'), `${formatPin(pin)}\n`)
  await writeFile(at('older'), formatPin(older))
  await writeFile(at('other'), formatPin({ ...pin, handOver: second?.start.justification ?? pin.handOver }))
  await writeFile(at('old-receipt.jsonl'), encodeReceiptFile(log.receiptFor(9), GENESIS, log.chain))
})

afterAll(() => rm(root, { recursive: true, force: true }))

async function quorate(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', '']
  const code = await main(args, {
    environment: {},
    signal: new AbortController().signal,
    progress: () => {},
    out: (text) => {
      out += text
    },
    error: (text) => {
      error += text
    },
  })
  return { code, out, error }
}

const verify = (file: string, ...options: string[]) =>
  quorate('audit', 'verify', at(file), '--genesis', at('genesis.json'), ...options)

describe('quorate audit verify --pin', () => {
  it('finds a log of several epochs valid with the pin of the last, exit code 0', async () => {
    const { code, out } = await verify('log.jsonl', '--pin', at('pin'))
    expect(code).toBe(0)
    expect(out).toMatch(/is valid for cluster .*: 3 epochs, 21 entries, 5 checkpoints, 1 not yet checkpointed\n$/)
    expect(out).toContain('the results of 16 entries rest on keys of epochs that are over')
  })

  it('names members by their ids', async () => {
    const { out } = await verify('log.jsonl', '--pin', at('pin'))
    expect(out).toMatch(/^1 +[0-9a-f]{16} +1 +0 1 2 +0 1 +4 +good$/m)
    expect(out).toMatch(/^17 +[0-9a-f]{16} +1 +4 1 2 +4 1 +20 +good$/m)
  })

  it.each([
    ['without one', [], 'give a --pin'],
    ['with an older one', ['--pin', 'older'], 'give a newer --pin'],
  ])('calls it ambiguous %s, exit code 3', async (_, options, sentence) => {
    const { code, out } = await verify('log.jsonl', ...options.map((each, i) => (i === 1 ? at(each) : each)))
    expect(code).toBe(3)
    expect(out).toMatch(/is AMBIGUOUS for cluster .*: 3 epochs, 21 entries/)
    expect(out).toContain(sentence)
  })

  it('refuses it with the pin of another hand-over, exit code 1', async () => {
    const { code, out } = await verify('log.jsonl', '--pin', at('other'))
    expect(code).toBe(1)
    expect(out).toContain('epoch 2: check "epoch" failed (not-through-pin)')
  })

  it('says of a receipt of an epoch that is over that nobody can tell', async () => {
    const { code, out } = await verify('old-receipt.jsonl', '--pin', at('pin'), '--json')
    expect(code).toBe(3)
    expect(JSON.parse(out)).toMatchObject({ valid: false, standing: 'ambiguous', doubt: 'retired-keys', faults: [] })
  })

  it.each([
    ['that is not there', 'nowhere', 'cannot be read'],
    ['that is none', 'genesis.json', 'holds no pin'],
  ])('calls a pin %s a usage error', async (_, name, message) => {
    const { code, error } = await verify('log.jsonl', '--pin', at(name))
    expect(code).toBe(2)
    expect(error).toContain(message)
  })
})

describe('quorate audit blame', () => {
  const blame = (...args: string[]) => quorate('audit', 'blame', ...args, '--genesis', at('genesis.json'))

  beforeAll(async () => {
    await writeFile(at('true.jsonl'), rotateAll(secondEpoch()).endEpoch().fill(1).bundle())
    await writeFile(at('stolen.jsonl'), rotateAll(secondEpoch()).endEpoch(captured).fill(1).bundle())
  })

  it('shows two chains with whose keys signed both, and cannot tell which is meant: exit code 3', async () => {
    const { code, out } = await blame(at('true.jsonl'), at('stolen.jsonl'))
    expect(code).toBe(3)
    expect(out).toMatch(/^keys of replica 1, replica 2, replica 4 of cluster \S+ signed what nobody honest signs/)
    expect(out).toMatch(/^epoch 1 was handed over twice, [0-9a-f]{64} and [0-9a-f]{64}: only a --pin says/m)
    const json = JSON.parse((await blame(at('true.jsonl'), at('stolen.jsonl'), '--json')).out)
    expect(json).toMatchObject({ standing: 'ambiguous', guilty: [], suspects: [1, 2, 4], splits: [{ epoch: 1 }] })
  })

  it('uses no log that the pin refuses, and then accuses nobody: exit code 0', async () => {
    const pin = rotateAll(secondEpoch()).endEpoch().chain.pin
    if (pin === undefined) throw new Error('no pin')
    await writeFile(at('true-pin'), formatPin(pin))
    const { code, out } = await blame(at('true.jsonl'), at('stolen.jsonl'), '--pin', at('true-pin'))
    expect(code).toBe(0)
    expect(out).toMatch(/^nobody in cluster/)
    expect(out).toContain('stolen.jsonl, epoch 2: the hand-over to this epoch is another than the one that is pinned')
  })
})

describe('quorate audit verify beside a cluster.json', () => {
  const beside = async (text: string) => {
    const folder = await mkdtemp(join(root, 'keyset-'))
    await writeFile(join(folder, 'genesis.json'), GENESIS_BYTES)
    await writeFile(join(folder, 'cluster.json'), text)
    return (file: string, ...options: string[]) =>
      quorate('audit', 'verify', at(file), '--genesis', join(folder, 'genesis.json'), ...options)
  }

  it('goes by the hand-overs that clients have followed, also for logs of before', async () => {
    const verified = await beside(formatCluster(log.chain, new Map()))
    expect((await verified('log.jsonl')).code).toBe(0)
    const behind = await beside(formatCluster(log.chain.upTo(1), new Map()))
    expect((await behind('log.jsonl')).code).toBe(3)
  })

  it('goes by the pin that is given in its place', async () => {
    const verified = await beside(formatCluster(log.chain, new Map()))
    const { code, out, error } = await verified('log.jsonl', '--pin', at('other'))
    expect(code).not.toBe(0)
    expect(`${out}${error}`).toContain('pin')
  })

  it('says in one sentence where the file holds no chain', async () => {
    const text = formatCluster(log.chain, new Map()).replace(/(quorate-pin-1 [0-9a-f]{64} [0-9] )..../, '$10000')
    const { code, error } = await (await beside(text))('log.jsonl')
    expect(code).toBe(2)
    expect(error).toContain('cluster.json holds no chain of this cluster (not-through-pin): remove it, or give a --pin')
  })
})

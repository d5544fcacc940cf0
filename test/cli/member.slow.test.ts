// Members that leave, and parameters that change, on real processes.

import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hex } from '../../crypto/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { quorateIn } from './run.ts'

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-members-'))
  const parameters = { window: 16, checkpointInterval: 16 }
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 5, clients: 2, parameters })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const REMOVED =
  /^replica 1 was removed(?: by the change in slot \d+)?; epoch 1 ended with slot \d+; its key is erased$/m

const quorate = (...args: string[]) => quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args)

async function json(...args: string[]) {
  const run = await quorate(...args, '--json')
  return { code: run.code, value: JSON.parse(run.out) }
}

describe('a running cluster', () => {
  it('takes other parameters from the next epoch on', async () => {
    expect(await quorate('put', 'k', 'first')).toMatchObject({ code: 0 })
    const set = await json('parameter', 'set', 'maxBatchRequests=64')
    expect(set).toMatchObject({ code: 0, value: { outcome: 'accepted', epoch: 1, inOffice: true, n: 5, b: 1 } })
    const { value } = await json('epochs')
    expect(value.epochs).toMatchObject([
      { epoch: 0, firstSlot: 1, lastSlot: set.value.lastSlot, parameters: { maxBatchRequests: 1024 } },
      { epoch: 1, lastSlot: null, parameters: { maxBatchRequests: 64 } },
    ])
    expect(await quorate('get', 'k')).toMatchObject({ code: 0, out: expect.stringContaining('first') })
  })

  it('lets a member leave, and who is left decides; its log is pinned by what epochs shows', async () => {
    const removed = await quorate('member', 'remove', '1')
    expect(removed).toMatchObject({ code: 0, out: expect.stringContaining('members 0, 2, 3, 4; up to 1 may lie') })
    expect(await quorate('put', 'k', 'second')).toMatchObject({ code: 0 })
    const status = await json('status')
    expect(status).toMatchObject({ code: 0, value: { epoch: 2, answers: 4, quorum: 3 } })
    expect(status.value.replicas.map(({ member }: { member: number }) => member)).toEqual([0, 2, 3, 4])
    const [pin, log, genesis] = [join(root, 'pin'), join(root, 'log.jsonl'), join(cluster.folder, 'genesis.json')]
    await writeFile(pin, `${(await json('epochs')).value.pin}\n`)
    const exported = await json('audit', 'export', '--all', '--checkpointed', '--out', log)
    expect(exported).toMatchObject({ code: 0, value: { epochs: 2, unled: 0, refusals: [] } })
    // Beside the genesis of the keyset is what its clients followed, which is as good as a pin.
    const alone = join(root, 'genesis.json')
    await copyFile(genesis, alone)
    const verify = (file: string) => ['audit', 'verify', log, '--genesis', file, '--level', 'replay']
    expect(await quorate(...verify(genesis))).toMatchObject({ code: 0 })
    expect(await quorate(...verify(alone), '--pin', pin)).toMatchObject({ code: 0 })
    expect(await quorate(...verify(alone))).toMatchObject({ code: 3 })
  })

  it('goes on when a member that stays was killed in the midst of a change', async () => {
    const change = json('parameter', 'set', 'maxBatchRequests=128')
    await cluster.kill(2)
    expect(await change).toMatchObject({ code: 0, value: { epoch: 3, inOffice: true } })
    await cluster.start(2)
    expect(await quorate('put', 'k', 'third')).toMatchObject({ code: 0 })
    await cluster.until('it is in the epoch of the others', () => {
      const [one, other] = [cluster.report(0), cluster.report(2)]
      return one !== undefined && other?.executed === one.executed && other.connected.length >= 3
    })
  })

  it('tells who starts a removed member again what became of it, and that is no failure', async () => {
    await cluster.kill(1)
    const run = await quorate('replica', cluster.folder, '--index', '1')
    expect(run).toMatchObject({ code: 0, out: expect.stringMatching(REMOVED) })
  })

  it('names an operator, who may then move that member and no other', async () => {
    const named = await json('member', 'operator', '2', 'writer-1')
    expect(named).toMatchObject({ code: 0, value: { outcome: 'accepted', epoch: 4, inOffice: true } })
    const key = cluster.genesis.clients.find(({ name }) => name === 'writer-1')?.key ?? new Uint8Array(0)
    const { members } = named.value
    expect(members.map(({ operator }: { operator: string | null }) => operator)).toEqual([null, hex(key), null, null])
    const move = (id: string) => json('member', 'move', id, '/dns/elsewhere.example/tcp/7400', '--client', 'writer-1')
    expect(await move('2')).toMatchObject({ code: 0, value: { outcome: 'done' } })
    expect(await move('2')).toMatchObject({ code: 1, value: { code: 'unchanged' } })
    expect(await move('0')).toMatchObject({ code: 1, value: { code: 'not-an-admin' } })
  })

  it.each([
    [['member', 'remove', '1'], 'there is no member "1" in epoch 4: its members are 0, 2, 3, 4'],
    [['member', 'remove', '2', '2'], 'member 2 is named twice'],
    [['member', 'remove', '0'], 'needs n >= 3b + 2c + 1 = 4; change --byzantine or --crash with it'],
    [['parameter', 'set'], 'nothing is to be changed'],
    [['parameter', 'set', 'windows=3'], '"windows=3": write NAME=VALUE'],
    [['member', 'rotate-key', '/nowhere'], '/nowhere is no folder of a replica'],
    [['member', 'move', '0', '/ip4/0.0.0.0/tcp/1'], 'nobody can dial it'],
    [['member', 'add', '/nowhere/join.json'], '/nowhere/join.json cannot be read'],
  ])('is not asked for what makes no sense: %j', async (args, sentence) => {
    const run = await quorate(...args)
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
  })

  it('refuses a change by who is no admin', async () => {
    const run = await quorate('parameter', 'set', 'window=8', '--client', 'writer-1')
    expect(run).toMatchObject({ code: 1, out: expect.stringContaining('this client is no admin') })
  })
})

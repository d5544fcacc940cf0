// Replicas that follow changes of the membership.

import { afterEach, describe, expect, it } from 'vitest'
import { memberId, sha256, slot } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
import { FIRST_PATH, MapRestoration } from '../../src/machine/index.ts'
import type { JoinState } from '../../src/replica/join.ts'
import type { Store } from '../../src/storage/index.ts'
import { RECORD_KINDS } from '../../src/wire/index.ts'
import { altered } from './altered-store.ts'
import { ChangingCluster, type ChangingOptions, write } from './changing-cluster.ts'
import { type TestClient, until } from './memory-cluster.ts'

let cluster: ChangingCluster | undefined

afterEach(async () => {
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function started(options: ChangingOptions = {}): Promise<ChangingCluster> {
  cluster = new ChangingCluster(options)
  await cluster.start(...cluster.genesis.members.keys())
  return cluster
}

/** A replica that may be killed at a moment of the test's own, and the news of it. */
function mortal(): { readonly dying: { armed: boolean; dead: () => void }; readonly died: Promise<void> } {
  const dying = { armed: true, dead: () => {} }
  const died = new Promise<void>((resolve) => {
    dying.dead = resolve
  })
  return { dying, died }
}

describe('an epoch that ends', () => {
  it('is followed by the next one on all replicas, which go on answering (parameters alone)', async () => {
    const c = await started()
    const admin = await c.client('admin')
    const client = await c.client()
    await write(client, 3)
    const parameters = { ...c.genesis.parameters, window: 3 }
    const [accepted] = await admin.submit([c.change(genesisCharter(c.genesis), { parameters })])
    expect(accepted?.outcome).toBe('done')
    await c.inEpoch(1, 0, 1, 2, 3)
    await write(client, 10, 'after')
    await c.settled(0, 1, 2, 3)
    for (const number of [0, 1, 2, 3]) expect(c.status(number)).toMatchObject({ alarms: [], lies: [], epoch: 1 })
    const chain = c.chainOf(await c.links(client, 2))
    expect(chain.last.charter).toMatchObject({ epoch: 1, parameters: { window: 3 } })
  })

  it('has what was asked in it answered anew to whoever asks again later, under keys that are in office', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    const [request] = client.bundle([client.put('key', 'value')])
    if (request === undefined) throw new Error('no request')
    client.send([request])
    await until(() => client.resultOf(request) !== undefined)
    const parameters = { ...c.genesis.parameters, window: 3 }
    await admin.submit([c.change(genesisCharter(c.genesis), { parameters })])
    await c.inEpoch(1, 0, 1, 2, 3)
    const { start } = c.chainOf(await c.links(client, 0)).last
    client.send([request])
    await until(() => (client.answeredIn(request) ?? 0) > start.slot)
    expect(client.resultOf(request)).toMatchObject({ outcome: 'done' })
  })

  it('lets a member be replaced while requests run', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    const base = genesisCharter(c.genesis)
    const edit = { op: 'replace', id: memberId(1), member: c.newcomer(4, base) } as const
    await Promise.all([admin.submit([c.change(base, { edits: [edit] })]), write(client, 20, 'meanwhile')])
    await c.inEpoch(1, 0, 2, 3)
    await c.join(4, await c.links(client, 2))
    await c.start(4)
    c.meet(0, 4, 2, 3)
    await c.stop(3)
    await write(client, 12, 'after')
    await c.settled(0, 4, 2)
    expect(c.status(4)).toMatchObject({ replica: 1, epoch: 1, alarms: [], lies: [] })
  })

  it('lets a cluster grow from four to seven, of which two may then lie', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    const base = genesisCharter(c.genesis)
    const edits = [4, 5, 6].map((number) => ({ op: 'add', member: c.newcomer(number, base) }) as const)
    await admin.submit([c.change(base, { edits, quorum: { byzantine: 2, crash: 0 } })])
    await c.inEpoch(1, 0, 1, 2, 3)
    const links = await c.links(client, 0)
    for (const number of [4, 5, 6]) await c.join(number, links)
    await c.start(4, 5, 6)
    c.meet(0, 1, 2, 3, 4, 5, 6)
    await c.stop(0, 1)
    await write(client, 10, 'after')
    await c.settled(2, 3, 4, 5, 6)
    for (const number of [2, 3, 4, 5, 6])
      expect(c.status(number)).toMatchObject({ replica: number, alarms: [], lies: [] })
  })
})

describe('a member that was removed', () => {
  const shrink = { quorum: { byzantine: 1, crash: 0 } }

  async function five(): Promise<{ c: ChangingCluster; admin: TestClient; client: TestClient; remove: Uint8Array }> {
    const c = await started({ replicas: 5 })
    const [admin, client] = [await c.client('admin'), await c.client()]
    const edits = [{ op: 'remove', id: memberId(1) }] as const
    return { c, admin, client, remove: c.change(genesisCharter(c.genesis), { edits, ...shrink }) }
  }

  it('serves those who stay until it sees that they have gone on, and stops by itself with a sentence', async () => {
    const { c, admin, client, remove } = await five()
    await write(client, 2)
    await admin.submit([remove])
    await c.inEpoch(1, 0, 2, 3, 4)
    c.meet(0, 2, 3, 4)
    expect(c.retired).toEqual([])
    await Promise.race([write(client, 20, 'after'), until(() => c.retired.length > 0)])
    await until(() => c.retired.length > 0)
    const [{ number, retired } = { number: -1, retired: undefined }] = c.retired
    expect(number).toBe(1)
    expect(retired).toMatchObject({ epoch: 0 })
    expect(retired?.why).toMatch(
      /^replica 1 was removed(?: by the change in slot \d+)?; epoch 0 ended with slot \d+; its key is erased$/,
    )
  })

  it('that was away hears of it from those who stayed, who let it in for nothing else', async () => {
    const { c, admin, client, remove } = await five()
    await write(client, 2)
    await c.stop(1)
    await admin.submit([remove])
    await c.inEpoch(1, 0, 2, 3, 4)
    c.meet(0, 2, 3, 4)
    await write(client, 20, 'after')
    await c.start(1)
    await until(() => c.retired.length > 0)
    expect(c.retired[0]?.retired).toMatchObject({ epoch: 0 })
  })
})

describe('the state with which an epoch begins', () => {
  it('is fetched from those that left with the epoch before, where nobody else has it', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    const base = genesisCharter(c.genesis)
    const edits = [0, 1, 2, 3].map(
      (i) => ({ op: 'replace', id: memberId(i), member: c.newcomer(4 + i, base) }) as const,
    )
    const [replaced] = await admin.submit([c.change(base, { edits })])
    expect(replaced?.outcome).toBe('done')
    let links = await c.links(client, 2)
    while (links.length === 0) links = await c.links(client, 2)
    for (const number of [4, 5, 6, 7]) await c.join(number, links)
    await c.start(4, 5, 6, 7)
    c.meet(4, 5, 6, 7)
    await write(client, 20, 'after')
    await until(() => c.retired.length === 4)
    await c.settled(4, 5, 6, 7)
    for (const number of [4, 5, 6, 7]) expect(c.status(number)).toMatchObject({ epoch: 1, alarms: [], lies: [] })
  })
})

describe('the store of one who joins', () => {
  /** The newest state that the replica at `position` of the client's roster lends. */
  async function stateOf(client: TestClient, position: number): Promise<JoinState> {
    const chunks: Uint8Array[] = []
    const ask = async (path: Uint8Array) => {
      const [answer] = await client.ask(position, { kind: 'state', atMost: slot(1_000), path })
      if (answer?.kind !== 'state' || answer.part === undefined) throw new Error('it has no state')
      return answer.part
    }
    const { checkpoint, frontier } = await ask(FIRST_PATH)
    const restoration = new MapRestoration(checkpoint.stateRoot, sha256)
    for (let path = restoration.next; path !== undefined; path = restoration.next) {
      const { chunk } = await ask(path)
      chunks.push(chunk)
      expect(restoration.offer(chunk).ok).toBe(true)
    }
    return { checkpoint, frontier, chunks }
  }

  it('has the state with which it was begun at the start, and fetches no other', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    const base = genesisCharter(c.genesis)
    const edit = { op: 'replace', id: memberId(3), member: c.newcomer(4, base) } as const
    await admin.submit([c.change(base, { edits: [edit] })])
    await c.inEpoch(1, 0, 1, 2)
    const state = await stateOf(client, 0)
    await c.join(4, await c.links(client, 0), state)
    await c.stop(3)
    await c.start(4)
    expect(c.status(4)).toMatchObject({ replica: 3, epoch: 1, executed: 16, stable: 16 })
    expect(c.logged.filter(({ number, text }) => number === 4 && text.startsWith('fetching'))).toEqual([])
    c.meet(0, 1, 2, 4)
    await c.stop(2)
    await write(client, 10, 'after')
    await c.settled(0, 1, 4)
    expect(c.status(4)).toMatchObject({ alarms: [], lies: [] })
  })
})

describe('a replica that was down', () => {
  const next = (c: ChangingCluster, window: number) => ({ parameters: { ...c.genesis.parameters, window } })

  it('over one change comes back into the epoch that is in office', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    await c.stop(3)
    await admin.submit([c.change(genesisCharter(c.genesis), next(c, 3))])
    await c.inEpoch(1, 0, 1, 2)
    await write(client, 30, 'missed')
    await c.start(3)
    await c.inEpoch(1, 3)
    await c.settled(0, 1, 2, 3)
    await c.stop(2)
    await write(client, 3, 'with it')
    expect(c.status(3)).toMatchObject({ alarms: [], lies: [] })
  })

  it('over two changes comes back too, and is there again after a restart', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    await c.stop(3)
    await admin.submit([c.change(genesisCharter(c.genesis), next(c, 3))])
    await c.inEpoch(1, 0, 1, 2)
    const { charter } = c.chainOf(await c.links(client, 0)).last
    await admin.submit([c.change(charter, next(c, 2))])
    await c.inEpoch(2, 0, 1, 2)
    await write(client, 20, 'missed')
    await c.start(3)
    await c.inEpoch(2, 3)
    await c.settled(0, 1, 2, 3)
    await c.stop(2, 3)
    await c.start(3)
    await write(client, 3, 'with it')
    expect(c.status(3)).toMatchObject({ epoch: 2, alarms: [], lies: [] })
  })

  it('with all the others, after an epoch has ended, goes on in the next one', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await admin.submit([c.change(genesisCharter(c.genesis), next(c, 3))])
    await c.inEpoch(1, 0, 1, 2, 3)
    await c.stop(0, 1, 2, 3)
    await c.start(0, 1, 2, 3)
    for (const number of [0, 1, 2, 3]) expect(c.status(number).epoch).toBe(1)
    await write(client, 10, 'after')
    await c.settled(0, 1, 2, 3)
  })

  it.each([
    ['no snapshot at all', 1000],
    ['one of the checkpoint before', 1],
  ])(
    'with all the others, between the hand-over on disk and the snapshot of its state, has that state again (%s)',
    async (_, snapshotSlots) => {
      const power = { on: true, off: () => {} }
      const cut = new Promise<void>((resolve) => {
        power.off = () => {
          power.on = false
          resolve()
        }
      })
      const handedOver = new Set<number>()
      const written = new Set<number>()
      /** From the hand-over on nothing comes back from the disk, and no snapshot of its state gets there. */
      const wrapStore = (number: number, store: Store): Store =>
        altered(store, {
          append(records, done) {
            if (records.some(({ kind }) => kind === RECORD_KINDS['hand-over'])) handedOver.add(number)
            store.append(records, power.on && handedOver.has(number) ? () => {} : done)
          },
          async putSnapshot(at, meta, chunks) {
            if (power.on && at >= 16) {
              await cut
              throw new Error('the power is gone')
            }
            await store.putSnapshot(at, meta, chunks)
            written.add(at)
          },
        })
      const c = await started({ wrapStore, limits: { snapshotSlots } })
      const [admin, client] = [await c.client('admin'), await c.client()]
      await write(client, 1)
      void admin.submit([c.change(genesisCharter(c.genesis), next(c, 3))])
      await until(() => handedOver.size === 4)
      const stopped = Promise.all([0, 1, 2, 3].map((number) => c.stop(number)))
      setImmediate(power.off)
      await stopped
      expect([...written]).toEqual(snapshotSlots === 1 ? [8] : [])
      await c.start(0, 1, 2, 3)
      for (const number of [0, 1, 2, 3]) expect(c.status(number)).toMatchObject({ epoch: 1, executed: 16, stable: 16 })
      await write(client, 10, 'after')
      await c.settled(0, 1, 2, 3)
      for (const number of [0, 1, 2, 3]) expect(c.status(number)).toMatchObject({ alarms: [], lies: [] })
    },
  )

  it('from when it had executed the last slot of an epoch, but not seen a quorum say so, comes into the next one', async () => {
    const { dying, died } = mortal()
    /** Killed when its own note of the last slot is on disk, and has not left. */
    const wrapStore = (number: number, store: Store): Store => {
      if (number !== 2) return store
      const append: Store['append'] = (records, done) => {
        const isLast = records.some(({ kind, slot }) => kind === RECORD_KINDS.checkpoint && slot === 16)
        if (isLast) dying.dead()
        store.append(records, dying.armed && isLast ? () => {} : done)
      }
      return altered(store, { append })
    }
    const c = await started({ wrapStore })
    const [admin, client] = [await c.client('admin'), await c.client()]
    await admin.submit([c.change(genesisCharter(c.genesis), next(c, 3))])
    await died
    await c.stop(2)
    dying.armed = false
    await c.inEpoch(1, 0, 1, 3)
    await write(client, 20, 'missed')
    await c.start(2)
    expect(c.status(2).epoch).toBe(0)
    await c.inEpoch(1, 2)
    await c.stop(3)
    await write(client, 3, 'with it')
    await c.settled(0, 1, 2)
    for (const number of [0, 1, 2]) expect(c.status(number)).toMatchObject({ alarms: [], lies: [] })
  })

  it('between the hand-over on disk and its first vote in the next epoch votes there, and nowhere else', async () => {
    const { dying, died } = mortal()
    /** Nothing comes back from the disk once the hand-over is on it: as if the process were killed there. */
    const wrapStore = (number: number, store: Store): Store => {
      if (number !== 2) return store
      const append: Store['append'] = (records, done) => {
        const isLast = dying.armed && records.some(({ kind }) => kind === RECORD_KINDS['hand-over'])
        if (isLast) dying.dead()
        store.append(records, isLast ? () => {} : done)
      }
      return altered(store, { append })
    }
    const c = await started({ wrapStore })
    const [admin, client] = [await c.client('admin'), await c.client()]
    await admin.submit([c.change(genesisCharter(c.genesis), next(c, 3))])
    await Promise.all([died, c.inEpoch(1, 0, 1, 3)])
    expect(c.status(2).epoch).toBe(0)
    await c.stop(2, 3)
    dying.armed = false
    await c.start(2)
    expect(c.status(2).epoch).toBe(1)
    await write(client, 6, 'with it')
    await c.settled(0, 1, 2)
    for (const number of [0, 1, 2]) expect(c.status(number)).toMatchObject({ alarms: [], lies: [] })
  })
})

describe('an old copy of a store', () => {
  it('from before a change is refused, where its replica has voted since in the next epoch', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    await c.stop(3)
    const contents = c.contents.get(3)
    if (contents === undefined) throw new Error('no contents')
    const old = { ...contents, records: [...contents.records] }
    await c.start(3)
    const parameters = { ...c.genesis.parameters, window: 3 }
    await admin.submit([c.change(genesisCharter(c.genesis), { parameters })])
    await c.inEpoch(1, 0, 1, 2, 3)
    await write(client, 12, 'after')
    await c.settled(0, 1, 2, 3)
    await c.stop(3)
    Object.assign(contents, old)
    await c.start(3)
    await until(() => c.fatal.length > 0)
    expect(c.fatal.splice(0)).toMatchObject([{ number: 3, error: { code: 'rolled-back' } }])
    await write(client, 3, 'without it')
  })
})

// What becomes of a consensus key when an epoch ends that does not know it any more: of real files, beside a replica that runs.

import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hex, memberId, type Signer } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
import { consensusFiles, erasedSigner, nextConsensusKey, type ReplicaKeys } from '../../keys/index.ts'
import { secretKeyPem } from '../../keys/pem.ts'
import { Keyring } from '../../src/replica/keyring.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { ChangingCluster, keysNumbered } from './changing-cluster.ts'
import { until } from './memory-cluster.ts'

let folder = ''
let cluster: ChangingCluster | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-keys-'))
})

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
  await rm(folder, { recursive: true, force: true })
})

/** The secret key of `consensus NUMBER` as a file. */
function pemOf(number: number): string {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedNamed(`consensus ${number}`)])
  return secretKeyPem(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

/** The keys of this number, with the files of the folder. */
async function keysWithFiles(number: number): Promise<ReplicaKeys> {
  await writeFile(join(folder, 'consensus.pem'), pemOf(number), { mode: 0o600 })
  return { ...keysNumbered(number), files: consensusFiles(folder) }
}

async function keyIn(file: string): Promise<string> {
  return readFile(join(folder, file), 'utf8')
}

describe('a member whose key is changed', () => {
  /** A cluster in which the key of member 2 was changed while all ran; and that key. */
  async function rotated(): Promise<{ c: ChangingCluster; next: Signer }> {
    const c = new ChangingCluster()
    cluster = c
    await c.start(0, 1, 3)
    await c.startWith(2, { keys: await keysWithFiles(2) })
    const admin = await c.client('admin')
    const next = await nextConsensusKey(folder)
    const base = genesisCharter(c.genesis)
    await admin.submit([c.change(base, { edits: [c.rotation(2, base, next)] })])
    await c.inEpoch(1, 0, 1, 2, 3)
    return { c, next }
  }

  it('goes on under the new one, at the same position, and the old one is gone from its folder', async () => {
    const { c } = await rotated()
    expect(await readdir(folder)).toEqual(['consensus.pem'])
    expect(await keyIn('consensus.pem')).not.toBe(pemOf(2))
    await c.stop(3)
    const client = await c.client()
    for (let i = 0; i < 4; i++) await client.submit([client.put(`k${i}`, 'v')])
    expect(c.status(2)).toMatchObject({ replica: 2, alarms: [] })
    expect(c.fatal).toEqual([])
  })

  it.each([
    ['nothing was done', async () => writeFile(join(folder, 'consensus.pem'), pemOf(2), { mode: 0o600 })],
    ['the old key was overwritten', async () => writeFile(join(folder, 'consensus.pem'), new Uint8Array(119))],
    ['the old key was unlinked', async () => rm(join(folder, 'consensus.pem'))],
  ])('finishes the change at the next start, where a crash came when %s', async (_, leave) => {
    const { c, next } = await rotated()
    await c.stop(2)
    await writeFile(join(folder, 'next-consensus.pem'), await keyIn('consensus.pem'), { mode: 0o600 })
    await leave()
    const interrupted = { ...keysNumbered(2), files: consensusFiles(folder), next }
    await c.startWith(2, { keys: interrupted })
    expect(await readdir(folder)).toEqual(['consensus.pem'])
    expect(await keyIn('consensus.pem')).not.toBe(pemOf(2))
    await c.stop(3)
    const client = await c.client()
    await client.submit([client.put('k', 'v')])
    expect(c.status(2)).toMatchObject({ replica: 2, epoch: 1, alarms: [] })
  })

  it('does not start without the new one, and says where it belongs', async () => {
    const { c } = await rotated()
    await c.stop(2)
    const started = c.startWith(2, { keys: keysNumbered(2) })
    await expect(started).rejects.toThrow('put it there as next-consensus.pem, and start it again')
  })

  it('stops where the new one is not there when the epoch ends', async () => {
    const c = new ChangingCluster()
    cluster = c
    await c.start(0, 1, 2, 3)
    const admin = await c.client('admin')
    const base = genesisCharter(c.genesis)
    await admin.submit([c.change(base, { edits: [c.rotation(2, base, signerNamed('nowhere'))] })])
    await until(() => c.fatal.length > 0)
    expect(c.fatal).toMatchObject([{ number: 2, error: { message: expect.stringContaining('next-consensus.pem') } }])
  })
})

it('a member that was removed has its keys erased before it stops', async () => {
  const c = new ChangingCluster({ replicas: 5 })
  cluster = c
  await c.start(0, 1, 3, 4)
  await c.startWith(2, { keys: await keysWithFiles(2) })
  await nextConsensusKey(folder)
  const [admin, client] = [await c.client('admin'), await c.client()]
  const edits = [{ op: 'remove', id: memberId(2) }] as const
  await admin.submit([c.change(genesisCharter(c.genesis), { edits })])
  await c.inEpoch(1, 0, 1, 3, 4)
  c.meet(0, 1, 3, 4)
  for (let i = 0; c.retired.length === 0; i++) await client.submit([client.put(`k${i}`, 'v')])
  expect(await readdir(folder)).toEqual([])
})

describe('a member whose key is erased', () => {
  const erased = (number: number) => {
    const { consensus, ...keys } = keysNumbered(number)
    return { ...keys, consensus: erasedSigner(consensus.publicKey), isErased: true }
  }

  it('since it was removed, hands out what it has when it is started again, and says what became of it', async () => {
    const c = new ChangingCluster({ replicas: 5 })
    cluster = c
    await c.start(0, 1, 2, 3, 4)
    const [admin, client] = [await c.client('admin'), await c.client()]
    const edits = [{ op: 'remove', id: memberId(1) }] as const
    await admin.submit([c.change(genesisCharter(c.genesis), { edits, quorum: { byzantine: 1, crash: 0 } })])
    await c.inEpoch(1, 0, 2, 3, 4)
    while ((await c.links(client, 1)).length === 0);
    await c.stop(1)
    expect(c.retired).toEqual([])
    await c.startWith(1, { keys: erased(1) })
    c.meet(0, 2, 3, 4)
    for (let i = 0; c.retired.length === 0; i++) await client.submit([client.put(`k${i}`, 'v')])
    const why = 'replica 1 was removed by the change in slot 1; epoch 0 ended with slot 16; its key is erased'
    expect(c.retired).toMatchObject([{ number: 1, retired: { epoch: 0, slot: 16, why } }])
    expect(c.fatal).toEqual([])
  })

  it('and which still is one, does not start', async () => {
    const c = new ChangingCluster()
    cluster = c
    await expect(c.startWith(2, { keys: erased(2) })).rejects.toThrow(
      'replica 2 is a member in epoch 0, and its consensus key is gone: put consensus.pem back',
    )
  })
})

describe('a keyring', () => {
  const [old, next] = [signerNamed('old'), signerNamed('next')]

  function ringWith(prepared: Signer | undefined) {
    const done: string[] = []
    const files = {
      next: async () => next,
      replace: async (key: Uint8Array) => void done.push(`replaced ${hex(key)}`),
      erase: async () => void done.push('erased'),
    }
    const store = { adopt: async (key: Uint8Array) => void done.push(`adopted ${hex(key)}`) }
    return { done, ring: new Keyring({ ...keysNumbered(0), consensus: old, next: prepared, files }, store) }
  }

  it('notes the store under a new key first, then erases the old one, and only then hands the new one out', async () => {
    const { ring, done } = ringWith(undefined)
    expect(ring.find(old.publicKey)).toBe(old)
    expect(ring.find(next.publicKey)).toBeUndefined()
    const key = hex(next.publicKey)
    expect(await ring.replace(next.publicKey)).toBe(next)
    expect(done).toEqual([`adopted ${key}`, `replaced ${key}`])
    expect(ring.find(next.publicKey)).toBe(next)
  })

  it('takes a change for unfinished where both keys are there at the start and the new one is in office', async () => {
    const { ring } = ringWith(next)
    expect(ring.find(next.publicKey)).toBeUndefined()
    expect(ring.find(old.publicKey)).toBe(old)
    await ring.replace(next.publicKey)
    expect(ring.find(next.publicKey)).toBe(next)
  })
})

describe('the files of consensus keys', () => {
  it('leave a key alone that was made for a later change', async () => {
    await keysWithFiles(2)
    const files = consensusFiles(folder)
    await nextConsensusKey(folder)
    await files.replace(signerNamed('consensus 2').publicKey)
    expect((await readdir(folder)).sort()).toEqual(['consensus.pem', 'next-consensus.pem'])
    expect(await keyIn('consensus.pem')).toBe(pemOf(2))
  })

  it('come to the same when they are replaced or erased again', async () => {
    await keysWithFiles(2)
    const files = consensusFiles(folder)
    const { publicKey } = await nextConsensusKey(folder)
    for (let i = 0; i < 2; i++) await files.replace(publicKey)
    expect(await readdir(folder)).toEqual(['consensus.pem'])
    for (let i = 0; i < 2; i++) await files.erase()
    expect(await readdir(folder)).toEqual([])
    expect(await files.next()).toBeUndefined()
  })
})

// What a client remembers of the members beside the genesis.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memberId } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { auditContext } from '../../src/audit/verify/index.ts'
import { readCluster, writeCluster } from '../../src/client/cluster-file.ts'
import type { ClientError } from '../../src/client/index.ts'
import { type EpochChain, followChain } from '../../src/consensus/index.ts'
import { FakeCluster } from './fake-cluster.ts'

const SMALL = { parameters: { checkpointInterval: 32, window: 32 } }
let folder = ''
let path = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-cluster-file-'))
  path = join(folder, 'cluster.json')
})
afterEach(() => rm(folder, { recursive: true }))

/** The chain of a cluster that went through these members, as somebody with the genesis verified it. */
function chainOf(...epochs: readonly (readonly number[])[]): {
  genesis: EpochChain
  chain: EpochChain
  cluster: FakeCluster
} {
  const cluster = new FakeCluster(SMALL)
  for (const keys of epochs) cluster.handOver(keys)
  const genesis = auditContext(cluster.genesis, nativeVerifier).chain
  const followed = followChain(genesis, cluster.chain.links)
  if (!followed.ok) throw new Error(followed.fault.code)
  return { genesis, chain: followed.value, cluster }
}

const addresses = new Map([[memberId(4), ['/ip4/10.0.0.4/tcp/7400']]])
const pinOf = ({ pin }: EpochChain) => pin ?? expect.fail('no pin')

describe('the file of a cluster', () => {
  it('gives back the chain and the addresses, verified from the genesis on', async () => {
    const { genesis, chain } = chainOf([0, 1, 2, 4], [0, 1, 5, 4])
    expect(await readCluster(path, genesis)).toBeUndefined()
    await writeCluster(path, genesis, { chain, addresses })
    const known = await readCluster(path, genesis)
    expect(known?.chain.pin).toEqual(chain.pin)
    expect(known?.addresses.get(memberId(4))).toEqual(['/ip4/10.0.0.4/tcp/7400'])
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ format: 'quorate-cluster-1' })
  })

  it('never goes back', async () => {
    const { genesis, chain } = chainOf([0, 1, 2, 4], [0, 1, 5, 4])
    await writeCluster(path, genesis, { chain, addresses })
    await writeCluster(path, genesis, { chain: chain.upTo(1), addresses })
    expect((await readCluster(path, genesis))?.chain.links).toHaveLength(2)
  })

  it('is not overwritten by who followed another hand-over', async () => {
    const { genesis, chain } = chainOf([0, 1, 2, 4])
    await writeCluster(path, genesis, { chain, addresses })
    for (const other of [chainOf([0, 1, 2, 9]), chainOf([0, 1, 2, 9], [0, 1, 2, 8])]) {
      await expect(writeCluster(path, genesis, { chain: other.chain, addresses })).rejects.toMatchObject({
        code: 'ambiguous',
      })
    }
    expect((await readCluster(path, genesis))?.chain.pin).toEqual(chain.pin)
  })

  it.each([
    ['that is none', () => 'hello', 'it is no cluster file, or was damaged'],
    [
      'of another cluster',
      (text: string) => text.replace(/"cluster":"../, '"cluster":"ff'),
      'it is of another cluster',
    ],
    [
      'with hand-overs that nobody signed',
      (text: string) => text.replace(/"links":\["([0-9a-f]{200})[0-9a-f]{8}/, '"links":["$100000000'),
      '',
    ],
    [
      'whose pin is another',
      (text: string) => text.replace(/(quorate-pin-1 [0-9a-f]{64} 1 )..../, '$10000'),
      'its hand-overs do not hold (not-through-pin)',
    ],
  ])('is refused in one sentence where it is one %s', async (_, change, message) => {
    const { genesis, chain } = chainOf([0, 1, 2, 4])
    await writeCluster(path, genesis, { chain, addresses })
    await writeFile(path, change(await readFile(path, 'utf8')))
    const fault = await readCluster(path, genesis).then(
      () => expect.fail('it was taken'),
      (error: ClientError) => error,
    )
    expect(fault.code).toBe('cluster-file')
    expect(fault.message).toContain(`${path} cannot be used: ${message}`)
    expect(fault.message).not.toContain('\n')
  })

  it('is refused where it does not go through a pin that the caller has', async () => {
    const { genesis, chain } = chainOf([0, 1, 2, 4])
    await writeCluster(path, genesis, { chain, addresses })
    const other = chainOf([0, 1, 2, 9])
    await expect(readCluster(path, genesis, pinOf(other.chain))).rejects.toThrow(
      'its hand-overs are not those of the pin',
    )
    expect((await readCluster(path, genesis, pinOf(chain)))?.chain.links).toHaveLength(1)
    // A pin further on says nothing about it yet.
    const later = chainOf([0, 1, 2, 4], [0, 1, 5, 4])
    expect((await readCluster(path, genesis, pinOf(later.chain)))?.chain.links).toHaveLength(1)
  })
})

describe('a client with such a file', () => {
  it('writes it when it follows a hand-over, and the next one begins with those members', async () => {
    const cluster = new FakeCluster(SMALL)
    const first = await cluster.connect({ clusterFile: path })
    cluster.handOver([0, 1, 2, 4])
    await first.get('a', { read: 'quorum' })
    await first.close()
    cluster.handOver([5, 6, 7, 4])
    for (const gone of [0, 1, 2]) cluster.cut(gone)
    const second = await cluster.connect({ clusterFile: path })
    expect(second.chain.links).toHaveLength(1)
    await second.get('a', { read: 'quorum' })
    expect(second.chain.last.charter.members.map(({ id }) => id)).toEqual([5, 6, 7, 4])
    await second.close()
  })

  it('does not begin where the file is of a fork', async () => {
    const { genesis, chain, cluster } = chainOf([0, 1, 2, 4])
    await writeCluster(path, genesis, { chain, addresses })
    const pin = pinOf(chainOf([0, 1, 2, 9]).chain)
    await expect(cluster.connect({ clusterFile: path, pin })).rejects.toMatchObject({ code: 'cluster-file' })
  })
})

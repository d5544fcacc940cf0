import { describe, expect, it } from 'vitest'
import { verifyCertificate } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { FakeCluster } from './fake-cluster.ts'

describe('a client', () => {
  it('stores and reads, and hands out receipts of t signatures', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const put = await client.put('a', 'one')
    expect(put.value).toEqual({ revision: 1 })
    const got = await client.get('a')
    expect(Buffer.from(got.value?.value ?? []).toString()).toBe('one')
    const { certificate } = put.receipt
    expect(certificate.signatures).toHaveLength(2)
    expect(verifyCertificate(certificate, { kind: 'receipt' }, cluster.genesis.membership, nativeVerifier).ok).toBe(
      true,
    )
    await client.close()
  })
})

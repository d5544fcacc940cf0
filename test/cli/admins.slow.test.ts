// Two of three admins must agree on who is an admin, on real processes.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { quorateIn } from './run.ts'

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-admins-'))
  const admins = { count: 3, threshold: 2 }
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 2, admins })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const quorate = async (...args: string[]) => {
  const run = await quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args, '--json')
  return { code: run.code, value: JSON.parse(run.out) }
}

it('what one admin proposes is done once a second one approves, and not before', async () => {
  const proposed = await quorate('client', 'role', 'writer-1', 'admin')
  expect(proposed).toMatchObject({ code: 0, value: { outcome: 'proposed', approvals: 1, needed: 2 } })
  const { proposal } = proposed.value
  const again = await quorate('admin', 'approve', proposal)
  expect(again).toMatchObject({ code: 1, value: { outcome: 'refused', code: 'unchanged' } })
  const stranger = await quorate('admin', 'approve', proposal, '--client', 'writer-1')
  expect(stranger).toMatchObject({ code: 1, value: { code: 'not-an-admin' } })
  const approved = await quorate('admin', 'approve', proposal, '--client', 'admin-2')
  expect(approved).toMatchObject({ code: 0, value: { outcome: 'done' } })
  // It is an admin now: it can propose what only admins can.
  const back = await quorate('client', 'role', 'writer-1', 'writer', '--client', 'writer-1')
  expect(back).toMatchObject({ code: 0, value: { outcome: 'proposed' } })
})

it('what is withdrawn cannot be approved any more', async () => {
  const { value } = await quorate('client', 'remove', 'admin-3')
  expect(await quorate('admin', 'withdraw', value.proposal)).toMatchObject({ code: 0, value: { outcome: 'done' } })
  const late = await quorate('admin', 'approve', value.proposal, '--client', 'admin-2')
  expect(late).toMatchObject({ code: 1, value: { code: 'no-such-proposal' } })
})

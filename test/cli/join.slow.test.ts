// Replicas that join a running cluster and are let in, on real processes: grow from 4 to 7, and replace one that is gone.

import { readdirSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { freePorts } from '../../src/cli/launch/ports.ts'
import { quorateIn } from './run.ts'

let root: string
let cluster: LocalCluster
let ports: readonly number[]

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-join-'))
  const parameters = { window: 16, checkpointInterval: 16 }
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 2, parameters })
  await cluster.startAll()
  ports = await freePorts(4)
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const quorate = (...args: string[]) => quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args)
const joining = (index: number, ...args: string[]) =>
  quorate('member', 'join', '--index', `${index}`, '--address', `/ip4/127.0.0.1/tcp/${ports[index - 4]}`, ...args)
const fileOf = (index: number) => join(cluster.folder, `replica-${index}`, 'join.json')

describe('three replicas that have joined', () => {
  it('are let in with one step, and decide from then on', async () => {
    expect(await quorate('put', 'k', 'before')).toMatchObject({ code: 0 })
    for (const index of [4, 5, 6]) {
      const ready = await joining(index, '--no-wait')
      expect(ready).toMatchObject({ code: 0, out: expect.stringContaining(`${fileOf(index)} is ready`) })
    }
    await copyFile(fileOf(4), join(root, 'kept.json'))
    const added = await quorate('member', 'add', fileOf(4), fileOf(5), fileOf(6), '--byzantine', '2')
    expect(added.out).toContain('members 0, 1, 2, 3, 4, 5, 6; up to 2 may lie, up to 0 more may stop; 5 decide')
    for (const index of [4, 5, 6]) {
      expect((await joining(index)).out).toContain(`it is member ${index} from epoch 1 on`)
      await cluster.start(index)
    }
    // Five of seven: without those that joined nobody decides anything.
    await Promise.all([cluster.kill(0), cluster.kill(1)])
    expect(await quorate('put', 'k', 'after')).toMatchObject({ code: 0 })
    expect(await quorate('get', 'k')).toMatchObject({ code: 0, out: expect.stringContaining('after') })
  })

  it('are members also after all were killed and started again', async () => {
    await Promise.all([2, 3, 4, 5, 6].map((index) => cluster.kill(index)))
    for (const index of [0, 1, 2, 4, 5, 6]) await cluster.start(index)
    expect(await quorate('put', 'k', 'again')).toMatchObject({ code: 0 })
  })
})

describe('a replica that joins', () => {
  it('takes the place of one that is gone, asked for by an admin on its machine', async () => {
    const replaced = await joining(7, '--replace', '3')
    expect(replaced.out).toContain('members 0, 1, 2, 7, 4, 5, 6;')
    expect(replaced).toMatchObject({ code: 0, out: expect.stringContaining('it is member 7 from epoch 2 on') })
    await cluster.start(7)
    await Promise.all([cluster.kill(0), cluster.kill(1)])
    expect(await quorate('put', 'k', 'without three')).toMatchObject({ code: 0 })
  })

  it('is refused where its file is of members that are so no more, and is told what to do', async () => {
    const stale = await quorate('member', 'add', join(root, 'kept.json'))
    expect(stale).toMatchObject({ code: 2, error: expect.stringContaining('run quorate member join again') })
  })

  it.each([
    [['--index', '2', '--address', '/ip4/127.0.0.1/tcp/1'], '--index must be a whole number from 4 to 9999'],
    [['--index', '8'], 'name with --address where it is reached'],
    [['--index', '8', '--address', 'here'], '--address "here":'],
    [['--index', '8', '--address', '/ip4/127.0.0.1/tcp/1', '--add', '--replace', '1'], 'exclude one another'],
  ])('is not made for what makes no sense: %j', async (args, sentence) => {
    const run = await quorate('member', 'join', ...args)
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
  })
})

describe('a member', () => {
  it('has another key from the next epoch on, and erases the old one by itself', async () => {
    const folder = join(cluster.folder, 'replica-2')
    const before = await readFile(join(folder, 'consensus.pem'), 'utf8')
    const rotated = await quorate('member', 'rotate-key', folder)
    expect(rotated).toMatchObject({ code: 0, out: expect.stringContaining('epoch 3 began') })
    await cluster.until('the old key is gone', () => readdirSync(folder).every((name) => name !== 'next-consensus.pem'))
    expect(await readFile(join(folder, 'consensus.pem'), 'utf8')).not.toBe(before)
    await cluster.kill(2)
    await cluster.start(2)
    expect(await quorate('put', 'k', 'under another key')).toMatchObject({ code: 0 })
  })

  it('whose store is lost says by which command a new one takes its place, and that does it', async () => {
    for (const index of [0, 1]) await cluster.start(index)
    await cluster.stop(2)
    await rm(join(cluster.folder, 'replica-2', 'data'), { recursive: true })
    const refused = await quorate('replica', cluster.folder, '--index', '2')
    expect(refused.code).toBe(1)
    const [, line = ''] = /put a new replica in its place: quorate (.*)/.exec(refused.error) ?? []
    expect(line).toMatch(/^member join --cluster .* --index 8 --replace 2 --address /)
    const joined = await quorate(...line.split(' '))
    expect(joined).toMatchObject({ code: 0, out: expect.stringContaining('it is member 8 from epoch 4 on') })
    await cluster.start(8)
    expect(await quorate('put', 'k', 'under a new replica')).toMatchObject({ code: 0 })
  })
})

it('a replica asks for its own admission where an admin wants it to, and is no member before the epoch that names it', async () => {
  const joined = await quorate('member', 'join', '--index', '9', '--address', '/ip4/127.0.0.1/tcp/1', '--add')
  expect(joined).toMatchObject({ code: 0, out: expect.stringContaining('accepted: epoch 5 begins after slot') })
  expect(joined.out).toContain('it is member 9 from epoch 5 on: start it with quorate replica --index 9')
  expect(await quorate('put', 'k', 'with one more')).toMatchObject({ code: 0 })
})

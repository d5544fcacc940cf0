// A disk that is full, and strangers at the door: one clear sentence, and everybody else goes on.

import { execFileSync, spawnSync } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Harness } from './harness.ts'

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

/** Sets how large a file a running process may write; util-linux has it, other systems do not. */
const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0
const STRANGERS = 500

describe('four replicas', () => {
  it.runIf(hasPrlimit)(
    'go on without the one whose disk is full, which says so and comes back when there is room',
    async () => {
      harness = await Harness.start({ replicas: 4 })
      const { cluster } = harness
      const load = await harness.load()
      await harness.answered(load, 100)
      const full = ((cluster.leader() ?? 0) + 1) % 4
      execFileSync('prlimit', ['--pid', String(cluster.pid(full)), '--fsize=1'])
      await cluster.until('it has ended', () => cluster.ending(full) !== undefined)
      expect(cluster.ending(full)?.text).toMatch(/^exit 1: .*(?:EFBIG|ENOSPC|large|full|space)/)
      await harness.answered(load, 200)
      await cluster.start(full)
      await harness.verdict()
      expect(harness.honest()).toHaveLength(4)
    },
  )

  it('go on while strangers send garbage, lengths of 2 GiB, and nothing at all', async () => {
    harness = await Harness.start({ replicas: 4 })
    const { cluster } = harness
    const load = await harness.load()
    await harness.answered(load, 50)
    const address = cluster.genesis.members[0]?.addresses[0] ?? ''
    const port = Number(address.split('/').at(-1))
    const said = [
      Buffer.alloc(0),
      Buffer.alloc(4096, 0xa5),
      Buffer.from('ffffffff07', 'hex'),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]
    const sockets = Array.from({ length: STRANGERS }, (_, i): Socket => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {}).write(said[i % said.length] ?? '')
      return socket
    })
    await harness.answered(load, 200)
    for (const socket of sockets) socket.destroy()
    await harness.verdict()
    expect(cluster.indexes.map((index) => cluster.ending(index))).toEqual([undefined, undefined, undefined, undefined])
  })
})

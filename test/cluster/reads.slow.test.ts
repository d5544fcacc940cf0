// Reads beside the log from real processes over libp2p: fresh before and after the leader is killed, whoever answers.

import { afterEach, describe, expect, it } from 'vitest'
import { fromUtf8 } from '../../crypto/index.ts'
import type { Client } from '../../src/client/index.ts'
import { Harness } from './harness.ts'

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

describe('real replicas', () => {
  it.each([
    ['quorum', { replicas: 4 }],
    ['lease', { replicas: 3, byzantine: 0 }],
  ] as const)(
    'answer %s reads without the log, and what was written last, also when the leader was killed',
    async (mode, group) => {
      const made = await Harness.start(group)
      harness = made
      const client = await made.connect()
      await client.put('k', 'one')
      await readAside(client, mode, 'one')
      await made.cluster.kill(made.cluster.leader() ?? 0)
      await client.put('k', 'two')
      await readAside(client, mode, 'two')
    },
  )
})

/** Reads until it need not go through the log; every answer on the way has to be the newest as well. */
async function readAside(client: Client, mode: 'quorum' | 'lease', expected: string): Promise<void> {
  for (;;) {
    const { value, evidence } = await client.get('k', { read: mode })
    expect(fromUtf8(value?.value ?? new Uint8Array(0))).toBe(expected)
    if (evidence.mode === mode) return
  }
}

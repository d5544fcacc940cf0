import { decode, encode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { describe, expect, it } from 'vitest'
import type { NetLimits } from '../../net/index.ts'
import { Attacker } from './attacker.ts'
import { type Harness, transportCompliance } from './compliance.ts'
import { Loopback } from './libp2p-support.ts'
import { rosterCompliance } from './roster-compliance.ts'
import { frame, HeardByReplica, textOf } from './support.ts'

function makeHarness(limits: Partial<NetLimits>): Harness {
  const loopback = new Loopback(limits)
  return {
    replica: (index, roster) => loopback.replica(index, roster === undefined ? {} : { roster }),
    client: (name) => loopback.client(name),
  }
}

transportCompliance('libp2p on 127.0.0.1', makeHarness)
rosterCompliance('libp2p on 127.0.0.1', makeHarness)

describe('the streams of libp2p', () => {
  it('are what it-pipe and it-length-prefixed make of them, for whoever writes a client with those', async () => {
    const loopback = new Loopback()
    const [transport, heard] = [loopback.replica(0), new HeardByReplica()]
    heard.onClientFrame = (link, bytes) => link.send(frame(`answer to ${textOf(bytes)}`))
    await transport.start(heard)
    const other = await Attacker.start('client admin')
    try {
      const stream = await other.open(await other.connect(loopback.port(0)), 'client')
      for (const bytes of encode([frame('one'), frame('two'), new Uint8Array(300).fill(0x78)])) stream.send(bytes)
      const answers: string[] = []
      await pipe(
        stream,
        (source) => decode(source),
        async (frames) => {
          for await (const each of frames) {
            answers.push(textOf(each.subarray()))
            if (answers.length === 3) return
          }
        },
      )
      expect(answers).toEqual(['answer to one', 'answer to two', `answer to ${'x'.repeat(300)}`])
    } finally {
      await Promise.all([other.stop(), transport.stop()])
    }
  })
})

// A libp2p node of its own making, for what no honest end would do: raw bytes on streams, beneath them, and streams
// without end.

import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Connection, MessageStream, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { hex } from '../../crypto/index.ts'
import { seedNamed } from '../keys/sample.ts'
import { GENESIS } from './support.ts'

export type Channel = 'consensus' | 'transfer' | 'client'

export function protocol(channel: Channel): string {
  return `/quorate/${hex(GENESIS.clusterId).slice(0, 16)}/${channel}/1.0.0`
}

export class Attacker {
  readonly node: Libp2p
  /** What lies beneath yamux, by connection in the order of making. */
  readonly beneath: MessageStream[]

  private constructor(node: Libp2p, beneath: MessageStream[]) {
    this.node = node
    this.beneath = beneath
  }

  /** With the key of the seed called `name`. */
  static async start(name: string): Promise<Attacker> {
    const beneath: MessageStream[] = []
    const muxer = yamux({ maxOutboundStreams: 100_000, enableKeepAlive: false })()
    const node = await createLibp2p({
      privateKey: await generateKeyPairFromSeed('Ed25519', seedNamed(name)),
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [
        () => ({
          protocol: muxer.protocol,
          createStreamMuxer: (connection) => {
            beneath.push(connection)
            return muxer.createStreamMuxer(connection)
          },
        }),
      ],
      connectionMonitor: { enabled: false },
    })
    // Takes whatever the other side opens, and says nothing.
    for (const channel of ['consensus', 'transfer'] as const) await node.handle(protocol(channel), () => undefined)
    return new Attacker(node, beneath)
  }

  /** Connects to a member. Rejects where it is turned away at once. */
  async connect(port: number): Promise<Connection> {
    return await this.node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), { force: true })
  }

  async open(connection: Connection, channel: Channel): Promise<Stream> {
    return await connection.newStream(protocol(channel), { maxOutboundStreams: 100_000 })
  }

  async stop(): Promise<void> {
    for (const connection of this.node.getConnections()) {
      try {
        connection.abort(new Error('the attack is over'))
      } catch {
        // Closed already, which is what the test is about.
      }
    }
    await this.node.stop()
  }
}

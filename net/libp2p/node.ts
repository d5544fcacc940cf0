// One libp2p node, with everything switched off that would act on its own: no discovery, no redialling, no pruning,
// no pings over streams. Who is dialled, kept and dropped is decided in this folder alone.

import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { ConnectionGater, Transport } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2p } from 'libp2p'
import { listenError } from '../errors.ts'
import type { NetLimits } from '../limits.ts'
import type { Guards } from './guard.ts'
import { noiseCrypto } from './noise-crypto.ts'

/** Beyond every count that libp2p compares with it; the bounds that count are ours, see gate.ts. */
const UNLIMITED = Number.MAX_SAFE_INTEGER

export interface NodeOptions {
  readonly seed: Uint8Array
  /** Multiaddrs; none for an end that dials only. */
  readonly listen: readonly string[]
  readonly limits: NetLimits
  readonly gater: ConnectionGater
  readonly guards: Guards
  /** TCP connections at once, where the system itself is to refuse more. */
  readonly maxConnections: number
}

export interface ListenFailure {
  readonly address: string
  readonly error: unknown
}

/** A node that is not started. `failures` gets what the system answered where it cannot listen. */
export async function makeNode(options: NodeOptions, failures: ListenFailure[]): Promise<Libp2p> {
  const { limits, listen, gater, guards, maxConnections } = options
  return await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    addresses: { listen: [...listen] },
    transports: [
      (components) =>
        reportingListener(
          tcp({ maxConnections, listenOpts: TCP_OPTIONS, dialOpts: TCP_OPTIONS })(components),
          failures,
        ),
    ],
    connectionEncrypters: [noise({ crypto: noiseCrypto })],
    streamMuxers: [guards.muxer()],
    connectionGater: gater,
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections: UNLIMITED,
      maxIncomingPendingConnections: UNLIMITED,
      inboundConnectionThreshold: UNLIMITED,
      reconnectRetries: 0,
      dialTimeout: limits.dialMs,
      addressDialTimeout: limits.dialMs,
      inboundUpgradeTimeout: limits.handshakeMs,
      inboundStreamProtocolNegotiationTimeout: limits.negotiationMs,
      outboundStreamProtocolNegotiationTimeout: limits.negotiationMs,
    },
  })
}

/** Starts `node`. @throws {NetError} where it cannot listen on one of its addresses; it is stopped then. */
export async function startNode(node: Libp2p, failures: readonly ListenFailure[]): Promise<void> {
  try {
    await node.start()
  } catch (error) {
    const [failure] = failures
    if (failure === undefined) throw error
    throw listenError(failure.address, failure.error)
  }
}

const TCP_OPTIONS = { noDelay: true, keepAlive: true }

/** libp2p tells of a failed listener only in a long text; this keeps the system's own answer. */
function reportingListener(transport: Transport, failures: ListenFailure[]): Transport {
  const createListener = transport.createListener.bind(transport)
  transport.createListener = (options) => {
    const listener = createListener(options)
    const listen = listener.listen.bind(listener)
    listener.listen = async (address) => {
      try {
        await listen(address)
      } catch (error) {
        failures.push({ address: address.toString(), error })
        throw error
      }
    }
    return listener
  }
  return transport
}

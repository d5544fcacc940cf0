// Who may connect. By counts before a key is proved; by the key, right after; nothing is negotiated with a stranger.

import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Counters } from '../counters.ts'
import type { NetLimits } from '../limits.ts'
import { oneWrite } from './one-write.ts'
import { withoutTraces } from './traces.ts'

export interface Gate {
  readonly gater: ConnectionGater
  /** Begins the next count of connections by host. */
  tick(): void
}

/** Hosts that are counted between two ticks; beyond, none more is let in, so that addresses to spare buy no memory. */
const MAX_HOSTS = 4096

/** `admit` decides by the key that was proved; it counts what it refuses. */
export function inboundGate(limits: NetLimits, counters: Counters, admit: (peer: PeerId) => boolean): Gate {
  /** Connections that have not proved a key, the oldest first. */
  const handshakes = new Set<MultiaddrConnection>()
  const byHost = new Map<string, number>()

  const countHost = (connection: MultiaddrConnection): boolean => {
    const host = connection.remoteAddr.getComponents()[0]?.value ?? ''
    const count = (byHost.get(host) ?? 0) + 1
    if (count > limits.maxInboundPerHost || (count === 1 && byHost.size === MAX_HOSTS)) return false
    byHost.set(host, count)
    return true
  }

  return {
    gater: {
      denyInboundConnection: (connection) => {
        tune(connection)
        if (!countHost(connection)) {
          counters.add('too-many-connections')
          return true
        }
        if (handshakes.size >= limits.maxHandshakes) {
          const [oldest] = handshakes
          counters.add('too-many-connections')
          if (oldest !== undefined) handshakes.delete(oldest)
          oldest?.abort(new Error('too many handshakes at once'))
        }
        handshakes.add(connection)
        connection.addEventListener('close', () => {
          if (handshakes.delete(connection)) counters.add('handshake-failed')
        })
        return false
      },
      denyInboundEncryptedConnection: (peer, connection) => {
        handshakes.delete(connection)
        return !admit(peer)
      },
      denyOutboundConnection: (_, connection) => {
        tune(connection)
        return false
      },
    },
    tick: () => byHost.clear(),
  }
}

/** For an end that dials only. */
export function outboundGate(): ConnectionGater {
  return {
    denyInboundConnection: () => true,
    denyOutboundConnection: (_, connection) => {
      tune(connection)
      return false
    },
  }
}

/** Before the handshake, while nobody else holds the connection. */
function tune(connection: MultiaddrConnection): void {
  oneWrite(connection)
  withoutTraces(connection)
}

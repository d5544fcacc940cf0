import type { ClientTransport } from '../transport.ts'
import type { ClientTransportOptions } from './options.ts'

export function libp2pClientTransport(_options: ClientTransportOptions): ClientTransport {
  throw new Error('to come with the next change')
}

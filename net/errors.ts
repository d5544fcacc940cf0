// What can go wrong with the network and is the user's to repair. The message is for people: what is wrong, and what
// to do.

export type NetErrorCode =
  /** Another process listens there. */
  | 'port-in-use'
  /** No interface of this host has the address. */
  | 'address-unavailable'
  /** The system lets only a privileged user listen there. */
  | 'not-permitted'
  /** The host name has no address. */
  | 'cannot-resolve'
  | 'cannot-listen'
  /** Nobody answers at a member's address. */
  | 'unreachable'
  /** Somebody answers there, with a key that is not the member's. */
  | 'wrong-identity'
  /** The other side ended the connection before it was set up: it may not know this key, or be busy. */
  | 'refused'

export class NetError extends Error {
  override readonly name = 'NetError'
  readonly code: NetErrorCode

  constructor(code: NetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Why `address` could not be listened on, from what the system answered. */
export function listenError(address: string, cause: unknown): NetError {
  const at = readable(address)
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return new NetError('port-in-use', `${at} is already in use; is another replica running?`, { cause })
    case 'EADDRNOTAVAIL':
      return new NetError(
        'address-unavailable',
        `cannot listen on ${at}: this host has no such address; name one of its own to listen on`,
        { cause },
      )
    case 'EACCES':
    case 'EPERM':
      return new NetError(
        'not-permitted',
        `cannot listen on ${at}: permission denied; ports below 1024 need a privileged user`,
        { cause },
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new NetError('cannot-resolve', `cannot listen on ${at}: the name has no address; check it, and the DNS`, {
        cause,
      })
    default:
      return new NetError('cannot-listen', `cannot listen on ${at}: ${messageOf(cause)}`, { cause })
  }
}

/** Why `who` could not be reached at `address`. */
export function dialError(who: string, address: string, cause: unknown): NetError {
  const at = readable(address)
  const text = messageOf(cause)
  if (text.includes('does not match expected remote identity key')) {
    return new NetError(
      'wrong-identity',
      `what answers on ${at} is not ${who}: it proved another key; does the genesis name the right address?`,
      { cause },
    )
  }
  switch (codeOf(cause)) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new NetError('cannot-resolve', `cannot reach ${who}: the name in ${at} has no address`, { cause })
    case 'ECONNREFUSED':
      return new NetError('unreachable', `cannot reach ${who} on ${at}: nobody listens there; is it running?`, {
        cause,
      })
    case undefined:
      return new NetError('refused', `${who} on ${at} ended the connection while it was set up: ${text}`, { cause })
    default:
      return new NetError('unreachable', `cannot reach ${who} on ${at}: ${text}`, { cause })
  }
}

/** "port 7400 on 127.0.0.1" for /ip4/127.0.0.1/tcp/7400; any other address as it is. */
export function readable(address: string): string {
  const [, host, port] = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/([0-9]+)(?:\/|$)/.exec(address) ?? []
  return host === undefined || port === undefined ? address : `port ${port} on ${host}`
}

function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

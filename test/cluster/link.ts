// The wire between two members, to be cut and joined again: each dials the other through a proxy of its own.

import { createServer, connect as dial, type Socket } from 'node:net'

export class Link {
  private readonly sockets = new Set<Socket>()
  private readonly servers: ReturnType<typeof createServer>[] = []
  private isCut = false

  /** A multiaddr that leads to `address` while the link is whole. */
  async proxyTo(address: string): Promise<string> {
    const port = Number(/\/tcp\/(\d+)$/.exec(address)?.[1])
    const server = createServer((inner) => {
      if (this.isCut) {
        inner.destroy()
        return
      }
      const outer = dial(port, '127.0.0.1')
      for (const [one, other] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        this.sockets.add(one)
        one
          .on('error', () => other.destroy())
          .on('close', () => {
            this.sockets.delete(one)
            other.destroy()
          })
        one.pipe(other)
      }
    })
    this.servers.push(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('a TCP server has a port')
    return `/ip4/127.0.0.1/tcp/${bound.port}`
  }

  /** Breaks what goes through it, and lets nothing through until {@link join}. */
  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  join(): void {
    this.isCut = false
  }

  async close(): Promise<void> {
    this.cut()
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

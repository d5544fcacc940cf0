// Loopback ports that nobody uses right now.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below the range from which Linux and macOS take the ports of outgoing connections, so that none of those gets in between. */
const LOWEST = 20_000
const HIGHEST = 32_000
const MOST_TRIES = 1000

/** `count` different ports of 127.0.0.1 that could be listened on a moment ago. @throws {Error} where there are none. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  for (let tries = 0; found.size < count; tries++) {
    if (tries === MOST_TRIES) throw new Error(`no ${count} free ports from ${LOWEST} to ${HIGHEST}`)
    const port = randomInt(LOWEST, HIGHEST)
    if (await isFree(port)) found.add(port)
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

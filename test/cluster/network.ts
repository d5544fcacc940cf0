// Several hosts on one machine: network namespaces on a bridge, with links that are cut one way or both, and delay and loss where the
// kernel has netem. Needs root and Linux; everything is made here and taken away by `remove`.

import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { promisify } from 'node:util'
import type { Host } from '../../src/cli/launch/local-cluster.ts'

const run = promisify(execFile)

/** Every packet that leaves a host: so late, with so much chance of being later or lost. */
export interface Weather {
  readonly delayMs: number
  readonly jitterMs: number
  readonly lossPercent: number
}

/** Why there can be no network here; undefined where there can. */
export async function networkRefusal(): Promise<string | undefined> {
  const name = `q${randomInt(1e6)}`
  try {
    await run('ip', ['netns', 'add', name])
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    return missing ? 'no command `ip` here (package iproute2)' : `no network namespaces here: ${textOf(error)}`
  }
  await run('ip', ['netns', 'del', name])
  return undefined
}

export class Network {
  readonly hosts: readonly Host[]
  private readonly name: string
  private readonly subnet: string
  private readonly cuts = new Set<string>()

  private constructor(name: string, subnet: string, hosts: readonly Host[]) {
    this.name = name
    this.subnet = subnet
    this.hosts = hosts
  }

  /** `count` hosts that reach one another, and are reached from here. @throws {Error} where {@link networkRefusal} says why. */
  static async make(count: number): Promise<Network> {
    // Two test runs at once must not meet: names and addresses are drawn.
    const id = randomInt(256)
    const [name, subnet] = [`q${process.pid}x${id}`, `10.203.${id}`]
    const indexes = Array.from({ length: count }, (_, i) => i)
    const hosts = indexes.map((i) => ({ ip: `${subnet}.${i + 1}`, within: ['ip', 'netns', 'exec', `${name}-${i}`] }))
    const network = new Network(name, subnet, hosts)
    try {
      await network.build()
      return network
    } catch (error) {
      await network.remove()
      throw error
    }
  }

  /** False where this kernel cannot: then there is neither delay nor loss. */
  async weather({ delayMs, jitterMs, lossPercent }: Weather): Promise<boolean> {
    const netem = ['delay', `${delayMs}ms`, `${jitterMs}ms`, 'loss', `${lossPercent}%`]
    for (const i of this.hosts.keys()) {
      try {
        await this.inside(i, 'tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'netem', ...netem)
      } catch (error) {
        console.warn(`without delay and loss: this kernel has no netem (${textOf(error)})`)
        return false
      }
    }
    return true
  }

  /** Nothing that `from` sends reaches `to` any more; the other way is as it was. */
  async cut(from: number, to: number): Promise<void> {
    const name = `${from}>${to}`
    if (this.cuts.has(name)) return
    this.cuts.add(name)
    await this.inside(from, 'ip', 'route', 'add', 'blackhole', `${this.subnet}.${to + 1}/32`)
  }

  async mend(from: number, to: number): Promise<void> {
    if (!this.cuts.delete(`${from}>${to}`)) return
    await this.inside(from, 'ip', 'route', 'del', 'blackhole', `${this.subnet}.${to + 1}/32`)
  }

  /** Takes all of it away, whatever of it there is. */
  async remove(): Promise<void> {
    const names = [...this.hosts.keys()].map((i) => `${this.name}-${i}`)
    for (const name of [...names, `${this.name}-hub`]) await run('ip', ['netns', 'del', name]).catch(() => undefined)
    await run('ip', ['link', 'del', this.here]).catch(() => undefined)
  }

  /** The interface by which this process reaches the hosts; its name has at most 15 characters. */
  private get here(): string {
    return `${this.name.slice(-12)}h`
  }

  private async build(): Promise<void> {
    const hub = `${this.name}-hub`
    await run('ip', ['netns', 'add', hub])
    await run('ip', ['-n', hub, 'link', 'add', 'br0', 'type', 'bridge'])
    await run('ip', ['-n', hub, 'link', 'set', 'br0', 'up'])
    await run('ip', ['link', 'add', this.here, 'type', 'veth', 'peer', 'name', 'here', 'netns', hub])
    await run('ip', ['-n', hub, 'link', 'set', 'here', 'master', 'br0', 'up'])
    await run('ip', ['addr', 'add', `${this.subnet}.254/24`, 'dev', this.here])
    await run('ip', ['link', 'set', this.here, 'up'])
    for (const [i, { ip }] of this.hosts.entries()) {
      const host = `${this.name}-${i}`
      await run('ip', ['netns', 'add', host])
      await run('ip', ['-n', host, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `host${i}`, 'netns', hub])
      await run('ip', ['-n', hub, 'link', 'set', `host${i}`, 'master', 'br0', 'up'])
      await run('ip', ['-n', host, 'addr', 'add', `${ip}/24`, 'dev', 'eth0'])
      await run('ip', ['-n', host, 'link', 'set', 'eth0', 'up'])
      await run('ip', ['-n', host, 'link', 'set', 'lo', 'up'])
    }
  }

  private async inside(host: number, ...command: readonly string[]): Promise<void> {
    await run('ip', ['netns', 'exec', `${this.name}-${host}`, ...command])
  }
}

function textOf(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  return text.trim().split('\n').at(-1) ?? text
}

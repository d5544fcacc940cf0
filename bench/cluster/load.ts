// A load on a cluster. Closed loop: each caller asks again when it was answered. Open loop: requests are due at a fixed rate, whatever
// became of the ones before, and a latency counts from when its request was due, so that a cluster that stalls is charged for all
// that it kept waiting (no coordinated omission).

import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '../../src/client/index.ts'
import { Caller, outcomeOf } from './caller.ts'
import type { Measured } from './messages.ts'
import type { Setting } from './settings.ts'
import { Window } from './window.ts'

/** Milliseconds that a caller rests after a failure: what is refused at once would be asked again at once, for ever. */
const REST_MS = 20
/** Values of each caller that are read back. */
const READ_BACK = 16

export class Load {
  /** What is neither an outcome nor expected. */
  failure: unknown
  private readonly setting: Setting
  private readonly clients: readonly Client[]
  private readonly callers: Caller[] = []
  private readonly keysEach: number
  private readonly running: Promise<void>[] = []
  private window: Window | undefined
  /** Of the open loop: whoever is free, requests under way, and those of them that the window waits for. */
  private readonly idle: Caller[] = []
  private underWay = 0
  private awaited = 0
  private stopping = false

  constructor(clients: readonly Client[], setting: Setting) {
    const callers = setting.rate === undefined ? setting.clients * setting.outstanding : setting.clients * 16
    this.setting = setting
    this.clients = clients
    this.keysEach = Math.max(1, Math.floor(setting.keys / callers))
    for (let i = 0; i < callers; i++) this.callers.push(this.caller(i))
    this.idle.push(...this.callers)
  }

  /** Writes what is to be read. Resolves with the last slot of that. */
  async fill(): Promise<number> {
    return Math.max(0, ...(await Promise.all(this.callers.map((caller) => caller.fill()))))
  }

  start(): void {
    const { rate } = this.setting
    const work = rate === undefined ? this.callers.map((caller) => this.loop(caller)) : [this.pace(rate)]
    this.running.push(...work.map((each) => each.catch((error: unknown) => this.fail(error))))
  }

  /** @throws what is neither an outcome nor expected. */
  async measure(seconds: number): Promise<Measured> {
    const window = new Window(performance.now())
    const before = this.counters()
    this.window = window
    await pause(seconds * 1000)
    const counters = [...this.counters()].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
    window.close(performance.now(), Object.fromEntries(counters))
    while (this.awaited > 0 && this.failure === undefined) await pause(5)
    this.window = undefined
    if (this.failure !== undefined) throw this.failure
    return window.result()
  }

  /** Ends the load, and reads back some of what was acknowledged. @throws {WrongValue} */
  async finish(): Promise<number> {
    this.stopping = true
    await Promise.all(this.running)
    while (this.underWay > 0) await pause(5)
    if (this.failure !== undefined) throw this.failure
    const checked = await Promise.all(this.callers.map((caller) => caller.readBack(READ_BACK)))
    return checked.reduce((sum, each) => sum + each, 0)
  }

  private async loop(caller: Caller): Promise<void> {
    while (!this.stopping) {
      const begunMs = performance.now()
      const answered = await this.ask(caller)
      const nowMs = performance.now()
      if (answered && this.window?.holds(nowMs) === true) this.window.took(nowMs - begunMs)
      if (!answered) await pause(REST_MS)
    }
  }

  private async pace(rate: number): Promise<void> {
    let dueMs = performance.now()
    while (!this.stopping) {
      const nowMs = performance.now()
      for (; dueMs <= nowMs; dueMs += 1000 / rate) this.begin(dueMs)
      await pause(Math.max(1, dueMs - performance.now()))
    }
  }

  private begin(dueMs: number): void {
    const caller = this.idle.pop() ?? this.another()
    const window = this.window?.holds(dueMs) === true ? this.window : undefined
    this.underWay++
    if (window !== undefined) this.awaited++
    const run = async () => {
      await this.ask(caller)
      // One that failed counts with the time that it took to fail: leaving it out would flatter the cluster.
      window?.took(performance.now() - dueMs)
    }
    run()
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.underWay--
        if (window !== undefined) this.awaited--
        this.idle.push(caller)
      })
  }

  /** True where it was answered. @throws what is no outcome. */
  private async ask(caller: Caller): Promise<boolean> {
    try {
      await caller.next()
      this.window?.done(performance.now())
      return true
    } catch (error) {
      const outcome = outcomeOf(error)
      if (outcome === undefined) throw error
      this.window?.failed(outcome)
      return false
    }
  }

  /**
   * For a request that is due while all are busy. Those that only read may do so twice at once, and know their keys. Others have one key: were
   * it as many as the first have, each time that a cluster falls behind would make its state larger.
   */
  private another(): Caller {
    const reader = this.setting.operation === 'get' ? this.callers[this.underWay % this.callers.length] : undefined
    if (reader !== undefined) return reader
    const caller = this.caller(this.callers.length, 1)
    this.callers.push(caller)
    return caller
  }

  private caller(id: number, keys = this.keysEach): Caller {
    const client = this.clients[id % this.clients.length]
    if (client === undefined) throw new Error('a load without clients')
    return new Caller({ client, id, keys, setting: this.setting })
  }

  /** Of all clients together. */
  private counters(): Map<string, number> {
    const sums = new Map<string, number>()
    for (const client of this.clients) {
      for (const [name, count] of Object.entries(client.counters())) sums.set(name, (sums.get(name) ?? 0) + count)
    }
    return sums
  }

  private fail(error: unknown): void {
    this.failure ??= error
    this.stopping = true
  }
}

// Clients that write, read and delete at random, and remember what they asked and were told: the evidence for linearizability.

import type { Client } from '../../client/index.ts'
import type { ClientAnswer, ClientCommand, Operation } from '../../simulation/index.ts'

export interface LoadOptions {
  readonly client: Client
  /** Requests in flight at once. */
  readonly workers: number
  /** Different keys. Few, so that operations meet; each begins with `prefix`. */
  readonly keys: number
  readonly prefix: string
  /** Decides which operation comes next; the same seed asks the same of every worker. */
  readonly seed: number
  /** Milliseconds after which an outcome counts as unknown. */
  readonly timeoutMs: number
  /** Milliseconds that a worker rests after each answer; 0 for as fast as it goes. */
  readonly restMs?: number
  /** Numbers the client in the history. */
  readonly id?: number
  /** Called after each answer. */
  readonly onDone?: (load: Load) => void
}

/** Errors that say of an operation that it was not executed. */
const REFUSED = 'Refused'
const UNKNOWN = 'OutcomeUnknown'

export class Load {
  readonly operations: Operation[] = []
  done = 0
  unknown = 0
  /** What ended a worker, which is neither a refusal nor an unknown outcome. */
  failure: unknown
  /** Time of the last answer, and the longest time without any since {@link mark}. */
  private lastUs = nowUs()
  private longestUs = 0
  private readonly options: LoadOptions
  private readonly running: Promise<void>[] = []
  private stopping = false
  private sequence = 0

  constructor(options: LoadOptions) {
    this.options = options
  }

  start(): void {
    for (let worker = 0; worker < this.options.workers; worker++) {
      const work = this.work(worker)
      work.catch((error: unknown) => {
        this.failure ??= error
      })
      this.running.push(work)
    }
  }

  /** Asks nothing more, and resolves when everything asked has an outcome. @throws what is neither a refusal nor unknown. */
  async stop(): Promise<void> {
    this.stopping = true
    await Promise.all(this.running)
  }

  /** Begins to measure the longest time without an answer. */
  mark(): void {
    this.longestUs = 0
    this.lastUs = nowUs()
  }

  /** Milliseconds: the longest time without an answer since {@link mark}, one that still lasts included. */
  longestPauseMs(): number {
    return Math.max(this.longestUs, nowUs() - this.lastUs) / 1000
  }

  private async work(worker: number): Promise<void> {
    const { keys, prefix, seed, restMs = 0 } = this.options
    const random = chance(seed * 1009 + worker)
    for (let i = 0; !this.stopping; i++) {
      const key = `${prefix}${Math.floor(random() * keys)}`
      const kind = random()
      const value = `${this.options.id ?? 0}.${worker}.${i}`
      const command: ClientCommand =
        kind < 0.5 ? { kind: 'put', key, value } : kind < 0.9 ? { kind: 'get', key } : { kind: 'delete', key }
      await this.ask(command)
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    }
  }

  private async ask(command: ClientCommand): Promise<void> {
    const operation: Operation = {
      ...{ client: this.options.id ?? 0, sequence: ++this.sequence, command, invokedUs: nowUs() },
      ...{ returnedUs: undefined, outcome: 'unknown', answer: undefined, slot: undefined, index: undefined },
      givenUp: false,
    }
    this.operations.push(operation)
    try {
      const { slot, index, answer } = await this.call(command)
      operation.outcome = 'done'
      operation.returnedUs = nowUs()
      operation.answer = answer
      operation.slot = slot
      operation.index = index
      this.done++
      this.longestUs = Math.max(this.longestUs, operation.returnedUs - this.lastUs)
      this.lastUs = operation.returnedUs
    } catch (error) {
      const name = error instanceof Error ? error.name : ''
      if (name !== REFUSED && name !== UNKNOWN) throw error
      operation.returnedUs = nowUs()
      if (name === REFUSED) operation.outcome = 'refused'
      else {
        operation.givenUp = true
        operation.returnedUs = undefined
        this.unknown++
      }
    }
    this.options.onDone?.(this)
  }

  private async call(command: ClientCommand): Promise<{ slot: number; index: number; answer: ClientAnswer }> {
    const { client, timeoutMs } = this.options
    switch (command.kind) {
      case 'put': {
        const { slot, receipt } = await client.put(command.key, command.value, { timeoutMs })
        return { slot, index: receipt.index, answer: { kind: 'put' } }
      }
      case 'get': {
        const { slot, receipt, value } = await client.get(command.key, { timeoutMs })
        const text = value === undefined ? undefined : Buffer.from(value.value).toString()
        return { slot, index: receipt.index, answer: { kind: 'get', value: text } }
      }
      case 'delete': {
        const { slot, receipt, value } = await client.delete(command.key, { timeoutMs })
        return { slot, index: receipt.index, answer: { kind: 'delete', deleted: value.deleted } }
      }
      case 'swap':
      case 'leased':
        throw new Error('unreachable: the load swaps nothing and knows no leases')
    }
  }
}

function nowUs(): number {
  return Math.round(performance.now() * 1000)
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

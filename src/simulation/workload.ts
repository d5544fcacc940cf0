// What simulated clients ask: reads, writes, deletes and compare-and-set on few keys, so that they collide, with values that are
// never written twice, so that every read names the write it saw.

import { fromUtf8, utf8 } from '../../crypto/index.ts'
import { decodeKvResult, encodeKvCommand, type KvCommand } from '../machine/index.ts'
import type { ClientAnswer, ClientCommand, Operation } from './history.ts'
import type { Random } from './kernel/index.ts'
import { LeasedWorkload } from './leased-workload.ts'
import type { WorkloadSettings } from './scenario.ts'

export class Workload {
  private readonly settings: WorkloadSettings
  private readonly client: number
  private readonly random: Random
  /** What this client last knew of each key. */
  private readonly known = new Map<string, string | undefined>()
  private readonly leased: LeasedWorkload
  /** Streams of their own: without leases everything else is drawn as ever. */
  private readonly leasedDie: Random

  constructor(settings: WorkloadSettings, client: number, random: Random) {
    this.settings = settings
    this.client = client
    this.random = random
    this.leased = new LeasedWorkload(settings.leaseTtlMs ?? 0, random.fork('leases'))
    this.leasedDie = random.fork('leased die')
  }

  /** The command of this number. */
  next(sequence: number): ClientCommand {
    const value = `c${this.client}.${sequence}`
    const { leases = 0 } = this.settings
    return leases > 0 && this.leasedDie.below(100) < leases ? this.leased.next(value) : this.command(value)
  }

  /** Two commands under one number, each writing another value: the act of a faulty client. */
  nextTwo(sequence: number): ClientCommand[] {
    return ['a', 'b'].map((copy) => {
      const key = `k${this.random.below(this.settings.keys)}`
      return { kind: 'put', key, value: `c${this.client}.${sequence}${copy}` }
    })
  }

  /** Learns from an answer what to expect in a compare-and-set. */
  saw(operation: Operation): void {
    const { command, answer } = operation
    this.leased.saw(operation)
    if (answer === undefined || answer.kind === 'leased' || command.kind === 'leased') return
    if (answer.kind === 'get') this.known.set(command.key, answer.value)
    else if (answer.kind === 'delete') this.known.delete(command.key)
    else if ('value' in command && (answer.kind === 'put' || answer.swapped)) this.known.set(command.key, command.value)
  }

  private command(value: string): ClientCommand {
    const { keys, reads, deletes, swaps } = this.settings
    const key = `k${this.random.below(keys)}`
    const die = this.random.below(100)
    if (die < reads) return { kind: 'get', key }
    if (die < reads + deletes) return { kind: 'delete', key }
    if (die < reads + deletes + swaps) return { kind: 'swap', key, expected: this.known.get(key), value }
    return { kind: 'put', key, value }
  }
}

export function commandBytes(command: ClientCommand): Uint8Array {
  return encodeKvCommand(kvCommand(command))
}

/** The answer in a result of the machine. @throws {Error} where it is none for this command: a defect of the machine. */
export function answerOf(command: ClientCommand, result: Uint8Array): ClientAnswer {
  const response = decodeKvResult(result)?.response
  if (response !== undefined && command.kind === 'leased') return { kind: 'leased', response }
  if (response?.kind === 'get' && command.kind === 'get') {
    const value = response.entry && fromUtf8(response.entry.value)
    return { kind: 'get', value }
  }
  if (response?.kind === 'put' && command.kind === 'put') return { kind: 'put' }
  if (response?.kind === 'delete' && command.kind === 'delete') return { kind: 'delete', deleted: response.count > 0 }
  if (response?.kind === 'txn' && command.kind === 'swap') return { kind: 'swap', swapped: response.succeeded }
  throw new Error(`machine: expected an answer to ${command.kind}, got ${response?.kind ?? 'none'}`)
}

function kvCommand(command: ClientCommand): KvCommand {
  const key = utf8(command.key)
  switch (command.kind) {
    case 'get':
      return { kind: 'get', key }
    case 'put':
      return { kind: 'put', key, value: utf8(command.value), previous: false }
    case 'delete':
      return { kind: 'delete', key, previous: false }
    case 'leased':
      return command.command
    case 'swap': {
      const put = { kind: 'put', key, value: utf8(command.value), previous: false } as const
      const holds =
        command.expected === undefined
          ? ({ relation: '=', key, target: 'version', number: 0 } as const)
          : ({ relation: '=', key, target: 'value', value: utf8(command.expected) } as const)
      return { kind: 'txn', compares: [holds], success: [put], failure: [] }
    }
  }
}

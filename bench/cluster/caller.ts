// One caller: it has keys of its own, so that it knows what each must hold, and asks for one thing at a time.

import type { Client, ReadMode } from '../../src/client/index.ts'
import type { Setting } from './settings.ts'

/** Neither is a fault of the benchmark: both are outcomes of a call. */
const OUTCOMES: readonly string[] = ['Refused', 'OutcomeUnknown', 'ResultForgotten']

const READ_TRIES = 5

/** A value that was read and is not what was written. */
export class WrongValue extends Error {
  override readonly name = 'WrongValue'
}

export interface CallerOptions {
  readonly client: Client
  readonly id: number
  readonly keys: number
  readonly setting: Setting
}

export class Caller {
  readonly client: Client
  readonly id: number
  private readonly setting: Setting
  /** The number of the last value that was acknowledged of each key; undefined where that is not known. */
  private readonly known: (number | undefined)[] = []
  private readonly keys: number
  private turns = 0

  constructor({ client, id, keys, setting }: CallerOptions) {
    this.client = client
    this.id = id
    this.keys = keys
    this.setting = setting
  }

  /** The next of its operations. @throws {WrongValue}, and what the client throws. */
  async next(): Promise<void> {
    const turn = this.turns++
    if (this.setting.operation === 'put') await this.put(turn % this.keys, turn)
    else await this.check(turn % this.keys, this.setting.read)
  }

  /** Writes the first value of each key. Resolves with the slot of the last. */
  async fill(): Promise<number> {
    let slot = 0
    for (let key = 0; key < this.keys; key++) slot = await this.put(key, this.turns++)
    return slot
  }

  /** Reads back what was acknowledged, one key after the other, at most so many. Resolves with how many that were. @throws {WrongValue} */
  async readBack(most: number): Promise<number> {
    let checked = 0
    for (let key = 0; key < this.keys && checked < most; key++) {
      if (this.known[key] === undefined) continue
      await this.check(key, 'quorum')
      checked++
    }
    return checked
  }

  private async put(key: number, version: number): Promise<number> {
    this.known[key] = undefined
    const { slot } = await this.client.put(this.nameOf(key), this.valueOf(version))
    this.known[key] = version
    return slot
  }

  private async check(key: number, read: ReadMode): Promise<void> {
    const { value } = await this.read(key, read)
    const version = this.known[key]
    if (version === undefined) return
    if (value === undefined || Buffer.compare(value.value, this.valueOf(version)) !== 0)
      throw new WrongValue(`${this.nameOf(key)} does not hold what was written last`)
  }

  /** A read that the log answered may find its result too long to be kept until it came through; then it is read again. */
  private async read(key: number, read: ReadMode) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.client.get(this.nameOf(key), { read })
      } catch (error) {
        if (tries === READ_TRIES || !(error instanceof Error && error.name === 'ResultForgotten')) throw error
      }
    }
  }

  private nameOf(key: number): string {
    return `bench/${this.id}/${key}`
  }

  /** As many bytes as asked for; they say whose they are as far as there is room. */
  private valueOf(version: number): Buffer {
    const value = Buffer.alloc(this.setting.size, 'x')
    value.write(`${this.id}.${version}.`)
    return value
  }
}

/** The name of an outcome; undefined for what is none, and ends the benchmark. */
export function outcomeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !OUTCOMES.includes(error.name)) return undefined
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name
}

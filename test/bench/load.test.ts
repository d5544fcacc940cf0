import { describe, expect, it } from 'vitest'
import { Caller, outcomeOf, WrongValue } from '../../bench/cluster/caller.ts'
import { Load } from '../../bench/cluster/load.ts'
import { type SettingOptions, sweepOf } from '../../bench/cluster/settings.ts'
import { type Client, Refused } from '../../src/client/index.ts'

/** A store of one process; `hold` keeps answers back until {@link FakeStore.release}. */
class FakeStore {
  readonly values = new Map<string, Uint8Array>()
  readonly reads: unknown[] = []
  hold = false
  refuse = false
  fault: Error | undefined
  /** Requests that were ever asked. */
  asked = 0
  private readonly held: (() => void)[] = []
  private readonly waiting: { readonly count: number; readonly done: () => void }[] = []

  readonly client = {
    put: async (key: string, value: Uint8Array) => {
      await this.turn()
      this.values.set(key, Uint8Array.from(value))
      return { slot: 7 }
    },
    get: async (key: string, options: unknown) => {
      this.reads.push(options)
      await this.turn()
      const value = this.values.get(key)
      return { value: value && { value } }
    },
    counters: () => ({ bundles: this.asked }),
  } as unknown as Client

  /** Resolves once so many requests were asked. */
  until(count: number): Promise<void> {
    return new Promise((done) => {
      this.waiting.push({ count, done })
    })
  }

  release(): void {
    this.hold = false
    for (const answer of this.held.splice(0)) answer()
  }

  private async turn(): Promise<void> {
    this.asked++
    for (const { count, done } of this.waiting) if (this.asked >= count) done()
    if (this.fault !== undefined) throw this.fault
    if (this.refuse) throw new Refused('busy', '', 'no room')
    if (this.hold) await new Promise<void>((answer) => this.held.push(answer))
    else await new Promise((next) => setImmediate(next))
  }
}

function settingOf(options: SettingOptions) {
  const [setting] = sweepOf(options).settings
  if (setting === undefined) throw new Error('no setting')
  return setting
}

describe('a caller', () => {
  it('writes values of the size asked for under its own keys in turn', async () => {
    const store = new FakeStore()
    const caller = new Caller({ client: store.client, id: 3, keys: 2, setting: settingOf({ size: '20' }) })
    for (let i = 0; i < 3; i++) await caller.next()
    expect([...store.values.keys()]).toEqual(['bench/3/0', 'bench/3/1'])
    expect(Buffer.from(store.values.get('bench/3/0') ?? '').toString()).toBe('3.2.xxxxxxxxxxxxxxxx')
    expect(await caller.readBack(16)).toBe(2)
    expect(await caller.readBack(1)).toBe(1)
  })

  it('finds a value that is not what was acknowledged last, also when it is gone', async () => {
    const store = new FakeStore()
    const caller = new Caller({ client: store.client, id: 0, keys: 1, setting: settingOf({}) })
    await caller.next()
    store.values.set('bench/0/0', Buffer.from('other'))
    await expect(caller.readBack(16)).rejects.toThrow(WrongValue)
    store.values.delete('bench/0/0')
    await expect(caller.readBack(16)).rejects.toThrow(WrongValue)
  })

  it('does not judge a key whose last write has no known outcome', async () => {
    const store = new FakeStore()
    const caller = new Caller({ client: store.client, id: 0, keys: 1, setting: settingOf({}) })
    await caller.next()
    store.refuse = true
    await expect(caller.next()).rejects.toThrow(Refused)
    store.refuse = false
    expect(await caller.readBack(16)).toBe(0)
  })

  it('reads in the mode asked for, and compares what it reads', async () => {
    const store = new FakeStore()
    const setting = settingOf({ operation: 'get', read: 'stale' })
    const caller = new Caller({ client: store.client, id: 0, keys: 1, setting })
    expect(await caller.fill()).toBe(7)
    await caller.next()
    expect(store.reads).toEqual([{ read: 'stale' }])
    store.values.set('bench/0/0', Buffer.from('other'))
    await expect(caller.next()).rejects.toThrow(WrongValue)
  })

  it('knows outcomes of a call from faults', () => {
    expect(outcomeOf(new Refused('busy', '', 'no room'))).toBe('Refused busy')
    expect(outcomeOf(new WrongValue('x'))).toBeUndefined()
    expect(outcomeOf(new TypeError('x'))).toBeUndefined()
  })
})

describe('a load', () => {
  it('in a closed loop asks no more at once than it has callers', async () => {
    const store = new FakeStore()
    store.hold = true
    const load = new Load([store.client], settingOf({ clients: '1', outstanding: '5' }))
    load.start()
    await new Promise((next) => setImmediate(next))
    expect(store.asked).toBe(5)
    store.release()
    expect(await load.finish()).toBe(5)
  })

  it('in an open loop goes on asking while nothing is answered, and waits for all of it', async () => {
    const store = new FakeStore()
    store.hold = true
    const load = new Load([store.client], settingOf({ clients: '1', rate: '20000' }))
    load.start()
    const measured = load.measure(0.01)
    await store.until(200)
    store.release()
    const { latency, operations, counters } = await measured
    expect(latency.max).toBeGreaterThan(0)
    expect(operations).toBeLessThanOrEqual(store.asked)
    expect(counters.bundles).toBeGreaterThan(0)
    expect(await load.finish()).toBeGreaterThanOrEqual(200)
  })

  it('counts what was refused, and ends with whatever is no outcome', async () => {
    const store = new FakeStore()
    store.refuse = true
    const load = new Load([store.client], settingOf({ clients: '1', outstanding: '2' }))
    load.start()
    const measured = load.measure(0.001)
    await store.until(3)
    const { operations, failures } = await measured
    expect(operations).toBe(0)
    expect(failures['Refused busy']).toBeGreaterThanOrEqual(2)
    store.refuse = false
    await load.finish()
    const broken = new FakeStore()
    broken.fault = new TypeError('a bug')
    const faulty = new Load([broken.client], settingOf({ clients: '1', outstanding: '1' }))
    faulty.start()
    await expect(faulty.measure(0.001)).rejects.toThrow(broken.fault)
  })
})

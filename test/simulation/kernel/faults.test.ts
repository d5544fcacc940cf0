import { describe, expect, it } from 'vitest'
import {
  Disk,
  type DiskSettings,
  EventQueue,
  Network,
  type NetworkSettings,
  Random,
} from '../../../src/simulation/kernel/index.ts'

const QUIET: NetworkSettings = {
  minDelayUs: 100,
  meanExtraUs: 1000,
  slowProbability: 0,
  slowUs: 0,
  lossProbability: 0,
  duplicateProbability: 0,
  ordered: false,
}

/** A network with a log of what arrived, in the order of arrival. */
function networkWith(change: Partial<NetworkSettings>) {
  const queue = new EventQueue<() => void>()
  const arrived: string[] = []
  const network = new Network({ ...QUIET, ...change }, new Random('network'), (at, event) => queue.push(at, event))
  let now = 0
  const run = () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      now = next.at
      next.event()
    }
  }
  const send = (from: number, to: number, name: string) => network.send(from, to, now, () => arrived.push(name))
  return { network, arrived, run, send, now: () => now }
}

describe('the network', () => {
  it('delivers everything once when nothing is wrong, and not before the least delay', () => {
    const { arrived, run, send, now } = networkWith({ meanExtraUs: 0 })
    send(0, 1, 'a')
    run()
    expect(arrived).toEqual(['a'])
    expect(now()).toBe(100)
  })

  it('reorders without order, and never with it', () => {
    const names = Array.from({ length: 50 }, (_, i) => `m${i}`)
    const sendAll = (ordered: boolean) => {
      const { arrived, run, send } = networkWith({ ordered })
      for (const name of names) send(0, 1, name)
      run()
      return arrived
    }
    expect(sendAll(true)).toEqual(names)
    expect(sendAll(false)).not.toEqual(names)
    expect(new Set(sendAll(false))).toEqual(new Set(names))
  })

  it('loses and doubles about as often as it was told', () => {
    const { network, arrived, run, send } = networkWith({ lossProbability: 0.2, duplicateProbability: 0.1 })
    for (let i = 0; i < 5000; i++) send(0, 1, 'x')
    run()
    expect(Math.abs(network.counts.lost - 1000)).toBeLessThan(150)
    expect(Math.abs(network.counts.duplicated - 400)).toBeLessThan(100)
    expect(arrived.length).toBe(5000 - network.counts.lost + network.counts.duplicated)
  })

  it('cuts one way only, and what was sent meanwhile is gone', () => {
    const { network, arrived, run, send } = networkWith({})
    network.cut(0, 1)
    send(0, 1, 'lost')
    send(1, 0, 'back')
    send(0, 2, 'elsewhere')
    network.mend(0, 1)
    send(0, 1, 'later')
    run()
    expect(arrived.sort()).toEqual(['back', 'elsewhere', 'later'])
  })

  it('stays cut while any of several faults holds it', () => {
    const { network, arrived, run, send } = networkWith({})
    network.cut(0, 1)
    network.cut(0, 1)
    network.mend(0, 1)
    send(0, 1, 'lost')
    run()
    expect(arrived).toEqual([])
  })

  it('holds back on a clogged link and delivers when it opens', () => {
    const { network, arrived, run, send, now } = networkWith({})
    network.clog(0, 1)
    send(0, 1, 'held')
    run()
    expect(arrived).toEqual([])
    network.unclog(0, 1, now())
    run()
    expect(arrived).toEqual(['held'])
  })

  it('is whole and lossless after healing', () => {
    const { network, arrived, run, send, now } = networkWith({ lossProbability: 1 })
    network.cut(0, 1)
    network.clog(1, 0)
    network.heal(now())
    send(0, 1, 'there')
    send(1, 0, 'back')
    run()
    expect(arrived.sort()).toEqual(['back', 'there'])
  })
})

const DISK: DiskSettings = { meanSyncUs: 500, slowProbability: 0, keepUnsyncedProbability: 0 }

describe('a disk', () => {
  it('has nothing of an append until it is confirmed, and then all of it, in order', () => {
    const disk = new Disk<string, string>(DISK, new Random('disk'))
    const first = disk.append(['a', 'b'], 0)
    const second = disk.append(['c'], 0)
    expect(second).toBeGreaterThan(first)
    expect(disk.append(['d'], 0)).toBe(second)
    expect(disk.read().records).toEqual([])
    disk.confirm()
    expect(disk.read().records).toEqual(['a', 'b'])
    disk.confirm()
    disk.confirm()
    expect(disk.read().records).toEqual(['a', 'b', 'c', 'd'])
    expect(() => disk.confirm()).toThrow('nothing to confirm')
  })

  it('loses at a power cut exactly what was not confirmed', () => {
    const disk = new Disk<string, string>(DISK, new Random('disk'))
    disk.append(['a'], 0)
    disk.confirm()
    disk.append(['b'], 0)
    disk.append(['c'], 0)
    expect(disk.powerCut(1)).toMatchObject({ lost: 2, kept: 0 })
    expect(disk.read().records).toEqual(['a'])
  })

  it('may keep a first part of what was not confirmed, but never a later write without an earlier one', () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const disk = new Disk<string, string>({ ...DISK, keepUnsyncedProbability: 0.8 }, new Random(`disk ${seed}`))
      for (const name of ['a', 'b', 'c']) disk.append([name], 0)
      disk.powerCut(1)
      outcomes.add(disk.read().records.join(''))
    }
    expect([...outcomes].sort()).toEqual(['', 'a', 'ab', 'abc'])
  })

  it('truncates and stores snapshots in the order of the other writes', () => {
    const disk = new Disk<string, string>(DISK, new Random('disk'))
    disk.append(['a', 'b'], 0)
    disk.putSnapshot('state', 0)
    disk.truncate((record) => record !== 'a', 0)
    disk.confirm()
    disk.confirm()
    expect(disk.read()).toEqual({ records: ['a', 'b'], snapshot: 'state' })
    disk.confirm()
    expect(disk.read()).toEqual({ records: ['b'], snapshot: 'state' })
    disk.wipe()
    expect(disk.read()).toEqual({ records: [], snapshot: undefined })
  })
})

import { expect, it } from 'vitest'
import { SyncPace } from '../../src/storage/sync-pace.ts'

/** Syncs at once that a disk of so many milliseconds a sync gets, of at most a thousand. */
function atOnce(pace: SyncPace, ms: number): number {
  let count = 0
  for (; pace.quick && count < 1000; count++) pace.took(ms)
  return count
}

it('syncs at once on few cores, as long as the disk is quick', () => {
  expect(atOnce(new SyncPace(2), 0.2)).toBe(1000)
})

it('takes a pause of the machine now and then for what it is', () => {
  const pace = new SyncPace(2)
  for (let i = 0; i < 100; i++) {
    pace.took(500)
    expect(atOnce(pace, 0.2)).toBe(1000)
  }
})

it('leaves syncs to a thread for a while where the disk is slow, and then tries it again', () => {
  const pace = new SyncPace(2)
  for (let times = 0; times < 3; times++) {
    expect(atOnce(pace, 8)).toBeLessThan(10)
    let handedOver = 0
    for (; !pace.quick; handedOver++) pace.handedOver()
    expect(handedOver).toBe(256)
  }
})

it('leaves all syncs to a thread where there are cores for it', () => {
  expect(new SyncPace(4).quick).toBe(false)
})

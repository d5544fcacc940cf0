import { expect, it } from 'vitest'
import { SyncPace } from '../../src/storage/sync-pace.ts'

it('syncs at once on few cores, as long as the disk is quick', () => {
  const pace = new SyncPace(2)
  expect(pace.quick).toBe(true)
  pace.took(0.2)
  expect(pace.quick).toBe(true)
})

it('leaves syncs to a thread for a while after one that was slow, and then tries the disk again', () => {
  const pace = new SyncPace(2)
  pace.took(8)
  let handedOver = 0
  for (; !pace.quick; handedOver++) pace.handedOver()
  expect(handedOver).toBe(256)
  pace.took(8)
  expect(pace.quick).toBe(false)
})

it('leaves all syncs to a thread where there are cores for it', () => {
  expect(new SyncPace(4).quick).toBe(false)
})

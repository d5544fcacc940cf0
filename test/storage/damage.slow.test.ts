import { expect, it } from 'vitest'
import { CHANGES, changeBytes } from './damaged.ts'

it.each(CHANGES)('every single byte of a store, %s, is noticed or harmless, and makes no record', async (_, change) => {
  expect(await changeBytes(change, 1)).toBeGreaterThan(2000)
})

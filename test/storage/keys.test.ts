import { describe, expect, it } from 'vitest'
import { MAX_EPOCH } from '../../keys/charter/index.ts'
import { Keys } from '../../src/storage/keys.ts'
import { MAX_KEYED_BYTES, MAX_KEYS } from '../../src/storage/limits.ts'

const record = (key: string, length = 1) => ({ kind: 1, slot: 0, key, bytes: new Uint8Array(length) })

describe('the keys of a store', () => {
  it('have room for the hand-over of every epoch that there may be, and every proof of a lie', () => {
    const keys = new Keys()
    const handOvers = Array.from({ length: MAX_EPOCH }, (_, i) => record(`hand-over/${i + 1}`, 2048))
    keys.add([...handOvers, ...Array.from({ length: 8 * 100 }, (_, i) => record(`evidence/${i}`))])
    expect(() => keys.add([record('stable')])).not.toThrow()
  })

  it('and what stands under them are bounded, and what does not fit changes nothing', () => {
    const keys = new Keys()
    keys.add(Array.from({ length: MAX_KEYS }, (_, i) => record(`${i}`)))
    expect(() => keys.add([record('one more')])).toThrow(`at most ${MAX_KEYS}`)
    expect(() => keys.add([record('0', MAX_KEYED_BYTES)])).toThrow(`at most ${MAX_KEYED_BYTES}`)
    expect(() => keys.add([record('0', 100)])).not.toThrow()
  })
})

import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { boundHeap, engineEnvironment, engineOptions } from '../../src/cli/engine.ts'

describe('the heap of a replica', () => {
  it('has a small young generation where it is launched, unless the user says another', () => {
    expect(engineOptions({})).toEqual(['--max-semi-space-size=8'])
    expect(engineOptions({ NODE_OPTIONS: '--enable-source-maps' })).toEqual(['--max-semi-space-size=8'])
    expect(engineOptions({ NODE_OPTIONS: '--max-semi-space-size=64' })).toEqual([])
  })

  it('gives large pieces back to the system where it is launched, unless the user says how', () => {
    expect(engineEnvironment({ HOME: '/home' })).toEqual({ HOME: '/home', MALLOC_MMAP_THRESHOLD_: '16384' })
    const own = { MALLOC_MMAP_THRESHOLD_: '131072' }
    expect(engineEnvironment(own)).toEqual(own)
  })

  it('lets old objects grow by a part of what lives, unless the user says another', () => {
    const flags: string[] = []
    boundHeap(['--max-old-space-size=500'], (flag) => void flags.push(flag))
    expect(flags).toEqual(['--heap-growing-percent=70'])
    boundHeap(['--heap-growing-percent=300'], (flag) => void flags.push(flag))
    boundHeap(['--heap_growing_percent', '300'], (flag) => void flags.push(flag))
    expect(flags).toHaveLength(1)
  })

  it.each(engineOptions({}))('is bounded by options that this Node knows: %s', (option) => {
    expect(spawnSync(process.execPath, [option, '--eval', '']).status).toBe(0)
  })

  it('is bounded by a flag that this V8 knows', () => {
    let flag = ''
    boundHeap([], (given) => {
      flag = given
    })
    expect(spawnSync(process.execPath, [flag, '--eval', '']).status).toBe(0)
  })
})

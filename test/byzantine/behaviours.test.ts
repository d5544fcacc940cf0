// Every behaviour, as leader and as follower: whatever one liar among four does, the honest replicas agree, everything is executed,
// and evidence names nobody else.

import { describe, expect, it } from 'vitest'
import { BEHAVIOURS, parseBehaviour } from '../../src/byzantine/index.ts'
import { accusations } from '../support/attack.ts'
import { ATTACKS, attack } from '../support/attack-run.ts'
import { LATER_EPOCH } from '../support/epochs.ts'

describe('one liar among four', () => {
  it.each(ATTACKS)('as leader: %s neither splits the others nor stops them', (name) => {
    attack({ liars: { 0: name } })
  })

  it.each(ATTACKS)('as leader of a later epoch: %s neither splits the others nor stops them', (name) => {
    attack({ epoch: LATER_EPOCH, liars: { 0: name } })
  })

  it.each(ATTACKS)('as follower: %s neither splits the others nor stops them', (name) => {
    const cluster = attack({ liars: { 2: name } })
    // A follower alone moves nobody's view.
    expect(cluster.status(0).view).toBe(0)
  })

  it.each([
    'mute',
    'slow',
    'reorder',
    'withhold-body',
    'selective-silent',
    'censor',
    'bad-snapshot',
    'forge-certificate',
  ])('%s contradicts itself nowhere, and no evidence exists', (name) => {
    expect(accusations(attack({ liars: { 0: name } }))).toEqual([])
  })
})

describe('--liar', () => {
  it('takes a name, and an argument after a colon', () => {
    expect(parseBehaviour('mute')).toMatchObject({ name: 'mute', argument: undefined })
    expect(parseBehaviour('selective-silent:1,3')).toMatchObject({ name: 'selective-silent', argument: '1,3' })
  })

  it('answers an unknown name with all that are known', () => {
    for (const name of Object.keys(BEHAVIOURS)) expect(() => parseBehaviour('lying')).toThrow(name)
    expect(() => parseBehaviour('toString')).toThrow('unknown behaviour "toString"')
  })

  it.each([
    'mute:1',
    'slow:never',
    'selective-silent:9',
    'bad-new-view:x',
    'checkpoint-liar:x',
    'censor:xyz',
    'flood:0',
    'mutate:2',
  ])('refuses %s in one sentence', (text) => {
    expect(() => attack({ liars: { 0: text } })).toThrow(/takes no argument|expected/)
  })

  it('describes every behaviour in one line', () => {
    for (const [name, { describe: text }] of Object.entries(BEHAVIOURS)) {
      expect(text.length, name).toBeGreaterThan(10)
      expect(text).not.toMatch(/\n|\.$/)
    }
  })
})

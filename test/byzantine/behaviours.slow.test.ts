// Behaviours in longer runs: as the next leader after a crash, two liars among seven, and mixes from many seeds.

import { describe, expect, it } from 'vitest'
import { accusations } from '../support/attack.ts'
import { ATTACKS, attack, attackThroughCrash } from '../support/attack-run.ts'

describe('a liar that has to lead after a crash', () => {
  it.each(ATTACKS)('%s neither splits the others nor stops them', (name) => {
    attackThroughCrash({ liars: { 1: name } })
  })
})

describe('two liars among seven', () => {
  it.each(ATTACKS)('a leader that equivocates, and %s beside it', (name) => {
    const cluster = attack({ replicas: 7, byzantine: 2, liars: { 0: 'equivocate', 1: name } })
    expect(accusations(cluster)).toContain('two-votes 0')
  })

  it.each(ATTACKS)('the first two leaders: %s, twice', (name) => {
    attack({ replicas: 7, byzantine: 2, liars: { 0: name, 1: name } })
  })
})

describe('a liar that changes its ways', () => {
  it.each(Array.from({ length: 24 }, (_, i) => i))('seed %i', (seed) => {
    attackThroughCrash({ liars: { [seed % 4]: 'random' }, seed: `${seed}` })
  })

  it.each(Array.from({ length: 8 }, (_, i) => i))('two of them, seed %i', (seed) => {
    attackThroughCrash({ replicas: 7, byzantine: 2, liars: { 1: 'random', 2: 'mutate' }, seed: `${seed}` })
  })
})

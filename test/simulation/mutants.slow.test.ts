import { describe, expect, it } from 'vitest'
import { hunt, MUTANTS } from '../../src/simulation/index.ts'

describe('the simulator', () => {
  it.each(MUTANTS.map((mutant) => [mutant.defect, mutant] as const))('catches %s', (_, mutant) => {
    expect(hunt(mutant).seed).toBeDefined()
  })
})

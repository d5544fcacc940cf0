import fc from 'fast-check'
import { expect, it } from 'vitest'
import { equalBytes, hex } from '../../crypto/index.ts'
import { Random } from '../../src/simulation/kernel/index.ts'
import { FORMATS } from './formats.ts'
import { mutate } from './mutate.ts'

const FRAMES = 1_000_000
/** Good frames of each format that the others are made from. */
const SAMPLES = 30
/** Longer ones would only make the test slow; what is long is made of the same parts. */
const LONGEST = 3000

it('a million mutated frames: no decoder throws, and what one takes encodes to the same bytes', () => {
  const seed = 20_261_124
  const random = new Random(`fuzz ${seed}`)
  const corpora = FORMATS.map(({ sample }) =>
    fc
      .sample(sample, { numRuns: SAMPLES, seed })
      .map(({ bytes }) => bytes)
      .filter((bytes) => bytes.length <= LONGEST),
  )
  const all = corpora.flat()
  const counts = { taken: 0, refused: 0 }
  for (let i = 0; i < FRAMES; i++) {
    const at = i % FORMATS.length
    const [format, corpus] = [FORMATS[at], corpora[at]]
    if (format === undefined || corpus === undefined || corpus.length === 0) throw new Error('no frames')
    const frame = mutate(random.pick(corpus), random.pick(all), random)
    const encoded = format.again(frame)
    if (encoded === undefined) counts.refused += 1
    else counts.taken += 1
    if (encoded !== undefined && !equalBytes(encoded, frame)) {
      expect({ format: format.name, frame: hex(encoded) }).toEqual({ format: format.name, frame: hex(frame) })
    }
  }
  // Both ways were gone often enough to mean something.
  expect(counts.taken).toBeGreaterThan(FRAMES / 100)
  expect(counts.refused).toBeGreaterThan(FRAMES / 10)
})

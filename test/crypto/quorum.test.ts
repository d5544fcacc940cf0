import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  largestByzantine,
  largestCrash,
  MAX_REPLICAS,
  QuorumError,
  quorumFault,
  quorumSystem,
} from '../../crypto/index.ts'

/** Every (n, b, c) with n up to 100 that the arithmetic admits. */
function* admitted(): Generator<{ replicas: number; byzantine: number; crash: number }> {
  for (let replicas = 1; replicas <= 100; replicas++) {
    for (let byzantine = 0; 3 * byzantine + 1 <= replicas; byzantine++) {
      for (let crash = 0; 3 * byzantine + 2 * crash + 1 <= replicas; crash++) yield { replicas, byzantine, crash }
    }
  }
}

describe('quorum arithmetic, exhaustively for n up to 100', () => {
  it('two quorums share at least b + 1 replicas, so at least one honest one', () => {
    for (const group of admitted()) {
      const { quorum } = quorumSystem(group)
      expect(2 * quorum - group.replicas, JSON.stringify(group)).toBeGreaterThanOrEqual(group.byzantine + 1)
    }
  })

  it('a quorum exists without those that lie and those that stopped', () => {
    for (const group of admitted()) {
      const { quorum } = quorumSystem(group)
      expect(quorum, JSON.stringify(group)).toBeLessThanOrEqual(group.replicas - group.byzantine - group.crash)
    }
  })

  it('is tight: one vote less, and two quorums may share only liars', () => {
    for (const group of admitted()) {
      const { quorum } = quorumSystem(group)
      expect(2 * (quorum - 1) - group.replicas, JSON.stringify(group)).toBeLessThan(group.byzantine + 1)
    }
  })

  it('trust is one more than can lie, and never more than a quorum', () => {
    for (const group of admitted()) {
      const { trust, quorum } = quorumSystem(group)
      expect(trust).toBe(group.byzantine + 1)
      expect(trust).toBeLessThanOrEqual(quorum)
    }
  })

  it('admits exactly the groups in which some threshold gives both overlap and liveness', () => {
    for (let replicas = 1; replicas <= 40; replicas++) {
      for (let byzantine = 0; byzantine <= 14; byzantine++) {
        for (let crash = 0; crash <= 20; crash++) {
          let possible = false
          for (let q = 1; q <= replicas - byzantine - crash; q++) possible ||= 2 * q - replicas >= byzantine + 1
          const fault = quorumFault({ replicas, byzantine, crash })
          expect(fault === undefined, `${replicas} ${byzantine} ${crash} ${fault}`).toBe(possible)
        }
      }
    }
  })

  it('the default b and c are the largest that fit', () => {
    for (let replicas = 1; replicas <= 100; replicas++) {
      const byzantine = largestByzantine(replicas)
      expect(quorumFault({ replicas, byzantine, crash: 0 })).toBeUndefined()
      expect(quorumFault({ replicas, byzantine: byzantine + 1, crash: 0 })).toBeDefined()
      const crash = largestCrash(replicas, byzantine)
      expect(quorumFault({ replicas, byzantine, crash })).toBeUndefined()
      expect(quorumFault({ replicas, byzantine, crash: crash + 1 })).toBeDefined()
    }
  })
})

describe('quorum arithmetic, the figures that the papers and the design name', () => {
  it.each([
    { replicas: 4, byzantine: 1, crash: 0, quorum: 3, trust: 2 },
    { replicas: 5, byzantine: 1, crash: 0, quorum: 4, trust: 2 },
    { replicas: 6, byzantine: 1, crash: 1, quorum: 4, trust: 2 },
    { replicas: 7, byzantine: 2, crash: 0, quorum: 5, trust: 3 },
    { replicas: 9, byzantine: 2, crash: 1, quorum: 6, trust: 3 },
    { replicas: 10, byzantine: 3, crash: 0, quorum: 7, trust: 4 },
    { replicas: 3, byzantine: 0, crash: 1, quorum: 2, trust: 1 },
    { replicas: 5, byzantine: 0, crash: 2, quorum: 3, trust: 1 },
    { replicas: 1, byzantine: 0, crash: 0, quorum: 1, trust: 1 },
  ])('n=$replicas b=$byzantine c=$crash needs q=$quorum and t=$trust', ({ quorum, trust, ...group }) => {
    expect(quorumSystem(group)).toMatchObject({ quorum, trust, crashMode: group.byzantine === 0 })
  })
})

describe('quorum arithmetic, what it refuses and the words it uses', () => {
  it.each([
    [{ replicas: 5, byzantine: 1, crash: 1 }, '5 replicas cannot bear 1 liar and 1 crash: needs n >= 3b + 2c + 1 = 6'],
    [{ replicas: 3, byzantine: 1, crash: 0 }, '3 replicas cannot bear 1 liar: needs n >= 3b + 2c + 1 = 4'],
    [{ replicas: 4, byzantine: 0, crash: 2 }, '4 replicas cannot bear 2 crashes: needs n >= 3b + 2c + 1 = 5'],
    [
      { replicas: 1, byzantine: 2, crash: 2 },
      '1 replica cannot bear 2 liars and 2 crashes: needs n >= 3b + 2c + 1 = 11',
    ],
    [{ replicas: 0, byzantine: 0, crash: 0 }, 'the number of replicas must be a whole number from 1 to 100, not 0'],
    [{ replicas: 4.5, byzantine: 1, crash: 0 }, 'the number of replicas must be a whole number from 1 to 100, not 4.5'],
    [{ replicas: 4, byzantine: -1, crash: 0 }, 'the number of liars (b) must be a whole number from 0 to 100, not -1'],
    [
      { replicas: 4, byzantine: 1, crash: Number.NaN },
      'the number of crashes (c) must be a whole number from 0 to 100, not NaN',
    ],
  ])('refuses %o', (group, sentence) => {
    expect(quorumFault(group)).toBe(sentence)
    expect(() => quorumSystem(group)).toThrow(new QuorumError(sentence))
  })

  it('never throws anything but a QuorumError, whatever the numbers', () => {
    fc.assert(
      fc.property(fc.double(), fc.double(), fc.double(), (replicas, byzantine, crash) => {
        try {
          expect(quorumSystem({ replicas, byzantine, crash }).replicas).toBeLessThanOrEqual(MAX_REPLICAS)
        } catch (error) {
          expect(error).toBeInstanceOf(QuorumError)
        }
      }),
    )
  })
})

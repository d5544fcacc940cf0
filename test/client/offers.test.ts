// What a client makes of the chains that it is shown: a property of all forks of a few epochs, against the obvious rule.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agreedOf, offerOf } from '../../src/client/offers.ts'
import { EpochChain, formatPin } from '../../src/consensus/index.ts'
import { chainParts, charterAfter, handOver } from '../support/chain.ts'

const KEYS = [0, 1, 2, 3]
const genesis = EpochChain.genesis(chainParts(KEYS))
const made = new Map<string, EpochChain>([['', genesis]])

/** The chain of these hand-overs, each of which is one of two that a quorum signed. */
function chainOf(turns: string): EpochChain {
  const known = made.get(turns)
  if (known !== undefined) return known
  const before = chainOf(turns.slice(0, -1))
  const { last } = before
  const by = KEYS.slice(0, 3).map((key) => [key, key] as const)
  const charter = charterAfter(last, KEYS, last.start.slot + (turns.endsWith('a') ? 128 : 256))
  const longer = before.extend(handOver(last, charter, by))
  if (!longer.ok) throw new Error(longer.fault.code)
  made.set(turns, longer.value)
  return longer.value
}

const turns = fc.array(fc.constantFrom('a', 'b'), { maxLength: 4 }).map((each) => each.join(''))
const formOf = ({ pin }: EpochChain) => (pin === undefined ? '' : formatPin(pin))
const name = (chain: EpochChain) => [...made].find(([, each]) => formOf(each) === formOf(chain))?.[0]

/** As far as everybody says the same who goes on from `own`, and the first epoch of which anybody says another thing. */
function obvious(own: string, offers: readonly string[]): { name: string; conflict: number | undefined } {
  const agree = (one: string, other: string) => one.startsWith(other) || other.startsWith(one)
  const mine = offers.filter((each) => agree(each, own))
  let name = own
  for (;;) {
    const nexts = new Set(mine.filter((each) => each.length > name.length).map((each) => each[name.length]))
    const [next] = nexts
    if (next === undefined || nexts.size > 1) break
    name += next
  }
  const all = [own, ...offers]
  const conflicts = [1, 2, 3, 4].filter((epoch) => {
    const there = all.filter((each) => each.length >= epoch)
    return new Set(there.map((each) => each.slice(0, epoch))).size > 1
  })
  return { name, conflict: conflicts[0] }
}

describe('chains that were shown', () => {
  it('are followed as far as all agree who agree with what was followed before, and the first fork is told', () => {
    fc.assert(
      fc.property(turns, fc.array(turns, { maxLength: 5 }), (own, offers) => {
        const { chain, conflict } = agreedOf(chainOf(own), offers.map(chainOf))
        expect({ name: name(chain), conflict }).toEqual(obvious(own, offers))
      }),
      { numRuns: 500 },
    )
  })

  it('never lead off a pin, and with one that all of them reach there is no doubt before it', () => {
    fc.assert(
      fc.property(
        turns.filter((each) => each !== ''),
        fc.array(turns, { maxLength: 5 }),
        (pinned, offers) => {
          const { pin } = chainOf(pinned)
          const { chain, conflict } = agreedOf(genesis, offers.map(chainOf), pin)
          const got = name(chain) ?? expect.fail('unknown')
          expect(got === '' || got.startsWith(pinned)).toBe(true)
          expect(conflict === undefined || conflict > pinned.length).toBe(true)
          expect(got.startsWith(pinned)).toBe(offers.some((each) => each.startsWith(pinned)))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('are verified once, whoever shows them, and end where a link is none', () => {
    const { links } = chainOf('aba')
    const [first] = links
    const whole = offerOf(genesis, links, [chainOf('ab')])
    expect(name(whole.chain)).toBe('aba')
    expect(offerOf(genesis, [...links.slice(0, 1), ...links.slice(2)], []).fault).toEqual({ code: 'wrong-epoch' })
    if (first === undefined) throw new Error('unreachable')
    // What is known already is not looked at again: a signature that was broken on the way changes nothing.
    const broken = { ...first, checkpoint: { ...first.checkpoint, signatures: [] } }
    expect(offerOf(genesis, [broken], [chainOf('a')]).fault).toBeUndefined()
    expect(offerOf(genesis, [broken], []).fault?.code).toBe('bad-checkpoint')
  })
})

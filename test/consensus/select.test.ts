// The selection of a NewView (N1-N4) against a twin that is slow and obvious (pitfalls P10, P11, P13).

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Digest, equalBytes, hex, slot, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import {
  conflictingCertificates,
  noopEntry,
  type SelectionDefect,
  type StableCheckpoint,
  select,
  type ViewChange,
} from '../../src/consensus/index.ts'
import { testCluster } from '../support/cluster.ts'

const { membership, vote } = testCluster()
const EPOCH = membership.epoch

/** What a ViewChange says, in short: its stable slot, and per reported slot the view and the name of the value. */
interface Report {
  readonly stable: number
  readonly prepared: readonly { readonly slot: number; readonly view: number; readonly value: string }[]
}

const reportArbitrary: fc.Arbitrary<Report> = fc
  .record({
    stable: fc.constantFrom(0, 4),
    slots: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 5 }),
    views: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 5, maxLength: 5 }),
  })
  .map(({ stable, slots, views }) => ({
    stable,
    prepared: slots
      .filter((number) => number > stable)
      .sort((a, b) => a - b)
      // In one view one value: what quorums see to.
      .map((number, i) => ({ slot: number, view: views[i] ?? 0, value: `${number} in ${views[i] ?? 0}` })),
  }))

const reports = fc.array(reportArbitrary, { minLength: 3, maxLength: 3 })

describe('the selection of a NewView', () => {
  it('is what the definition says, slot by slot', () => {
    fc.assert(
      fc.property(reports, (said) => {
        expect(shown(said)).toEqual(twin(said))
      }),
    )
  })

  it('does not depend on the order of the ViewChanges', () => {
    fc.assert(
      fc.property(reports, (said) => {
        expect(shown([...said].reverse())).toEqual(shown(said))
      }),
    )
  })

  it('always finds a start, and covers every slot from there to the last reported one once', () => {
    fc.assert(
      fc.property(reports, (said) => {
        const { start, values } = select(said.map(viewChangeOf), EPOCH)
        expect(start.slot).toBe(Math.max(...said.map((each) => each.stable)))
        expect(values.map((each) => each.slot)).toEqual(values.map((_, i) => start.slot + 1 + i))
      }),
    )
  })

  it.each<SelectionDefect>(['skip-prepared', 'first-certificate', 'noop-over-certificate'])(
    'is another one where a test build has the defect %s: the twin sees it',
    (defect) => {
      const said: Report[] = [
        { stable: 0, prepared: [{ slot: 1, view: 0, value: 'old' }] },
        {
          stable: 0,
          prepared: [
            { slot: 1, view: 2, value: 'new' },
            { slot: 2, view: 2, value: 'next' },
          ],
        },
        { stable: 0, prepared: [] },
      ]
      expect(shown(said)).toEqual(twin(said))
      expect(shown(said, defect)).not.toEqual(twin(said))
    },
  )

  it('names two certificates of one view and slot that differ: more than b lied', () => {
    const said: Report[] = [
      { stable: 0, prepared: [{ slot: 1, view: 1, value: 'x' }] },
      { stable: 0, prepared: [{ slot: 1, view: 1, value: 'y' }] },
    ]
    expect(conflictingCertificates(said.map(viewChangeOf))).toBeDefined()
    expect(conflictingCertificates(said.slice(1).map(viewChangeOf))).toBeUndefined()
  })
})

/** The values that the code selects, by name. */
function shown(said: readonly Report[], defect?: SelectionDefect): string[] {
  const names = new Map(
    said.flatMap((each) => each.prepared.map(({ value }) => [hex(nonsense(value)), value] as const)),
  )
  return select(said.map(viewChangeOf), EPOCH, defect).values.map(({ slot: number, digest }) => {
    const noop = equalBytes(digest, noopEntry(number, EPOCH).digest)
    return `${number}: ${noop ? 'no-op' : names.get(hex(digest))}`
  })
}

/** The same from the definition: for each slot all reports, sorted by view. */
function twin(said: readonly Report[]): string[] {
  const start = Math.max(...said.map((each) => each.stable))
  const all = said.flatMap((each) => each.prepared).filter((each) => each.slot > start)
  const last = Math.max(start, ...all.map((each) => each.slot))
  return Array.from({ length: last - start }, (_, i) => {
    const number = start + 1 + i
    const [best] = all.filter((each) => each.slot === number).sort((a, b) => b.view - a.view)
    return `${number}: ${best?.value ?? 'no-op'}`
  })
}

function viewChangeOf({ stable, prepared }: Report): ViewChange {
  const at: StableCheckpoint = {
    slot: slot(stable),
    logRoot: nonsense('log'),
    stateRoot: nonsense('state'),
    next: undefined,
    signatures: [],
  }
  const certificates = prepared.map((each) => {
    const digest: Digest = nonsense(each.value)
    return { statement: vote(0, { view: view(each.view), slot: slot(each.slot), digest }).statement, signatures: [] }
  })
  return { view: view(4), stable: at, prepared: certificates, vote: vote(0, { kind: 'view-change', view: view(4) }) }
}

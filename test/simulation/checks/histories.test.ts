import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ClientAnswer,
  type ClientCommand,
  checkLinearizability,
  logOrderFault,
  type Operation,
} from '../../../src/simulation/index.ts'

let count = 0

/** One operation from `start` to `end`; without an end nobody knows its outcome. */
function op(
  start: number,
  end: number | undefined,
  command: ClientCommand,
  answer?: ClientAnswer,
  slot?: number,
): Operation {
  const outcome = end === undefined ? 'unknown' : 'done'
  return {
    client: 0,
    sequence: ++count,
    command,
    invokedUs: start,
    returnedUs: end,
    outcome,
    answer,
    slot,
    index: undefined,
    givenUp: false,
  }
}
const put = (start: number, end: number | undefined, value: string, slot?: number) =>
  op(start, end, { kind: 'put', key: 'k', value }, end === undefined ? undefined : { kind: 'put' }, slot)
const get = (start: number, end: number, value: string | undefined, slot?: number) =>
  op(start, end, { kind: 'get', key: 'k' }, { kind: 'get', value }, slot)
const del = (start: number, end: number, deleted: boolean) =>
  op(start, end, { kind: 'delete', key: 'k' }, { kind: 'delete', deleted })
const swap = (start: number, end: number, expected: string | undefined, value: string, swapped: boolean) =>
  op(start, end, { kind: 'swap', key: 'k', expected, value }, { kind: 'swap', swapped })

const verdict = (...operations: Operation[]) => checkLinearizability(operations).kind

describe('the search for a linear order', () => {
  it.each<[string, Operation[]]>([
    ['nothing', []],
    ['one after the other', [put(0, 1, 'a'), get(2, 3, 'a'), del(4, 5, true), get(6, 7, undefined)]],
    ['a read that overlaps a write and sees it', [put(0, 10, 'a'), get(1, 2, 'a'), get(3, 4, 'a')]],
    ['a read that overlaps a write and does not see it', [put(0, 10, 'a'), get(1, 2, undefined), get(3, 4, 'a')]],
    ['two writes at once, read in either order', [put(0, 10, 'a'), put(0, 10, 'b'), get(11, 12, 'a')]],
    ['a write of unknown outcome that took effect', [put(0, undefined, 'a'), get(5, 6, undefined), get(7, 8, 'a')]],
    ['a write of unknown outcome that never did', [put(0, undefined, 'a'), get(50, 60, undefined)]],
    [
      'a compare-and-set that wins and one that loses',
      [swap(0, 9, undefined, 'a', true), swap(0, 9, undefined, 'b', false), get(10, 11, 'a')],
    ],
    ['a delete of what is not there', [del(0, 1, false)]],
  ])('finds one for %s', (_, operations) => {
    expect(verdict(...operations)).toBe('linearizable')
  })

  it.each<[string, Operation[]]>([
    ['a stale read', [put(0, 1, 'a'), put(2, 3, 'b'), get(4, 5, 'a')]],
    ['a lost write', [put(0, 1, 'a'), get(2, 3, undefined)]],
    ['a value from nowhere', [get(0, 1, 'a')]],
    ['a read before the write', [get(0, 1, 'a'), put(2, 3, 'a')]],
    ['reads that go back in time', [put(0, 10, 'a'), get(1, 2, 'a'), get(3, 4, undefined)]],
    [
      'two readers that see two writes in different orders',
      [put(0, 20, 'a'), put(0, 20, 'b'), get(1, 2, 'a'), get(3, 4, 'b'), get(5, 6, 'a')],
    ],
    ['two winners of one compare-and-set', [swap(0, 9, undefined, 'a', true), swap(0, 9, undefined, 'b', true)]],
    ['a delete that happened twice', [put(0, 1, 'a'), del(2, 5, true), del(2, 5, true)]],
    ['an unknown write that took effect and then not', [put(0, undefined, 'a'), get(1, 2, 'a'), get(3, 4, undefined)]],
    ['a write that came back after a delete', [put(0, 1, 'a'), del(2, 3, true), get(4, 5, 'a')]],
  ])('refuses %s', (_, operations) => {
    expect(verdict(...operations)).toBe('not-linearizable')
  })

  it('judges keys apart, and names the one at fault', () => {
    const other = op(0, 1, { kind: 'get', key: 'other' }, { kind: 'get', value: 'x' })
    expect(checkLinearizability([put(0, 1, 'a'), get(2, 3, 'a'), other])).toEqual({
      kind: 'not-linearizable',
      key: 'other',
    })
  })

  it('leaves out what never took effect', () => {
    const lost: Operation = { ...put(0, 1, 'a'), outcome: 'conflict' }
    expect(verdict(lost, get(2, 3, undefined))).toBe('linearizable')
  })

  it('says so when it gives up, and never guesses', () => {
    const writes = Array.from({ length: 12 }, (_, i) => put(0, 100, `w${i}`))
    expect(checkLinearizability([...writes, get(101, 102, 'from nowhere')], 50).kind).toBe('undecided')
  })

  it('agrees with every order tried one by one, on small histories', () => {
    const arbitrary = fc.array(
      fc.record({ start: fc.nat(12), length: fc.integer({ min: 1, max: 8 }), known: fc.boolean(), choice: fc.nat(7) }),
      { maxLength: 5 },
    )
    let [yes, no] = [0, 0]
    fc.assert(
      fc.property(arbitrary, (drafts) => {
        const operations = drafts.map(({ start, length, known, choice }, i) => {
          const end = start + length
          if (choice < 3) return put(start, known ? end : undefined, `v${i % 3}`)
          if (choice < 6) return get(start, end, choice === 3 ? undefined : `v${choice - 4}`)
          return choice === 6 ? del(start, end, known) : swap(start, end, 'v0', 'v1', known)
        })
        const expected = slowlyLinearizable(operations)
        if (expected) yes++
        else no++
        return verdict(...operations) === (expected ? 'linearizable' : 'not-linearizable')
      }),
      { numRuns: 500 },
    )
    expect(Math.min(yes, no)).toBeGreaterThan(50)
  })
})

/** Every subset of the unknown operations, in every order. */
function slowlyLinearizable(operations: readonly Operation[]): boolean {
  const tryFrom = (left: readonly Operation[], value: string | undefined): boolean => {
    if (left.every(({ outcome }) => outcome === 'unknown')) return true
    return left.some((next) => {
      const rest = left.filter((each) => each !== next)
      const tooEarly = rest.some((each) => each.returnedUs !== undefined && each.returnedUs < next.invokedUs)
      const after = tooEarly ? 'impossible' : slowly(next, value)
      return after !== 'impossible' && tryFrom(rest, after.value)
    })
  }
  return tryFrom(operations, undefined)
}

function slowly(
  { command, answer }: Operation,
  value: string | undefined,
): { value?: string | undefined } | 'impossible' {
  if (command.kind === 'put') return { value: command.value }
  if (command.kind === 'leased') return { value }
  if (command.kind === 'get') return answer?.kind === 'get' && answer.value === value ? { value } : 'impossible'
  if (command.kind === 'delete') {
    return answer?.kind === 'delete' && answer.deleted === (value !== undefined) ? { value: undefined } : 'impossible'
  }
  const swaps = value === command.expected
  if (answer?.kind !== 'swap' || answer.swapped !== swaps) return 'impossible'
  return { value: swaps ? command.value : value }
}

describe('the order of the log', () => {
  it('is sound where earlier answers lie in earlier slots, whatever overlaps', () => {
    expect(logOrderFault([put(0, 10, 'a', 2), put(1, 12, 'b', 1), get(13, 14, 'a', 3)])).toBeUndefined()
    expect(logOrderFault([put(0, 10, 'a', 1), get(0, 10, 'a', 1)])).toBeUndefined()
  })

  it('is refused where an answer came from a later slot before an earlier one was asked for', () => {
    expect(logOrderFault([put(0, 1, 'a', 5), get(2, 3, undefined, 4)])).toMatch(/answered from slot 5 before .* slot 4/)
  })

  it('is refused where one slot holds a request that was asked after another of it was answered', () => {
    expect(logOrderFault([put(0, 1, 'a', 5), get(2, 3, 'a', 5)])).toMatch(/slot 5/)
  })

  it('is judged against all earlier answers, not the last alone', () => {
    expect(logOrderFault([put(0, 1, 'a', 9), put(2, 3, 'b', 10), get(4, 5, 'b', 9)])).toMatch(/slot 10/)
  })
})

// Is there an order of all operations, one at a time, that respects real time and gives the answers that the clients got? The
// search of Wing and Gong with Lowe's memory of positions already tried, for each key alone, which is enough since a history is
// linearizable when that of each key is. Knows nothing of the log; log-order.ts does.
// Ref: Wing and Gong, "Testing and verifying concurrent objects", 1993; Lowe, "Testing for linearizability", 2017.

import type { Operation } from '../history.ts'

export type LinearizabilityVerdict =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'not-linearizable'; readonly key: string }
  /** The search became too long; nothing is known. */
  | { readonly kind: 'undecided'; readonly key: string }

/** Positions to try for one key before giving up. */
export const SEARCH_LIMIT = 20_000

/** Judges a history of gets, puts, deletes and compare-and-sets; an operation with an unknown outcome may or may not have happened. */
export function checkLinearizability(operations: readonly Operation[], limit = SEARCH_LIMIT): LinearizabilityVerdict {
  const keys = new Map<string, Operation[]>()
  for (const operation of operations) {
    if (operation.outcome === 'conflict' || operation.outcome === 'refused') continue
    const { key, kind } = operation.command
    if (kind === 'leased') continue
    const same = keys.get(key)
    if (same === undefined) keys.set(key, [operation])
    else same.push(operation)
  }
  for (const [key, same] of keys) {
    const found = searchOrder(same, limit)
    if (found !== true) return { kind: found === false ? 'not-linearizable' : 'undecided', key }
  }
  return { kind: 'linearizable' }
}

/** One position of the search: which operations were put in order already, and the value that the key has after them. */
interface Position {
  readonly value: string | undefined
  readonly operation: number
  /** Candidates still to be tried at the position before. */
  readonly rest: number[]
}

function searchOrder(history: readonly Operation[], limit: number): boolean | undefined {
  // The order of the log, where known, is tried first: of a sound run it is the answer, found without a wrong turn.
  const operations = [...history].sort((a, b) => slotOf(a) - slotOf(b) || indexOf(a) - indexOf(b))
  const taken = new Uint8Array(operations.length)
  /** Positions from which there is no way on. */
  const tried = new Set<string>()
  const stack: Position[] = []
  let left = operations.filter(({ outcome }) => outcome === 'done').length
  let value: string | undefined
  let candidates = candidatesOf(operations, taken)
  for (let steps = 0; left > 0; ) {
    const next = candidates.shift()
    if (next === undefined) {
      const last = stack.pop()
      if (last === undefined) return false
      tried.add(`${value} ${taken.join('')}`)
      taken[last.operation] = 0
      if (operations[last.operation]?.outcome === 'done') left++
      value = last.value
      candidates = last.rest
      continue
    }
    const operation = operations[next]
    const after = operation && effectOf(operation, value)
    if (operation === undefined || after === undefined) continue
    taken[next] = 1
    if (tried.size > 0 && tried.has(`${after.value} ${taken.join('')}`)) {
      taken[next] = 0
      continue
    }
    if (++steps > limit) return undefined
    stack.push({ value, operation: next, rest: candidates })
    if (operation.outcome === 'done') left--
    value = after.value
    candidates = candidatesOf(operations, taken)
  }
  return true
}

const END = Number.MAX_SAFE_INTEGER

function slotOf({ slot, asOf }: Operation): number {
  return slot ?? asOf ?? END
}

/** What was read from a state comes after all that made it. */
function indexOf({ index, asOf }: Operation): number {
  return asOf === undefined ? (index ?? 0) : END
}

/** Operations that may come next: invoked before any operation that is not in order yet returned. */
function candidatesOf(operations: readonly Operation[], taken: Uint8Array): number[] {
  let firstReturn = Number.POSITIVE_INFINITY
  operations.forEach((operation, i) => {
    if (taken[i] === 0 && operation.outcome === 'done') firstReturn = Math.min(firstReturn, operation.returnedUs ?? END)
  })
  const found: number[] = []
  operations.forEach((operation, i) => {
    if (taken[i] === 0 && operation.invokedUs <= firstReturn) found.push(i)
  })
  return found
}

/** The key's value after the operation, or undefined where its answer does not fit. An unknown answer fits always. */
function effectOf(
  { command, answer }: Operation,
  value: string | undefined,
): { value: string | undefined } | undefined {
  switch (command.kind) {
    case 'get':
      return answer?.kind === 'get' && answer.value !== value ? undefined : { value }
    case 'put':
      return { value: command.value }
    case 'delete':
      return answer?.kind === 'delete' && answer.deleted !== (value !== undefined) ? undefined : { value: undefined }
    case 'swap': {
      const swaps = value === command.expected
      if (answer?.kind === 'swap' && answer.swapped !== swaps) return undefined
      return { value: swaps ? command.value : value }
    }
    case 'leased':
      return { value }
  }
}

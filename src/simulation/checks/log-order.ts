// Is the order of the log one that clients could see? Whoever got an answer before another asked must lie in an earlier slot. With
// the model of the store, which goes through the log in that order (I6), this decides linearizability exactly, in O(n log n).

import type { Operation } from '../history.ts'

/** What is wrong with the order of the slots, in one sentence; undefined where nothing is. */
export function logOrderFault(operations: readonly Operation[]): string | undefined {
  const placed = operations.filter(
    ({ slot, returnedUs, outcome }) => slot !== undefined && returnedUs !== undefined && outcome === 'done',
  )
  const byStart = [...placed].sort((a, b) => a.invokedUs - b.invokedUs)
  const byEnd = [...placed].sort((a, b) => (a.returnedUs ?? 0) - (b.returnedUs ?? 0))
  let latest: Operation | undefined
  let ended = 0
  for (const operation of byStart) {
    for (; ended < byEnd.length; ended++) {
      const before = byEnd[ended]
      if (before === undefined || (before.returnedUs ?? 0) >= operation.invokedUs) break
      if (latest === undefined || (before.slot ?? 0) > (latest.slot ?? 0)) latest = before
    }
    if (latest !== undefined && (operation.slot ?? 0) <= (latest.slot ?? 0)) {
      return `${nameOf(latest)} was answered from slot ${latest.slot} before ${nameOf(operation)} was asked, which is in slot ${operation.slot}`
    }
  }
  return undefined
}

function nameOf({ client, sequence, command }: Operation): string {
  return `c${client}.${sequence} (${command.kind} ${command.key})`
}

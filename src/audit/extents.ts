// What each archive says it keeps, asked of all at once: a replica that is down should hold up an export for seconds, not for its
// whole time-out.

import type { Cursor } from './cursor.ts'

export interface Extent {
  readonly first: number
  readonly last: number
}

/** Milliseconds that the others get once enough have answered; a replica that is up answers in a few. */
const GRACE_MS = 2_000

/** The answers that make sense; nobody vouches for them. Who has none once `enough` have answered is asked nothing more. */
export async function askExtents(cursors: readonly Cursor[], enough: number): Promise<Extent[]> {
  const extents: Extent[] = []
  let answered = 0
  let timer: NodeJS.Timeout | undefined
  const waiting = new Set(cursors)
  await new Promise<void>((resolve, reject) => {
    const look = () => {
      if (waiting.size === 0) resolve()
      else if (answered >= enough) timer ??= setTimeout(resolve, GRACE_MS)
    }
    look()
    for (const cursor of cursors) {
      const asked = cursor.ask('its extent', () => cursor.archive.extent())
      asked.then((extent) => {
        waiting.delete(cursor)
        if (extent !== undefined) answered++
        if (extent !== undefined && extent.last > 0 && extent.first <= extent.last) extents.push(extent)
        look()
      }, reject)
    }
  })
  clearTimeout(timer)
  for (const cursor of waiting) cursor.refuse('its extent', 'it did not answer in time')
  return extents
}

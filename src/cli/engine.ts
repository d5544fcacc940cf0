// How V8 keeps the heap of a replica. Left to itself it lets old objects that nobody needs grow to three times those that live before it
// looks for them, and young ones to 128 MiB: 100 to 150 MiB of a replica's memory at full load, for a few hundredths of its processor
// time (docs/performance.md, "Memory over time"). What the user gave Node counts more.

import { setFlagsFromString } from 'node:v8'

/** MiB of each half of the young generation. It is fixed when a process starts. */
const SEMI_SPACE_MIB = 8
/** Percent by which old objects, and bytes beside the heap, may grow over what lived after the last collection. */
const GROWTH_PERCENT = 70

/** Node's options for a replica that is launched. */
export function engineOptions({ NODE_OPTIONS = '' }: NodeJS.ProcessEnv): string[] {
  return NODE_OPTIONS.includes('semi-space') ? [] : [`--max-semi-space-size=${SEMI_SPACE_MIB}`]
}

/** For the process that this is: a V8 that does not know the flag says so, and goes on without it, as it would not as an option of Node. */
export function boundHeap(options: readonly string[] = process.execArgv, setFlags = setFlagsFromString): void {
  if (options.some((option) => /heap[-_]growing/.test(option))) return
  setFlags(`--heap-growing-percent=${GROWTH_PERCENT}`)
}

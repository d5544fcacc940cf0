// How the memory of a replica is kept. Left to itself V8 lets old objects that nobody needs grow to three times those that live before it
// looks for them, and young ones to 128 MiB, and glibc keeps what a busy moment needed: together 150 MiB of a replica at full load, for
// a few hundredths of its processor time (docs/performance.md, "Memory over time"). What the user says counts more.

import { setFlagsFromString } from 'node:v8'

/** MiB of each half of the young generation. It is fixed when a process starts. */
const SEMI_SPACE_MIB = 8
/**
 * Bytes from which glibc takes memory from the system and gives it back by itself. The results, requests and changes of a slot are some
 * 50 KiB each; by its own rule they lie among what comes and goes, and the holes that they leave stay.
 */
const MAPPED_BYTES = 16_384
/** Percent by which old objects, and bytes beside the heap, may grow over what lived after the last collection. */
const GROWTH_PERCENT = 70

/** Node's options for a replica that is launched. */
export function engineOptions({ NODE_OPTIONS = '' }: NodeJS.ProcessEnv): string[] {
  return NODE_OPTIONS.includes('semi-space') ? [] : [`--max-semi-space-size=${SEMI_SPACE_MIB}`]
}

/** The environment of a replica that is launched. */
export function engineEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { MALLOC_MMAP_THRESHOLD_: String(MAPPED_BYTES), ...environment }
}

/** For the process that this is: a V8 that does not know the flag says so, and goes on without it, as it would not as an option of Node. */
export function boundHeap(options: readonly string[] = process.execArgv, setFlags = setFlagsFromString): void {
  if (options.some((option) => /heap[-_]growing/.test(option))) return
  setFlags(`--heap-growing-percent=${GROWTH_PERCENT}`)
}

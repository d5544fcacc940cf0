// What the process that measures and the one that loads tell each other, over the IPC channel.

import { z } from 'zod'
import type { Setting } from './settings.ts'

/** What the loader is to do, as JSON in its only argument. */
export interface Job {
  /** The keyset's folder. */
  readonly cluster: string
  readonly clients: readonly string[]
  readonly setting: Setting
}

export type LoaderCommand =
  | { readonly kind: 'measure'; readonly seconds: number }
  /** Stop, read back what was written, and end. */
  | { readonly kind: 'finish' }

const count = z.number().min(0)

const latency = z.object({ p50: count, p90: count, p99: count, p999: count, max: count, mean: count })

const measured = z.object({
  kind: z.literal('measured'),
  seconds: z.number().positive(),
  operations: count,
  /** Milliseconds. */
  latency,
  /** Milliseconds: the longest time without an answer. */
  longestGapMs: count,
  failures: z.record(z.string(), count),
  /** What the clients counted, by name; see ClientCounter. */
  counters: z.record(z.string(), count),
  cpuUs: z.object({ user: count, system: count }),
  residentBytes: count,
})

const message = z.discriminatedUnion('kind', [
  /** The load runs, and the code is warm. */
  z.object({ kind: z.literal('ready') }),
  measured,
  z.object({ kind: z.literal('finished'), checked: count, wrong: z.array(z.string()) }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
])

/** Of one measured time. */
export type Measured = z.infer<typeof measured>
export type LoaderMessage = z.infer<typeof message>

/** @throws where `value` is no message of the loader. */
export function loaderMessageOf(value: unknown): LoaderMessage {
  return message.parse(value)
}

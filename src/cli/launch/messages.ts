// What a replica process tells the process that launched it, over the IPC channel. Plain values, so that JSON carries them.

import { z } from 'zod'
import { hex } from '../../../crypto/index.ts'
import type { ReplicaStatus } from '../../wire/index.ts'

/** How often a replica reports; a table for people needs no more, and one costs microseconds. */
export const REPORT_EVERY_MS = 250

const whole = z.int().min(0)

const report = z.object({
  /** Its position in the epoch, as are the leader's and those that it is connected to. */
  replica: whole,
  epoch: whole,
  view: whole,
  leader: whole,
  active: z.boolean(),
  chosen: whole,
  executed: whole,
  stable: whole,
  stateRoot: z.string(),
  firstSlot: whole,
  pending: whole,
  transferring: z.boolean(),
  requests: whole,
  uptimeMs: z.number(),
  connected: z.array(whole),
  lies: z.array(z.object({ accused: whole, kind: z.string(), count: whole })),
  liar: z.string(),
  alarms: z.array(z.string()),
})

const message = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('listening'),
    addresses: z.array(z.string()),
    metricsPort: whole.nullable(),
  }),
  z.object({ kind: z.literal('status'), report }),
])

/** A replica's status with its digest in hexadecimal. */
export type ReplicaReport = z.infer<typeof report>
export type ReplicaMessage = z.infer<typeof message>

export function reportOf(status: ReplicaStatus): ReplicaReport {
  return {
    replica: status.replica,
    epoch: status.epoch,
    view: status.view,
    leader: status.leader,
    active: status.active,
    chosen: status.chosen,
    executed: status.executed,
    stable: status.stable,
    stateRoot: hex(status.stateRoot),
    firstSlot: status.firstSlot,
    pending: status.pending,
    transferring: status.transferring,
    requests: status.requests,
    uptimeMs: status.uptimeMs,
    connected: [...status.connected],
    lies: status.lies.map(({ accused, kind, count }) => ({ accused, kind, count })),
    liar: status.liar,
    alarms: [...status.alarms],
  }
}

/** The message in `value`, or undefined where it is none of ours. */
export function replicaMessageOf(value: unknown): ReplicaMessage | undefined {
  const result = message.safeParse(value)
  return result.success ? result.data : undefined
}

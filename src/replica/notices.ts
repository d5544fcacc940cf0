// What people are told: in the log, and as alarms in the status.

import type { Effect, Evidence } from '../consensus/index.ts'
import type { Reign } from './reign.ts'
import type { Alarms } from './status.ts'
import type { Log } from './types.ts'

export interface Notices {
  alarm(code: string, slot: number): void
  evidence(evidence: Evidence): void
  view(effect: Effect & { readonly kind: 'view' }): void
  transfer(slot: number, reason: string): void
  /** Another epoch has begun here. */
  epoch(reign: Reign): void
  /** The replica must not go on. */
  fatal(error: unknown): void
}

export function noticesOf(log: Log, alarms: Alarms, fatal: (error: unknown) => void): Notices {
  return {
    alarm(code, slot) {
      alarms.raise(`${code}: at slot ${slot}`)
      log.error({ code, slot }, 'alarm: the state of this replica is wrong')
    },
    evidence: ({ accused, kind }) => log.warn({ accused, kind }, 'a replica lied, and this proves it'),
    view: ({ view, active, reason }) => log.info({ view, active, reason }, active ? 'in a view' : 'changing the view'),
    epoch: ({ core: { epoch }, self }) => log.info({ epoch, replica: self }, 'in another epoch'),
    transfer: (slot, reason) => log.info({ slot, reason }, 'fetching the state from peers'),
    fatal,
  }
}

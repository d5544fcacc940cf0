// What a record that t replicas stand for means to whoever asked.

import { fromUtf8, readU64 } from '../../crypto/index.ts'
import type { Outcome, ResultRecord } from '../machine/index.ts'
import type { RefusalCode } from '../wire/index.ts'
import { type Done, OutcomeUnknown, type Receipt, Refused, ResultForgotten } from './types.ts'

type Verdict = Done<Uint8Array> | Refused | OutcomeUnknown | ResultForgotten

const REFUSALS: Readonly<Record<Exclude<Outcome, 'done' | 'expired' | 'forgotten'>, string>> = Object.freeze({
  refused: 'the state machine refused the request',
  failed: 'the state machine failed at the request, and nothing was changed',
  limit: 'the request goes beyond a limit of the state machine, and nothing was changed',
  forbidden: "the client's role does not allow this, and nothing was changed",
  conflict:
    'another request with the same sequence number was first, so this one never executes; two processes use this key ' +
    'at once: give them one state file, or a key each',
  'unknown-client': 'the cluster does not know this client key',
})

const DOOR: Readonly<Record<Exclude<RefusalCode, 'busy'>, string>> = Object.freeze({
  'unknown-client': 'the replicas do not know this client key',
  'too-large': 'the replicas found the request too large',
  'bad-signature': 'the replicas found the signature of the request wrong; is the key that of the public key?',
  malformed: 'the replicas could not read the request; are client and cluster of the same version?',
  'not-allowed': "the client's role does not allow this",
})

export function verdictOf(record: ResultRecord, receipt: Receipt): Verdict {
  const { outcome, slot, result } = record
  switch (outcome) {
    case 'done':
      return { value: result, slot, receipt }
    case 'expired':
      return new OutcomeUnknown(
        receipt.request,
        `the cluster no longer knows about the request: its number ${record.sequence} is too far below the highest ` +
          `one used, ${highestOf(record) ?? 'unknown'}; it may have been executed before, and will not be from now on`,
        { expired: true },
      )
    case 'forgotten':
      return new ResultForgotten(slot, result, receipt)
    case 'refused': {
      const detail = fromUtf8(result) ?? ''
      return new Refused(outcome, detail, `${REFUSALS.refused}: ${detail}`, receipt)
    }
    default:
      return new Refused(outcome, '', REFUSALS[outcome], receipt)
  }
}

/** What q replicas answered to a read, where it is no result. */
export function refusedRead(outcome: Exclude<Outcome, 'done'>, result: Uint8Array): Refused {
  if (outcome === 'forbidden') return new Refused(outcome, '', 'the command writes, and a read must not: use submit')
  if (outcome === 'expired' || outcome === 'forgotten') return new Refused(outcome, '', 'a read has no such outcome')
  const detail = outcome === 'refused' ? (fromUtf8(result) ?? '') : ''
  return new Refused(outcome, detail, detail === '' ? REFUSALS[outcome] : `${REFUSALS[outcome]}: ${detail}`)
}

/** Of an `expired` record: the highest number that the cluster has seen of this client. */
export function highestOf({ result }: ResultRecord): number | undefined {
  return result.length === 16 ? readU64(result, 8) : undefined
}

export function doorRefusal(code: Exclude<RefusalCode, 'busy'>): Refused {
  return new Refused(code, '', DOOR[code])
}

export function notSent(why: string): Refused {
  return new Refused('not-sent', '', `the request ${why}; it was not executed and will not be`)
}

export function tooLarge(bytes: number, most: number): Refused {
  return new Refused(
    'too-large',
    '',
    `the request has ${bytes} bytes, and the cluster takes at most ${most} (maxRequestBytes)`,
  )
}

export function queueFull(waiting: number): Refused {
  return new Refused('queue-full', '', `${waiting} requests wait to be sent already; this one was not sent`)
}

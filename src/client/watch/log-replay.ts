// One replica's log, executed here: of each slot the entry that a quorum signed, from a state that a quorum signed or from the first
// slot on. Everything that a command did follows from these, so nothing about it has to be believed, and nothing can be left out.

import { equalBytes, slot as slotOf } from '../../../crypto/index.ts'
import { type AuditContext, chosenFault, verifyArchivedReceipt } from '../../audit/verify/index.ts'
import type { EpochChain, SignedRequest } from '../../consensus/index.ts'
import { changeBytes, type Executor, type StateChange } from '../../machine/index.ts'
import type { ArchivedSlot, WatchedSlot } from '../../wire/index.ts'
import type { ClusterView } from '../cluster-view.ts'
import { COMMIT_KEYS } from '../limits.ts'

export class LogReplay {
  private readonly view: ClusterView
  private readonly executor: Executor
  private context: AuditContext
  private chain: EpochChain | undefined

  /** Requires an executor that tracks changes. */
  constructor(context: AuditContext, view: ClusterView, executor: Executor) {
    this.context = context
    this.view = view
    this.executor = executor
  }

  /** The slot executed last. */
  get slot(): number {
    return this.executor.slot
  }

  /** The agreed time of it. */
  get timestampMs(): number {
    return this.executor.timestampMs
  }

  /** Executes the entry of the next slot; what is wrong with it, in words, or all that it changed. */
  take(archived: ArchivedSlot): string | WatchedSlot {
    const { entry, certificate, receipt } = archived
    const { slot, timestampMs } = entry.header
    const context = this.judging()
    const fault = chosenFault(entry, certificate, context)
    if (fault !== undefined) return fault.message
    const { root, changes } = this.executor.execute({ slot, timestampMs, requests: entry.requests })
    const misjudged = verifyArchivedReceipt(archived, context)
    if (!misjudged.ok) return misjudged.fault.message
    if (receipt !== undefined && !equalBytes(receipt.statement.digest, root)) {
      return 'the results that it signed are not those that executing the entry gives'
    }
    const next = context.chain.after(slotOf(slot))
    if (next !== undefined && !equalBytes(this.executor.stateRoot(), next.start.stateRoot)) {
      return 'the state after it is not the one with which the epoch was handed over'
    }
    this.commit()
    const { header } = entry
    return {
      slot,
      header,
      certificate,
      timestampMs: this.timestampMs,
      requests: requestsOf(archived, changes),
      changes: changes.map(changeBytes),
    }
  }

  /** By the chain as it is followed now. */
  private judging(): AuditContext {
    const { chain } = this.view
    if (this.chain !== chain) {
      this.chain = chain
      this.context = { ...this.context, chain: chain.judgedBy({ known: wasChecked }) }
    }
    return this.context
  }

  /** Keys that were changed are noted until the root is brought up to date: without that they would only ever grow in number. */
  private commit(): void {
    if (this.executor.uncommitted >= COMMIT_KEYS) this.executor.stateRoot()
  }
}

/** A quorum voted for the entry, and who votes has checked its clients' signatures. */
function wasChecked({ request: { sequence } }: SignedRequest): boolean {
  return sequence >= 1 && Number.isSafeInteger(sequence)
}

/** Those that changed something. */
function requestsOf({ entry }: ArchivedSlot, changes: readonly StateChange[]): WatchedSlot['requests'] {
  const causes = new Set(changes.map(({ index }) => index))
  return entry.requests.flatMap(({ request: { client, sequence }, id }, index) =>
    causes.has(index) ? [{ index, client, sequence, identity: { kind: 'id', id } as const }] : [],
  )
}

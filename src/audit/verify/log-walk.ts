// What depends on the order of a bundle's items: slots and checkpoints ascend, what the first line claims is there, whole ranges
// lead from one checkpoint to the next, and execution from the genesis gives what was signed. Signatures are not looked at here.

import {
  appendLeaf,
  type Digest,
  EMPTY_FRONTIER,
  equalBytes,
  type Frontier,
  frontierRoot,
  parseCheckpoint,
} from '../../../crypto/index.ts'
import { encodeCharter } from '../../../keys/charter/index.ts'
import type { EpochChain, EpochContext } from '../../consensus/index.ts'
import type { Executor } from '../../machine/index.ts'
import { type AuditContext, genesisExecutor } from './context.ts'
import { type AuditFault, fault } from './fault.ts'
import type { CheckpointItem, EntryItem, StateItem } from './items.ts'
import type { BundleContents } from './records.ts'
import { entryTouches } from './touches.ts'

/** `certificates`: all that is there holds. `log`: and every entry is in the checkpointed log. `replay`: and is executed. */
export type AuditLevel = 'certificates' | 'log' | 'replay'
export const AUDIT_LEVELS: readonly AuditLevel[] = Object.freeze(['certificates', 'log', 'replay'])

/** A checkpoint of the bundle; `bad` once its note was refused. */
export interface WalkedCheckpoint {
  readonly slot: number
  readonly logRoot: Digest
  readonly stateRoot: Digest
  readonly frontier: Frontier
  readonly note: string
  /** Whether it has a proof that its log leads to the one that the last epoch began with. */
  readonly leads: boolean
  bad: boolean
}

/** Why a bundle with these contents cannot be executed; undefined where it can. */
export function replayRefusal(contents: BundleContents): string | undefined {
  if (contents.kind !== 'slots')
    return 'cannot replay: that needs every entry from slot 1, and this bundle is no range of slots'
  if (contents.from === 1) return undefined
  return `cannot replay: that needs every entry from slot 1, and this bundle begins at slot ${contents.from}`
}

/** How many of each kind a bundle holds. */
interface ItemCounts {
  readonly entries: number
  readonly receipts: number
  readonly states: number
}

export class LogWalk {
  /** The newest checkpoint above. */
  checkpoint: WalkedCheckpoint | undefined
  private readonly contents: BundleContents
  private readonly level: AuditLevel
  private readonly chain: EpochChain
  /** Slot of the checkpoint before the newest. */
  private before = 0
  /** The last slot. */
  private last = 0
  /** The log up to the last slot where it is known: from slot 1 or a checkpoint on, while no slot is left out. */
  private log: Frontier | undefined = EMPTY_FRONTIER
  private executor: Executor | undefined

  /** With `replay`, requires contents that {@link replayRefusal} does not refuse. */
  constructor(contents: BundleContents, level: AuditLevel, context: AuditContext) {
    this.contents = contents
    this.level = level
    this.chain = context.chain
    if (level === 'replay') this.executor = genesisExecutor(context)
  }

  takeCheckpoint({ note, frontier, consistency }: CheckpointItem): AuditFault | undefined {
    const parsed = parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1))
    if (!parsed.ok) return fault('checkpoint', parsed.fault.code, 'the checkpoint note is malformed')
    const { slot, logRoot, stateRoot } = parsed.value
    this.before = this.checkpoint?.slot ?? 0
    this.checkpoint = { slot, logRoot, stateRoot, frontier, note, leads: consistency !== undefined, bad: false }
    if (slot > this.before && slot > this.last) return undefined
    return fault(
      'format',
      'checkpoint-out-of-order',
      `checkpoint ${slot} does not stand above the entries that it covers`,
    )
  }

  takeEntry(item: EntryItem): AuditFault | undefined {
    const { slot } = item.entry.header
    const misplaced = this.orderFault(slot)
    this.last = Math.max(this.last, slot)
    if (misplaced !== undefined) {
      this.log = undefined
      return misplaced
    }
    if (this.contents.kind === 'key' && !entryTouches(item.entry, this.contents.key)) {
      return fault('contents', 'other-key', 'no command in it names the key that this bundle is about')
    }
    const unchained = this.extend(item)
    return unchained ?? this.replay(item) ?? this.coverFault(slot)
  }

  takeState({ proof: { key } }: StateItem): AuditFault | undefined {
    const { contents } = this
    if (contents.kind !== 'state' || equalBytes(contents.key, key)) return undefined
    return fault('contents', 'other-key', 'it is about another key than the bundle claims')
  }

  /** What the whole bundle lacks of what it claims. */
  finish({ entries, receipts, states }: ItemCounts): AuditFault | undefined {
    const { contents, last } = this
    if (contents.kind === 'slots' && last !== contents.to) {
      return fault(
        'contents',
        'missing-slot',
        `it claims to hold slots up to ${contents.to} and ends after slot ${last}`,
      )
    }
    const expected =
      receipts === (contents.kind === 'receipt' ? 1 : 0) &&
      states === (contents.kind === 'state' ? 1 : 0) &&
      (entries === 0 || contents.kind === 'slots' || contents.kind === 'key') &&
      (contents.kind !== 'state' || this.before === 0)
    if (expected) return undefined
    return fault('contents', 'other-contents', `it claims to hold ${CLAIMS[contents.kind]} and does not hold just that`)
  }

  private orderFault(slot: number): AuditFault | undefined {
    const { contents, last } = this
    if (slot <= last) return fault('format', 'entry-out-of-order', `slot ${slot} does not come behind slot ${last}`)
    if (slot <= this.before) return fault('format', 'entry-out-of-order', `slot ${slot} is below the last checkpoint`)
    if (contents.kind !== 'slots') return undefined
    const next = last === 0 ? contents.from : last + 1
    if (slot === next) return undefined
    return fault('contents', 'missing-slot', `slot ${next} is missing before it`)
  }

  /** The log grows by an entry; where it reaches a checkpoint, the two must be one log. */
  private extend({ entry }: EntryItem): AuditFault | undefined {
    const { slot } = entry.header
    const { checkpoint, log } = this
    this.log = log?.size === slot - 1 ? appendLeaf(log, entry.digest) : undefined
    const reached = this.log
    const after = this.chain.after(slot)
    if (reached !== undefined && after !== undefined && !equalBytes(frontierRoot(reached), after.start.logRoot)) {
      return fault(
        'chain',
        'other-log',
        `the entries do not lead to the log root with which slot ${slot} ended the epoch`,
      )
    }
    if (checkpoint?.slot !== slot) return undefined
    this.log = checkpoint.frontier
    if (reached === undefined || equalBytes(frontierRoot(reached), checkpoint.logRoot)) return undefined
    return fault('chain', 'other-log', `the entries do not lead to the log root of checkpoint ${slot}`)
  }

  private replay({ entry, results }: EntryItem): AuditFault | undefined {
    if (this.level !== 'replay') return undefined
    const { slot, timestampMs } = entry.header
    const { checkpoint, executor } = this
    const executable = entry.requests.every(({ request }) => request.sequence > 0)
    if (executor === undefined || !executable || executor.slot !== slot - 1) {
      this.executor = undefined
      return fault('replay', 'stopped', 'it was not executed, since an entry before it could not be')
    }
    const { epoch } = this.chain.at(slot).charter
    const office = executor.charter()?.epoch
    if (office !== epoch) {
      this.executor = undefined
      return fault(
        'replay',
        'other-epoch',
        `executing everything before it leads to epoch ${office}, not to epoch ${epoch}`,
      )
    }
    const { root } = executor.execute({ slot, timestampMs, requests: entry.requests })
    if (results !== undefined && !equalBytes(root, results.receipt.statement.digest)) {
      return fault('replay', 'other-results', 'executing it gives other results than those that the receipts sign')
    }
    const after = this.chain.after(slot)
    const signed = checkpoint?.slot === slot ? checkpoint : after?.start
    if (signed !== undefined && !equalBytes(executor.stateRoot(), signed.stateRoot)) {
      return fault(
        'replay',
        'other-state',
        `executing everything up to it gives another state than checkpoint ${slot} signs`,
      )
    }
    return after === undefined ? undefined : charterFault(executor, after)
  }

  private coverFault(slot: number): AuditFault | undefined {
    if (this.level === 'certificates') return undefined
    if (this.checkpoint !== undefined && slot <= this.checkpoint.slot) return undefined
    return fault(
      'inclusion',
      'not-checkpointed',
      'no checkpoint covers it yet; level certificates does not ask for one',
    )
  }
}

/** That the members of the next epoch are those that the machine put in office, by the changes that are in the log. */
function charterFault(executor: Executor, { charter }: EpochContext): AuditFault | undefined {
  const office = executor.charter()
  if (office !== undefined && equalBytes(encodeCharter(office), encodeCharter(charter))) return undefined
  return fault(
    'replay',
    'other-charter',
    `executing everything gives another charter than that of epoch ${charter.epoch}`,
  )
}

const CLAIMS: Readonly<Record<BundleContents['kind'], string>> = Object.freeze({
  slots: 'a range of entries',
  key: 'entries about a key',
  receipt: 'one receipt',
  state: 'one key of the state under one checkpoint',
  evidence: 'NewViews and evidence',
})

// What is wrong with one item of a bundle, whatever its order among the others.

import { checkpointItemFault } from './checkpoints.ts'
import { entryItemFault, evidenceItemFault, newViewItemFault, receiptItemFault, stateItemFault } from './checks.ts'
import type { AuditContext } from './context.ts'
import { type AuditFault, fault } from './fault.ts'
import type { BundleItem, EvidenceItem } from './items.ts'
import type { WalkedCheckpoint } from './log-walk.ts'

/** The first fault; `checkpoint` is the one that stands before it in the bundle. */
export function judge(
  item: BundleItem,
  checkpoint: WalkedCheckpoint | undefined,
  context: AuditContext,
): AuditFault | undefined {
  switch (item.kind) {
    case 'checkpoint':
      return checkpointItemFault(item, context)
    case 'entry':
      return entryItemFault(item, checkpoint, context)
    case 'receipt':
      return receiptItemFault(item, context)
    case 'state':
      return stateItemFault(item, checkpoint)
    case 'new-view':
      return newViewItemFault(item.newView, context)
    case 'evidence':
      return accusedIn(item, context)
    case 'head':
    case 'epoch':
    case 'end':
    case 'broken':
      return undefined
  }
}

function accusedIn({ epoch, evidence }: EvidenceItem, context: AuditContext): AuditFault | undefined {
  const of = context.chain.epochs[epoch]
  if (of === undefined)
    return fault('evidence', 'unknown-epoch', `it is of epoch ${epoch}, which the bundle does not name`)
  return evidenceItemFault(evidence, context, of)
}

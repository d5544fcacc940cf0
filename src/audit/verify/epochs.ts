// The epochs of a bundle: every hand-over from the genesis on, each signed by a quorum of the epoch before, and whether that is the
// chain that the reader means.
//
// Signatures alone cannot say the last. Who has stolen the keys of an epoch after it was over can make another hand-over, or let the
// epoch go on, and then everything that follows. So whatever comes after a hand-over is ambiguous to who has the genesis alone,
// and is not to who has a pin of that hand-over: it fixes the charters up to it, the log, and the state that the epoch began with.

import { equalBytes, publicKey, slot, utf8, verifyStableCheckpoint } from '../../../crypto/index.ts'
import { decodeCharter } from '../../../keys/charter/index.ts'
import type { ChainFault, EpochChain, EpochContext, Pin } from '../../consensus/index.ts'
import { stableOf } from './checkpoints.ts'
import type { AuditContext } from './context.ts'
import { type AuditFault, fault } from './fault.ts'
import type { EpochItem } from './items.ts'

/** What a reader trusts beside the genesis. */
export interface EpochTrust {
  /** A hand-over that the bundle must go through. */
  readonly pin?: Pin | undefined
  /** A chain of this cluster that the reader followed itself: as good as a pin, and it stands for epochs that a bundle leaves out. */
  readonly chain?: EpochChain | undefined
}

/**
 * `genesis`: it claims to end in the first epoch, which the genesis fixes. `pinned`: it ends in the epoch that the pin fixes.
 * `ambiguous`: with what the reader trusts nobody can tell it from what thieves of retired keys could make.
 */
export type Standing = 'genesis' | 'pinned' | 'ambiguous'

/**
 * What makes it ambiguous: there is no pin; it goes on after the hand-over that is pinned; or what it is about was signed with keys
 * of an epoch that is over, and no pin fixes that.
 */
export type Doubt = 'unpinned' | 'beyond-pin' | 'retired-keys'

/** Reads the lines of a bundle that name epochs, in their order. */
export class EpochReader {
  /** As far as it was read; once all was, also what the reader knows and the bundle leaves out. */
  chain: EpochChain
  private readonly known: EpochChain | undefined
  private readonly pin: Pin | undefined

  constructor(context: AuditContext, { pin, chain }: EpochTrust) {
    this.chain = context.chain
    this.known = chain?.judgedBy({ verifier: context.executes })
    this.pin = chain?.pin ?? pin
  }

  take({ charter: bytes, note }: EpochItem): AuditFault | undefined {
    const { last } = this.chain
    const { admit, clusterName, verifier } = last.verify
    const charter = decodeCharter(bytes, (key) => admit(publicKey(key)))
    if (charter === undefined) return fault('epoch', 'bad-charter', 'the charter is malformed')
    const checked = verifyStableCheckpoint(utf8(note), last.membership, clusterName, verifier)
    if (!checked.ok)
      return fault('epoch', checked.fault.code, `the note of the hand-over is bad: ${checked.fault.code}`)
    const checkpoint = stableOf(note, checked.value.signers)
    if (checkpoint === undefined) return fault('epoch', 'malformed', 'the note of the hand-over is malformed')
    const longer = this.chain.extend({ checkpoint, charter })
    if (!longer.ok) return refused(longer.fault)
    const other = this.otherChain(longer.value.last)
    if (other === undefined) this.chain = longer.value
    return other
  }

  /** Once every epoch was read. */
  finish(): AuditFault | undefined {
    const { chain, pin, known } = this
    if (known !== undefined && !sameFirst(known, chain)) return refused({ code: 'pin-of-another-cluster' })
    if (known !== undefined && known.links.length > chain.links.length) this.chain = known
    if (pin === undefined) return undefined
    if (!equalBytes(pin.clusterId, chain.last.membership.clusterId)) return refused({ code: 'pin-of-another-cluster' })
    return this.chain.links.length < pin.epoch ? refused({ code: 'shorter-than-pin' }) : undefined
  }

  /** Whether it ends in an epoch that the pin fixes. */
  get pinned(): boolean {
    return this.chain.last.charter.epoch === this.pin?.epoch
  }

  /** What keeps the chain from being the one that is meant, for all that is known. */
  get doubt(): Doubt | undefined {
    const { epoch } = this.chain.last.charter
    if (this.pinned || epoch === 0) return undefined
    return this.pin !== undefined && epoch > this.pin.epoch ? 'beyond-pin' : 'unpinned'
  }

  private otherChain({ charter: { epoch }, start }: EpochContext): AuditFault | undefined {
    const { pin, known } = this
    const expected = epoch === pin?.epoch ? pin.handOver : known?.epochs[epoch]?.start.justification
    if (expected === undefined || equalBytes(expected, start.justification)) return undefined
    return refused({ code: 'not-through-pin' })
  }
}

function sameFirst(one: EpochChain, other: EpochChain): boolean {
  const [a, b] = [one.at(slot(0)).membership, other.at(slot(0)).membership]
  return equalBytes(a.clusterId, b.clusterId) && equalBytes(a.digest, b.digest)
}

function refused(found: ChainFault): AuditFault {
  const { code } = found
  if (code === 'bad-checkpoint') return fault('epoch', found.fault, `the hand-over is bad: ${found.fault}`)
  if (code !== 'bad-charter') return fault('epoch', code, MESSAGES[code])
  const [first] = found.faults
  return fault('epoch', code, `there may be no such charter: ${first?.path} ${first?.message}`)
}

const MESSAGES: Readonly<Record<Exclude<ChainFault['code'], 'bad-checkpoint' | 'bad-charter'>, string>> = Object.freeze(
  {
    'wrong-epoch': 'the charter is not that of the epoch after the one above',
    'wrong-previous': 'the charter follows on another membership than that of the epoch above',
    'wrong-start': 'the charter begins with another slot than the hand-over ends the epoch above with',
    'wrong-next': 'the hand-over names another membership than that under the charter',
    'pin-of-another-cluster': 'the pin is of another cluster',
    'shorter-than-pin': 'it does not get to the hand-over that is pinned',
    'not-through-pin': 'the hand-over to this epoch is another than the one that is pinned',
  },
)

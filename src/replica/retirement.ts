// A replica that is no member any more. Its core is over and signs nothing; it goes on handing out what it has, since those who are new may
// need it, until a quorum of the next epoch is seen to have gone on. Then, or where nobody is heard of for long, it stops by itself.

import type { CharterMember } from '../../keys/charter/index.ts'
import { peerIdOf } from '../../keys/index.ts'
import { type EpochChain, type EpochContext, type StableCheckpoint, verifyMessage } from '../consensus/index.ts'
import type { Epochs } from './epochs.ts'
import type { Keyring } from './keyring.ts'
import { LINGER_TIMEOUTS } from './limits.ts'
import type { MachineHost } from './machine-host.ts'
import type { Peer } from './reign.ts'
import type { Log } from './types.ts'

/** Why a replica stopped: it has been removed, and is no more needed. */
export interface Retired {
  /** The last epoch of which it was a member, and the last slot of that. */
  readonly epoch: number
  readonly slot: number
  /** One sentence for the operator. */
  readonly why: string
}

export interface RetirementParts {
  /** What it is called. */
  readonly name: string
  readonly epochs: Pick<Epochs, 'newest'>
  readonly host: Pick<MachineHost, 'changedAt'>
  readonly keyring: Pick<Keyring, 'erase'>
  readonly log: Pick<Log, 'warn'>
  readonly fatal: (error: unknown) => void
  /** Asks members of the next epoch whether they have gone on: where all left, nobody speaks to this replica any more. */
  readonly ask: (members: readonly Peer[], nowMs: number) => void
  /** It may stop. */
  readonly retire: (retired: Retired) => void
}

export class Retirement {
  private readonly parts: RetirementParts
  /** The epoch after its last one, and since when it waits for that to go on. */
  private lingering: { readonly next: EpochContext; sinceMs: number | undefined } | undefined
  private retired = false
  private erasing: Promise<void> | undefined

  constructor(parts: RetirementParts) {
    this.parts = parts
  }

  /** Members of the next epoch, who may fetch what is here. */
  get guests(): readonly CharterMember[] {
    return this.lingering?.next.charter.members ?? []
  }

  get lingers(): boolean {
    return this.lingering !== undefined
  }

  /** The last epoch of which this replica is a member is over, and `next` begins without it. */
  linger(next: EpochContext): void {
    if (this.lingering === undefined) {
      const what = `${this.removal(next)}; it hands out what it has until the next epoch goes on`
      this.parts.log.warn({ epoch: next.charter.epoch - 1, slot: next.start.slot }, what)
    }
    this.lingering ??= { next, sinceMs: undefined }
    this.erasing ??= this.parts.keyring.erase()
    this.erasing.catch(this.parts.fatal)
    if (this.parts.epochs.newest > next.charter.epoch) this.retire(next)
  }

  /** The epochs have gone on while it was away: nothing that it has is of use to anybody. */
  leave(next: EpochContext): void {
    this.retire(next)
  }

  tick(nowMs: number): void {
    const { lingering } = this
    if (lingering === undefined) return
    lingering.sinceMs ??= nowMs
    const { members, parameters } = lingering.next.charter
    const { viewTimeoutCapMs } = parameters
    const guests = members.map(({ transportKey }) => peerIdOf(transportKey))
    this.parts.ask(guests, nowMs)
    if (nowMs - lingering.sinceMs > LINGER_TIMEOUTS * viewTimeoutCapMs) this.retire(lingering.next)
  }

  /** A verified chain, and a checkpoint of its last epoch, perhaps one that a quorum there signed. */
  see({ last }: EpochChain, checkpoint: StableCheckpoint): void {
    const { lingering } = this
    if (lingering === undefined || checkpoint.slot <= lingering.next.start.slot) return
    if (verifyMessage({ kind: 'stable', checkpoint }, last.verify).ok) this.retire(lingering.next)
  }

  private removal({ charter, start }: EpochContext): string {
    const { name, host } = this.parts
    const change = host.changedAt === undefined ? '' : ` by the change in slot ${host.changedAt}`
    return `${name} was removed${change}; epoch ${charter.epoch - 1} ended with slot ${start.slot}`
  }

  private retire(next: EpochContext): void {
    if (this.retired) return
    this.retired = true
    const { keyring, retire, fatal } = this.parts
    const { charter, start } = next
    const epoch = charter.epoch - 1
    const why = `${this.removal(next)}; its key is erased`
    this.erasing ??= keyring.erase()
    this.erasing.then(() => retire({ epoch, slot: start.slot, why }), fatal)
  }
}

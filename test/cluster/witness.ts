// A client that stays through changes of the members: it watches what a load writes, holds a lock all the while, and keeps receipts of
// each epoch, which somebody who has nothing but the genesis and a pin checks afterwards.

import assert from 'node:assert/strict'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type AuditSummary, encodeReceiptFile, verifyBundle, verifyFencingToken } from '../../src/audit/verify/index.ts'
import { type Client, type Done, type HeldLock, lock, type Receipt, type Watch } from '../../src/client/index.ts'
import type { EpochChain } from '../../src/consensus/index.ts'
import type { Operation } from '../../src/simulation/index.ts'

const LOCK = 'held through changes'
/** Longer than a busy machine keeps the holder from saying that it is there. */
const TTL_MS = 30_000

export class Witness {
  private readonly client: Client
  private readonly watch: Watch
  private readonly held: HeldLock
  private readonly receipts: Receipt[] = []
  private readonly seen: string[] = []
  /** The key that is written last of all. */
  private readonly end: string
  private readonly watching: Promise<void>

  private constructor(client: Client, prefix: string, watch: Watch, held: HeldLock) {
    this.client = client
    this.end = `${prefix} end`
    this.watch = watch
    this.held = held
    this.watching = this.read()
    this.watching.catch(() => {})
  }

  /** Watches keys that begin with `prefix`, from now on. */
  static async of(client: Client, prefix: string): Promise<Witness> {
    const watch = client.watch({ prefix })
    await watch.started
    return new Witness(client, prefix, watch, await lock(client, LOCK, { ttlMs: TTL_MS }))
  }

  /** Writes something, and keeps the receipt. */
  async keep(): Promise<void> {
    const { receipt } = await this.client.put(`witnessed ${this.receipts.length}`, 'x')
    this.receipts.push(receipt)
  }

  /** Once nobody writes any more: it saw what the load was told, each change once; it holds the lock; and its receipts are good. */
  async testify(operations: readonly Operation[], chain: EpochChain): Promise<void> {
    const told = operations.flatMap(eventOf)
    await this.client.put(this.end, 'x')
    await this.watching
    assert.deepEqual(this.seen.sort(), told.sort(), 'what the watch saw, and what the load was told')
    await this.lockHolds(chain)
    for (const receipt of this.receipts) await this.receiptHolds(receipt, chain)
  }

  /** Epochs of which a receipt is kept. */
  epochsIn(chain: EpochChain): number[] {
    return this.receipts.map(({ certificate }) => chain.at(certificate.statement.slot).charter.epoch)
  }

  private async read(): Promise<void> {
    for await (const { slot, events } of this.watch) {
      for (const event of events) {
        const [key, value] = [event.key, event.kind === 'put' ? event.value : ''].map((each) =>
          Buffer.from(each).toString(),
        )
        if (key === this.end) return
        this.seen.push(`${slot} ${event.kind} ${key} ${value}`)
      }
    }
  }

  private async lockHolds(chain: EpochChain): Promise<void> {
    const { held, client } = this
    assert.equal(held.lost.aborted, false, 'the lock was lost')
    const options = { genesis: client.genesis, name: LOCK, verifier: nativeVerifier, pin: chain.pin, chain }
    const facts = await verifyFencingToken(held.token.receipt, options)
    assert.ok(facts.ok, 'the fencing token does not hold')
    assert.equal(facts.value.slot, held.token.slot)
  }

  /** With a pin alone: that of the last epoch at once, one of an epoch that is over once the cluster was asked again about its request. */
  private async receiptHolds(receipt: Receipt, chain: EpochChain): Promise<void> {
    const isOver = chain.at(receipt.certificate.statement.slot).lastSlot !== undefined
    const standing = isOver ? { standing: 'ambiguous', doubt: 'retired-keys' } : { standing: 'pinned', valid: true }
    assert.partialDeepStrictEqual(await this.judge(receipt, chain), { faultCount: 0, ...standing })
    const again: Done<Uint8Array> = await this.client.resume(receipt.request)
    assert.partialDeepStrictEqual(await this.judge(again.receipt, chain), {
      faultCount: 0,
      standing: 'pinned',
      valid: true,
    })
    assert.deepEqual(again.receipt.record, receipt.record, 'what came of a request, as it is told later')
  }

  private async judge(receipt: Receipt, chain: EpochChain): Promise<AuditSummary> {
    const { genesis } = this.client
    const file = encodeReceiptFile(receipt, genesis, chain)
    const options = { level: 'certificates', verifier: nativeVerifier, pin: chain.pin } as const
    for await (const each of verifyBundle([file], genesis, options)) if (each.kind === 'summary') return each
    assert.fail('a receipt was judged without a summary')
  }
}

function eventOf({ command, outcome, answer, slot }: Operation): string[] {
  if (outcome !== 'done') return []
  if (command.kind === 'put') return [`${slot} put ${command.key} ${command.value}`]
  const deleted = answer?.kind === 'delete' && answer.deleted
  return command.kind === 'delete' && deleted ? [`${slot} delete ${command.key} `] : []
}

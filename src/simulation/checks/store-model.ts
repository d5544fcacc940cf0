// The key-value store as a plain map: slow, obvious, and written without a look at the real one. Leases too: a list, looked through
// at every entry, with everything that is over taken out before the first command.

import { fromUtf8, hex } from '../../../crypto/index.ts'
import { decodeKvCommand, decodeKvResult, type KvCommand, type KvResult } from '../../machine/index.ts'

/** A command of the log and what the machine answered. */
export interface ModelStep {
  readonly client: Uint8Array
  readonly command: Uint8Array
  readonly outcome: 'done' | 'refused'
  readonly result: Uint8Array
}

interface Lease {
  readonly owner: string
  readonly ttlMs: number
  endsMs: number
}

export class StoreModel {
  private readonly content = new Map<string, { readonly value: string; readonly lease: number | undefined }>()
  private readonly leases = new Map<number, Lease>()
  private granted = 0
  private nowMs = 0

  /** The entry with this agreed time begins. */
  begin(timestampMs: number): void {
    this.nowMs = timestampMs
    for (const [number, { endsMs }] of this.leases) if (endsMs <= timestampMs) this.end(number)
  }

  /** Applies a command of the entry that has begun, and compares; what differs, or undefined. */
  apply({ client, command: bytes, outcome, result }: ModelStep): string | undefined {
    const command = decodeKvCommand(bytes)
    if (command === undefined) return 'unreadable command'
    const expected = this.expected(command, hex(client))
    const actual = outcome === 'refused' ? `refused ${text(result)}` : shown(decodeKvResult(result))
    return expected === actual ? undefined : `the model answers ${expected}, the machine ${actual}`
  }

  private expected(command: KvCommand, client: string): string {
    switch (command.kind) {
      case 'get':
        return `get ${this.content.get(text(command.key))?.value}`
      case 'put': {
        const refusal = command.lease === undefined ? undefined : this.refusal(command.lease, client)
        if (refusal !== undefined) return refusal
        this.content.set(text(command.key), { value: text(command.value), lease: command.lease })
        return 'put'
      }
      case 'delete':
        return `delete ${this.content.delete(text(command.key)) ? 1 : 0}`
      case 'txn': {
        const holds = command.compares.every((compare) => {
          const held = this.content.get(text(compare.key))?.value
          return compare.target === 'value' ? held === text(compare.value) : held === undefined
        })
        for (const operation of holds ? command.success : command.failure) this.expected(operation, client)
        return `txn ${holds}`
      }
      case 'lease-grant': {
        this.granted++
        const endsMs = this.nowMs + command.ttlMs
        this.leases.set(this.granted, { owner: client, ttlMs: command.ttlMs, endsMs })
        return `lease ${this.granted} until ${endsMs}`
      }
      case 'lease-keep-alive': {
        const lease = this.leases.get(command.lease)
        const refusal = this.refusal(command.lease, client)
        if (lease === undefined || refusal !== undefined) return refusal ?? ''
        lease.endsMs = this.nowMs + lease.ttlMs
        return `kept until ${lease.endsMs}`
      }
      case 'lease-revoke':
        return this.refusal(command.lease, client) ?? `revoked ${this.end(command.lease)}`
      default:
        return command.kind
    }
  }

  private refusal(number: number, client: string): string | undefined {
    const lease = this.leases.get(number)
    if (lease === undefined) return 'refused lease-not-found'
    return lease.owner === client ? undefined : 'refused lease-not-yours'
  }

  private end(number: number): number {
    const gone = [...this.content].filter(([, { lease }]) => lease === number)
    for (const [key] of gone) this.content.delete(key)
    this.leases.delete(number)
    return gone.length
  }
}

function shown(result: KvResult | undefined): string {
  if (result === undefined) return 'nothing readable'
  const { response } = result
  switch (response.kind) {
    case 'get':
      return `get ${response.entry === undefined ? undefined : text(response.entry.value)}`
    case 'delete':
      return `delete ${response.count}`
    case 'txn':
      return `txn ${response.succeeded}`
    case 'lease-grant':
      return `lease ${response.lease} until ${response.expiresAtMs}`
    case 'lease-keep-alive':
      return `kept until ${response.expiresAtMs}`
    case 'lease-revoke':
      return `revoked ${response.count}`
    default:
      return response.kind
  }
}

function text(bytes: Uint8Array): string {
  return fromUtf8(bytes) ?? 'not text'
}

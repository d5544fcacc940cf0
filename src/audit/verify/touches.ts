// Which entries of the key-value machine are about a key.

import { compareBytes, equalBytes } from '../../../crypto/index.ts'
import type { Entry } from '../../consensus/index.ts'
import { decodeKvCommand, type KvCommand, type Operation } from '../../machine/index.ts'

/**
 * Whether a command in `entry` names `key`, reads or writes a range with it, or compares it. What happens to leases names no key, and
 * the end of one happens without a command: neither touches the keys that are attached.
 */
export function entryTouches(entry: Entry, key: Uint8Array): boolean {
  return entry.requests.some(({ request }) => {
    const command = decodeKvCommand(request.command)
    return command !== undefined && commandTouches(command, key)
  })
}

function commandTouches(command: KvCommand, key: Uint8Array): boolean {
  switch (command.kind) {
    case 'txn':
      return (
        command.compares.some((compare) => equalBytes(compare.key, key)) ||
        [...command.success, ...command.failure].some((operation) => operationTouches(operation, key))
      )
    case 'lease-grant':
    case 'lease-keep-alive':
    case 'lease-revoke':
      return false
    default:
      return operationTouches(command, key)
  }
}

function operationTouches(operation: Operation, key: Uint8Array): boolean {
  if (operation.kind !== 'range' && operation.kind !== 'delete-range') return equalBytes(operation.key, key)
  const { start, end } = operation
  return compareBytes(start, key) <= 0 && (end === undefined || compareBytes(key, end) < 0)
}

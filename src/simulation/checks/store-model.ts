// The key-value store as a plain map: slow, obvious, and written without a look at the real one.

import { fromUtf8 } from '../../../crypto/index.ts'
import { decodeKvCommand, decodeKvResult, type KvCommand, type KvResult } from '../../machine/index.ts'

export class StoreModel {
  private readonly content = new Map<string, string>()

  /** Applies a command and compares the result that the machine gave; what differs, or undefined. */
  apply(commandBytes: Uint8Array, resultBytes: Uint8Array): string | undefined {
    const command = decodeKvCommand(commandBytes)
    const result = decodeKvResult(resultBytes)
    if (command === undefined || result === undefined) return 'unreadable command or result'
    const expected = this.expected(command)
    const actual = shown(result)
    return expected === actual ? undefined : `the model answers ${expected}, the machine ${actual}`
  }

  private expected(command: KvCommand): string {
    switch (command.kind) {
      case 'get':
        return `get ${this.content.get(text(command.key))}`
      case 'put':
        this.content.set(text(command.key), text(command.value))
        return 'put'
      case 'delete':
        return `delete ${this.content.delete(text(command.key)) ? 1 : 0}`
      case 'txn': {
        const holds = command.compares.every((compare) => {
          const held = this.content.get(text(compare.key))
          return compare.target === 'value' ? held === text(compare.value) : held === undefined
        })
        for (const operation of holds ? command.success : command.failure) this.expected(operation)
        return `txn ${holds}`
      }
      default:
        return command.kind
    }
  }
}

function shown({ response }: KvResult): string {
  switch (response.kind) {
    case 'get':
      return `get ${response.entry === undefined ? undefined : text(response.entry.value)}`
    case 'delete':
      return `delete ${response.count}`
    case 'txn':
      return `txn ${response.succeeded}`
    default:
      return response.kind
  }
}

function text(bytes: Uint8Array): string {
  return fromUtf8(bytes) ?? 'not text'
}

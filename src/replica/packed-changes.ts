// Changes of a slot as one array of bytes: as objects and strings of their own, hundreds of thousands of them would be alive.
//
// Of each change four words, and in `text` its key and its value one after the other:
//   place of the request, or NONE | 1 where there is a value | length of the key | length of the value

import type { StateChange, Text } from '../machine/index.ts'
import { toText } from '../machine/index.ts'

const WORDS = 4
/** No request did it. */
const NONE = 0xffff_ffff

export class PackedChanges {
  private readonly words: Uint32Array
  private readonly text: Uint8Array

  constructor(changes: readonly StateChange[]) {
    this.words = new Uint32Array(WORDS * changes.length)
    this.text = new Uint8Array(changes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0))
    let at = 0
    for (const [i, { index, key, value }] of changes.entries()) {
      this.words.set([index ?? NONE, value === undefined ? 0 : 1, key.length, value?.length ?? 0], WORDS * i)
      at = this.write(key, at)
      if (value !== undefined) at = this.write(value, at)
    }
  }

  /** As they were. */
  open(): StateChange[] {
    const changes: StateChange[] = []
    let at = 0
    const read = (length: number): Text => {
      at += length
      return toText(this.text.subarray(at - length, at))
    }
    for (let i = 0; i < this.words.length; i += WORDS) {
      const [index = NONE, some, keyLength = 0, valueLength = 0] = this.words.subarray(i, i + WORDS)
      const key = read(keyLength)
      const value = some === 1 ? read(valueLength) : undefined
      changes.push({ index: index === NONE ? undefined : index, key, value })
    }
    return changes
  }

  private write(text: Text, at: number): number {
    const { text: into } = this
    for (let i = 0; i < text.length; i++) into[at + i] = text.charCodeAt(i)
    return at + text.length
  }
}

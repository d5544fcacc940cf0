// Binary text by Node's Buffer.

import type { BinaryText } from '../../crypto/index.ts'

export const nativeText: BinaryText = {
  text: (bytes) => viewOf(bytes).toString('latin1'),
  write: (text, target, at) => void viewOf(target).write(text, at, 'latin1'),
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

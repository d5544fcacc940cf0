// Binary text by Node's Buffer.

/** The text of `bytes`, one character a byte. */
export function nativeText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

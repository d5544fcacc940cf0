// A TCP link that does as little as it may: frames with a length in front, each sealed as Noise seals a message.

import { type CipherKey, createCipheriv, createDecipheriv } from 'node:crypto'
import type { Socket } from 'node:net'

const KEY: CipherKey = Buffer.alloc(32, 7)
const TAG_BYTES = 16
const HEAD_BYTES = 4
const CIPHER = 'chacha20-poly1305'
const OPTIONS = { authTagLength: TAG_BYTES }

export class Link {
  private readonly socket: Socket
  private readonly nonceOut = Buffer.alloc(12)
  private readonly nonceIn = Buffer.alloc(12)
  private sent = 0
  private heard = 0
  private rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, onFrame: (frame: Buffer) => void) {
    this.socket = socket.setNoDelay(true)
    // The other end was killed: the run is over.
    socket.on('error', () => process.exit(0))
    socket.on('data', (data: Buffer) => this.take(data, onFrame))
  }

  send(frame: Uint8Array): void {
    this.nonceOut.writeUInt32LE(this.sent++, 4)
    const cipher = createCipheriv(CIPHER, KEY, this.nonceOut, OPTIONS)
    const body = cipher.update(frame)
    cipher.final()
    const head = Buffer.allocUnsafe(HEAD_BYTES)
    head.writeUInt32LE(body.length + TAG_BYTES)
    this.socket.write(Buffer.concat([head, body, cipher.getAuthTag()]))
  }

  private take(data: Buffer, onFrame: (frame: Buffer) => void): void {
    this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data])
    while (this.rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + this.rest.readUInt32LE(0)
      if (this.rest.length < end) return
      const sealed = this.rest.subarray(HEAD_BYTES, end)
      this.rest = this.rest.subarray(end)
      this.nonceIn.writeUInt32LE(this.heard++, 4)
      const decipher = createDecipheriv(CIPHER, KEY, this.nonceIn, OPTIONS)
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
      const frame = decipher.update(sealed.subarray(0, -TAG_BYTES))
      decipher.final()
      onFrame(frame)
    }
  }
}

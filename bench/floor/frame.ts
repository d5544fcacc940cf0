// The frames of the floor: what an agreement cannot do without, and nothing else.
//
//   kind (1) | from (2) | number (4) | signature (64) | body
//
// Replicas are called by their index, and clients by the numbers that follow. The number is that of a slot, or of a client's bundle in a
// request and its reply. The body of a proposal is requests, whole frames one after the other.

import { generateKeyPairSync, sign, verify } from 'node:crypto'

export const KINDS = { request: 0, propose: 1, prepare: 2, accept: 3, reply: 4 } as const
export type Kind = keyof typeof KINDS

const NAMES = Object.keys(KINDS) as readonly Kind[]
const NUMBER_AT = 3
const SIGNED_AT = 7
/** Of a frame without its body. */
export const HEAD_BYTES = SIGNED_AT + 64
/** Of what votes sign: that of Quorate's statements. */
const STATEMENT_BYTES = 161

export interface Frame {
  readonly kind: Kind
  readonly from: number
  readonly number: number
  readonly signature: Uint8Array
  readonly body: Buffer
}

export function encode({ kind, from, number, signature, body }: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + body.length)
  bytes[0] = KINDS[kind]
  bytes.writeUInt16LE(from, 1)
  bytes.writeUInt32LE(number, NUMBER_AT)
  bytes.set(signature, SIGNED_AT)
  bytes.set(body, HEAD_BYTES)
  return bytes
}

export function decode(bytes: Buffer): Frame {
  const kind = NAMES[bytes[0] ?? -1]
  if (kind === undefined) throw new Error('a frame of no kind')
  return {
    ...{ kind, from: bytes.readUInt16LE(1), number: bytes.readUInt32LE(NUMBER_AT) },
    signature: bytes.subarray(SIGNED_AT, HEAD_BYTES),
    body: bytes.subarray(HEAD_BYTES),
  }
}

/** The first frame of every link: who speaks. */
export function helloOf(from: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16LE(from)
  return bytes
}

export function speakerOf(hello: Buffer): number {
  return hello.readUInt16LE(0)
}

/** The requests of a proposal, each of so many bytes. */
export function requestsOf(proposed: Buffer, bytes: number): Frame[] {
  return Array.from({ length: proposed.length / bytes }, (_, i) =>
    decode(proposed.subarray(i * bytes, (i + 1) * bytes)),
  )
}

/** Every replica and every client signs with a key of its own making: the work is the same, and nobody is convinced of anything. */
export class Pen {
  private readonly text = Buffer.alloc(STATEMENT_BYTES, 1)
  private readonly pair = generateKeyPairSync('ed25519')
  private readonly sample = sign(null, this.text, this.pair.privateKey)

  sign(number: number): Uint8Array {
    this.text.writeUInt32LE(number)
    return sign(null, this.text, this.pair.privateKey)
  }

  /** Does the work of checking a signature. */
  check(): void {
    this.text.writeUInt32LE(0x0101_0101)
    if (!verify(null, this.text, this.pair.publicKey, this.sample)) throw new Error('a signature does not hold')
  }
}

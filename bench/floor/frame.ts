// The frames of the floor: what an agreement cannot do without, and nothing else.
//
//   kind (1) | from (1) | number of the slot (4) | signature (64) | body

import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'

export const KINDS = { request: 0, propose: 1, prepare: 2, accept: 3, reply: 4 } as const
export type Kind = keyof typeof KINDS

const NAMES = Object.keys(KINDS) as readonly Kind[]
const SIGNED_AT = 6
const BODY_AT = 70
/** Of what votes sign: that of Quorate's statements. */
const STATEMENT_BYTES = 161

export interface Frame {
  readonly kind: Kind
  readonly from: number
  readonly slot: number
  readonly signature: Uint8Array
  readonly body: Buffer
}

export function encode({ kind, from, slot, signature, body }: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(BODY_AT + body.length)
  bytes[0] = KINDS[kind]
  bytes[1] = from
  bytes.writeUInt32LE(slot, 2)
  bytes.set(signature, SIGNED_AT)
  bytes.set(body, BODY_AT)
  return bytes
}

export function decode(bytes: Buffer): Frame {
  const kind = NAMES[bytes[0] ?? -1]
  if (kind === undefined) throw new Error('a frame of no kind')
  return {
    ...{ kind, from: bytes[1] ?? 0, slot: bytes.readUInt32LE(2) },
    signature: bytes.subarray(SIGNED_AT, BODY_AT),
    body: bytes.subarray(BODY_AT),
  }
}

const pair = generateKeyPairSync('ed25519')

/** Every process signs with a key of its own making: the work is the same, and nobody is convinced of anything. */
export class Pen {
  private readonly text = Buffer.alloc(STATEMENT_BYTES, 1)
  private readonly key: KeyObject = pair.privateKey
  private readonly sample = sign(null, this.text, this.key)

  sign(slot: number): Uint8Array {
    this.text.writeUInt32LE(slot)
    return sign(null, this.text, this.key)
  }

  /** Does the work of checking a signature. */
  check(): void {
    this.text.writeUInt32LE(0x0101_0101)
    if (!verify(null, this.text, pair.publicKey, this.sample)) throw new Error('a signature does not hold')
  }
}

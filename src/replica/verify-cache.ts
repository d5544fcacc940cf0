// Good signatures, checked once. A certificate made of votes that were already seen costs no new checks, a client's bundle costs
// one however many of its requests come, and in how many messages. Only good ones are remembered, under everything that they are
// about: key, message and signature must be the same bytes, so a hit says exactly what the check would say.

import { type AdmittedKey, equalBytes, type SignatureVerifier } from '../../crypto/index.ts'
import { VERIFIED_SIGNATURES } from './limits.ts'

interface Checked {
  readonly key: AdmittedKey
  /** As text: bytes are often a small part of a block that would stay as long as they do. */
  readonly message: string
}

/** A verifier that remembers; `checks` counts what it had to ask the one inside. */
export class CachingVerifier implements SignatureVerifier {
  /** Signatures checked so far. */
  checks = 0
  /** Checks that were spared. */
  hits = 0
  private readonly inner: SignatureVerifier
  private readonly capacity: number
  /** By signature. Two generations: when the younger is full it becomes the older, whose entries go unless they were used. */
  private younger = new Map<string, Checked>()
  private older = new Map<string, Checked>()

  constructor(inner: SignatureVerifier, capacity: number = VERIFIED_SIGNATURES) {
    this.inner = inner
    this.capacity = capacity
  }

  verify(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean {
    const name = textOf(signature)
    const young = this.younger.get(name)
    const known = young ?? this.older.get(name)
    if (known !== undefined && equalBytes(known.key, key) && known.message === textOf(message)) {
      if (young === undefined) this.remember(name, known)
      this.hits++
      return true
    }
    this.checks++
    if (!this.inner.verify(key, message, signature)) return false
    this.remember(name, { key, message: textOf(message) })
    return true
  }

  /** Signatures remembered. */
  get size(): number {
    return this.younger.size + this.older.size
  }

  private remember(name: string, checked: Checked): void {
    if (this.younger.size >= this.capacity) {
      this.older = this.younger
      this.younger = new Map()
    }
    this.younger.set(name, checked)
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

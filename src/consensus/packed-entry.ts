// Entries that hardly anybody looks at any more. As objects a request weighs some 700 bytes, which the collector moves and marks for as
// long as the entry is kept; packed it weighs its command and 64 bytes more, in two arrays an entry.

import { DIGEST_BYTES, type Digest, digest, type PublicKey } from '../../crypto/index.ts'
import { type KeptBundle, OpenedRequest } from './bundle.ts'
import type { Entry } from './entry.ts'
import type { SignedRequest } from './request.ts'

/** Of each request: its bundle, its place there, the client's number, and where its command ends. */
const NUMBERS = 4

/** An entry whose requests are made anew whenever they are asked for, so whoever asks more than once keeps them. */
class PackedEntry implements Entry {
  readonly header: Entry['header']
  readonly digest: Digest
  declare readonly requests: readonly SignedRequest[]
  readonly #requests: PackedRequests

  constructor({ header, digest: named }: Entry, requests: PackedRequests) {
    this.header = header
    this.digest = named
    this.#requests = requests
    Object.defineProperty(this, 'requests', PackedEntry.#REQUESTS)
  }

  /** A property of its own, so that a copy has it as a value. */
  static readonly #REQUESTS = {
    enumerable: true,
    get(this: PackedEntry): readonly SignedRequest[] {
      return this.#requests.open()
    },
  }
}

class PackedRequests {
  private readonly bundles: readonly KeptBundle[]
  private readonly numbers: Float64Array
  /** The identities, then the commands. */
  private readonly bytes: Uint8Array

  constructor(requests: readonly OpenedRequest[]) {
    const groups = OpenedRequest.byBundle(requests)
    this.bundles = groups.map(OpenedRequest.keptOf)
    const numbers = new Float64Array(NUMBERS * requests.length)
    let end = DIGEST_BYTES * requests.length
    this.bytes = new Uint8Array(requests.reduce((sum, { request }) => sum + request.command.length, end))
    const bundleOf = placesOf(groups)
    for (const [i, signed] of requests.entries()) {
      const { sequence, command } = signed.request
      this.bytes.set(signed.id, DIGEST_BYTES * i)
      this.bytes.set(command, end)
      end += command.length
      numbers[NUMBERS * i] = bundleOf(signed)
      numbers[NUMBERS * i + 1] = signed.proof.index
      numbers[NUMBERS * i + 2] = sequence
      numbers[NUMBERS * i + 3] = end
    }
    this.numbers = numbers
  }

  /** As they were. */
  open(): readonly SignedRequest[] {
    const { numbers, bytes } = this
    const count = numbers.length / NUMBERS
    const members = this.bundles.map((): Part[] => [])
    let start = DIGEST_BYTES * count
    const parts = Array.from({ length: count }, (_, i): Part => {
      const [bundle = 0, index = 0, sequence = 0, end = 0] = numbers.subarray(NUMBERS * i, NUMBERS * (i + 1))
      const client = this.bundles[bundle]?.client as PublicKey
      const id = digest(bytes.subarray(DIGEST_BYTES * i, DIGEST_BYTES * (i + 1)))
      const part = { index, id, request: { client, sequence, command: bytes.subarray(start, end) }, opened: undefined }
      start = end
      members[bundle]?.push(part)
      return part
    })
    for (const [i, kept] of this.bundles.entries()) {
      const ordered = (members[i] ?? []).sort((a, b) => a.index - b.index)
      for (const [at, opened] of OpenedRequest.reopen(kept, ordered).entries()) (ordered[at] as Part).opened = opened
    }
    return parts.map(({ opened }) => opened as SignedRequest)
  }
}

/** Which group a request is in. */
function placesOf(groups: readonly (readonly OpenedRequest[])[]): (request: OpenedRequest) => number {
  if (groups.length === 1) return () => 0
  const places = new Map<OpenedRequest, number>()
  for (const [place, members] of groups.entries()) for (const each of members) places.set(each, place)
  return (request) => places.get(request) ?? 0
}

interface Part {
  readonly index: number
  readonly id: Digest
  readonly request: SignedRequest['request']
  opened: SignedRequest | undefined
}

/** Whoever packs the same entry gets the same. */
const packed = new WeakMap<Entry, Entry>()

/**
 * The same entry with its requests as bytes. Only of verified entries, in which no request is twice. What would gain nothing is given
 * back as it is: an entry without requests or of requests that did not come in by `openBundle`, and one that is packed.
 */
export function packEntry(entry: Entry): Entry {
  if (entry instanceof PackedEntry) return entry
  const known = packed.get(entry)
  if (known !== undefined) return known
  const { requests } = entry
  if (requests.length === 0 || !requests.every(OpenedRequest.is)) return entry
  const made = new PackedEntry(entry, new PackedRequests(requests))
  packed.set(entry, made)
  return made
}

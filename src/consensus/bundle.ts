// Bundles whose requests are here: identities, root and paths are computed once, where the requests come in, and nobody need compute
// them again to know that each lies where its proof says. What is left to check of such a request is its client's signature, once a
// bundle. A request of any other make is checked in full.

import {
  type Digest,
  merkleRoot,
  multiProof,
  openMultiProof,
  type PresentLeaf,
  type PublicKey,
  type Signature,
} from '../../crypto/index.ts'
import { type BundleProof, digestKey, type Request, requestIds, type SignedRequest } from './request.ts'

/** What the requests of one bundle have in common. */
export interface BundleHead {
  readonly count: number
  readonly signature: Signature
  /** Hashes of what is not here, as `multiProof` makes them. */
  readonly hashes: Uint8Array
}

/** A request of a bundle, of which client, number and command are known. */
export interface BundlePart {
  readonly index: number
  readonly request: Request
}

/** A bundle without its requests; with them it is made again. */
export interface KeptBundle {
  readonly client: PublicKey
  readonly head: BundleHead
  readonly root: Digest
  readonly goodBy: object | undefined
}

class Bundle {
  readonly head: BundleHead
  readonly root: Digest
  /** By what the signature was found good: the same again need not ask. */
  goodBy: object | undefined
  /** All that are here, ascending. */
  members: readonly OpenedRequest[] = []
  private paths: ReadonlyMap<number, readonly Digest[]> | undefined

  constructor(head: BundleHead, root: Digest) {
    this.head = head
    this.root = root
  }

  /** Hardly ever asked for, of requests that part from their bundle; of all at once, since then others are too. */
  pathOf(index: number): readonly Digest[] {
    if (this.paths === undefined) {
      const leaves = this.members.map(({ proof, id }): PresentLeaf => ({ index: proof.index, leaf: id }))
      const paths = leaves.map((): Digest[] => [])
      openMultiProof(this.head.count, leaves, this.head.hashes, paths)
      this.paths = new Map(leaves.map((leaf, i) => [leaf.index, paths[i] ?? []]))
    }
    return this.paths.get(index) ?? []
  }
}

class OpenedProof implements BundleProof {
  readonly index: number
  readonly count: number
  readonly root: Digest
  readonly signature: Signature
  declare readonly path: readonly Digest[]
  readonly #bundle: Bundle

  constructor(index: number, bundle: Bundle) {
    this.index = index
    this.count = bundle.head.count
    this.root = bundle.root
    this.signature = bundle.head.signature
    this.#bundle = bundle
    Object.defineProperty(this, 'path', OpenedProof.#PATH)
  }

  /** A property of its own, so that a copy has it as a value. */
  static readonly #PATH = {
    enumerable: true,
    get(this: OpenedProof): readonly Digest[] {
      return this.#bundle.pathOf(this.index)
    },
  }
}

/** A request whose identity and proof were computed from its own content, by {@link openBundle}. */
export class OpenedRequest implements SignedRequest {
  readonly request: Request
  readonly id: Digest
  readonly proof: BundleProof
  // Private, so that no copy with another content has them.
  readonly #bundle: Bundle
  #key: string | undefined

  private constructor(request: Request, id: Digest, proof: BundleProof, bundle: Bundle) {
    this.request = request
    this.id = id
    this.proof = proof
    this.#bundle = bundle
  }

  /** See {@link openBundle}. */
  static open(head: BundleHead, parts: readonly BundlePart[]): readonly OpenedRequest[] | undefined {
    const client = parts[0]?.request.client
    if (client === undefined || parts.some(({ request }) => request.client !== client)) {
      throw new RangeError('requests of a bundle: expected at least one, all of one client')
    }
    const ids = requestIds(parts.map(({ request }) => request))
    const leaves = parts.map(({ index }, i): PresentLeaf => ({ index, leaf: ids[i] ?? unreachable() }))
    const root = openMultiProof(head.count, leaves, head.hashes)
    if (root === undefined) return undefined
    const bundle = new Bundle(head, root)
    const opened = parts.map(({ index, request }, i) => {
      const { leaf } = leaves[i] as PresentLeaf
      return new OpenedRequest(request, leaf, new OpenedProof(index, bundle), bundle)
    })
    bundle.members = opened
    return opened
  }

  /** See {@link newBundle}. */
  static sign(requests: readonly Request[], sign: (root: Digest) => Signature): readonly OpenedRequest[] {
    const [first] = requests
    if (first === undefined) throw new RangeError('requests of a bundle: expected at least one')
    const ids = requestIds(requests)
    const root = merkleRoot(ids)
    const head = { count: requests.length, signature: sign(root), hashes: NO_HASHES }
    const members = requests.map((request, index) => ({ index, request, id: ids[index] ?? unreachable() }))
    return OpenedRequest.reopen({ client: first.client, head, root, goodBy: undefined }, members)
  }

  /** True where identity and proof of `signed` follow from its content. */
  static is(signed: SignedRequest): signed is OpenedRequest {
    return #bundle in signed
  }

  /** The requests of each bundle, ascending, in the order in which the bundles are first met. */
  static byBundle(requests: readonly OpenedRequest[]): OpenedRequest[][] {
    const groups = new Map<Bundle, OpenedRequest[]>()
    for (const each of requests) {
      const group = groups.get(each.#bundle)
      if (group === undefined) groups.set(each.#bundle, [each])
      else group.push(each)
    }
    return [...groups.values()].map((group) => group.sort((a, b) => a.proof.index - b.proof.index))
  }

  /** What {@link reopen} needs beside `members`, which are of one bundle and ascending. */
  static keptOf(members: readonly OpenedRequest[]): KeptBundle {
    const [first] = members
    if (first === undefined) throw new RangeError('requests of a bundle: expected at least one')
    const { client } = first.request
    const { head, root, goodBy, members: all } = first.#bundle
    if (members.length === all.length) return { client, head, root, goodBy }
    const present = members.map(({ proof }) => proof.index)
    const hashes = multiProof(head.count, present, (index) => first.#bundle.pathOf(index))
    return { client, head: { ...head, hashes }, root, goodBy }
  }

  /** Requests that {@link keptOf} was called with; nothing of them is computed again. */
  static reopen(
    kept: KeptBundle,
    members: readonly (BundlePart & { readonly id: Digest })[],
  ): readonly OpenedRequest[] {
    const bundle = new Bundle(kept.head, kept.root)
    bundle.goodBy = kept.goodBy
    bundle.members = members.map(
      ({ index, request, id }) => new OpenedRequest(request, id, new OpenedProof(index, bundle), bundle),
    )
    return bundle.members
  }

  /** {@link digestKey} of the identity, made once. */
  static keyOf(signed: SignedRequest): string {
    if (!OpenedRequest.is(signed)) return digestKey(signed.id)
    signed.#key ??= digestKey(signed.id)
    return signed.#key
  }

  /** True where the signature of this bundle was found good by `judge`. */
  isGoodBy(judge: object): boolean {
    return this.#bundle.goodBy === judge
  }

  /** The signature was found good by `judge`. */
  markGood(judge: object): void {
    this.#bundle.goodBy = judge
  }

  /** Root of the bundle, where `requests` are all of it in their order. */
  static wholeRoot(requests: readonly SignedRequest[]): Digest | undefined {
    const [first] = requests
    if (first === undefined || !OpenedRequest.is(first)) return undefined
    const bundle = first.#bundle
    if (bundle.head.count !== requests.length) return undefined
    const whole = requests.every((each, i) => #bundle in each && each.#bundle === bundle && each.proof.index === i)
    return whole ? bundle.root : undefined
  }
}

/**
 * The requests of one bundle, with identities and proofs; undefined unless there are exactly as many hashes as needed. Requires `parts`
 * ascending by index, without repetition, below `count`, and at least one.
 * @throws {RangeError} unless all name the same client, by the same array.
 */
export function openBundle(head: BundleHead, parts: readonly BundlePart[]): readonly OpenedRequest[] | undefined {
  return OpenedRequest.open(head, parts)
}

/**
 * A new bundle of `requests`, all of one client and at least one, which `sign` signs by the RFC 6962 root over their identities: each with
 * its place in it, in their order.
 */
export function newBundle(requests: readonly Request[], sign: (root: Digest) => Signature): readonly SignedRequest[] {
  return OpenedRequest.sign(requests, sign)
}

/** The map key of a request: {@link digestKey} of its identity. */
export function requestKey(signed: SignedRequest): string {
  return OpenedRequest.keyOf(signed)
}

/** RFC 6962 root of the identities of `requests`. */
export function requestsRoot(requests: readonly SignedRequest[]): Digest {
  return OpenedRequest.wholeRoot(requests) ?? merkleRoot(requests.map(({ id }) => id))
}

const NO_HASHES = new Uint8Array(0)

function unreachable(): never {
  throw new Error('requests of a bundle: one without an identity')
}

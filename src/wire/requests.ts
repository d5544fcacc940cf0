// Requests, grouped by the bundle in which their client signed them: client, number of requests and signature are there
// once a bundle. Canonical: bundles stand in the order in which the requests first name them, each is named, and no two
// are the same.

import {
  copyOf,
  type Digest,
  equalBytes,
  hex,
  multiProof,
  publicKey,
  type Result,
  signature,
} from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import { type BundlePart, openBundle, type SignedRequest } from '../consensus/index.ts'
import { Malformed, read, whole } from './malformed.ts'

/**
 * Requires inclusion proofs that hold, as those of every verified request do: of others the wire shows a root that
 * nobody signed.
 * @throws {RangeError} where a proof has not the shape of its bundle.
 */
export function toWireRequests(requests: readonly SignedRequest[]): wire.Requests {
  const groups = new Map<string, Group>()
  let last: Group | undefined
  const list = requests.map((signed): wire.Request => {
    last = last !== undefined && isOf(last.first, signed) ? last : groupOf(groups, signed)
    last.members.push(signed)
    const { sequence, command } = signed.request
    return { bundle: last.number, index: signed.proof.index, sequence, command }
  })
  return { bundles: [...groups.values()].map(toWireBundle), requests: list }
}

interface Group {
  readonly number: number
  readonly first: SignedRequest
  readonly members: SignedRequest[]
}

function groupOf(groups: Map<string, Group>, first: SignedRequest): Group {
  const { client } = first.request
  const key = bundleKey(client, first.proof.count, first.proof.root, first.proof.signature)
  const known = groups.get(key)
  if (known !== undefined) return known
  const made = { number: groups.size, first, members: [] }
  groups.set(key, made)
  return made
}

function isOf(a: SignedRequest, b: SignedRequest): boolean {
  return (
    a.proof.count === b.proof.count &&
    equalBytes(a.proof.signature, b.proof.signature) &&
    equalBytes(a.proof.root, b.proof.root) &&
    equalBytes(a.request.client, b.request.client)
  )
}

function toWireBundle({ first, members }: Group): wire.Bundle {
  const { count, signature: signed } = first.proof
  const ordered = members.toSorted((a, b) => a.proof.index - b.proof.index)
  const present = ordered.filter((each, i) => each.proof.index !== ordered[i - 1]?.proof.index)
  const proofs = new Map(present.map(({ proof }) => [proof.index, proof]))
  const hashes = multiProof(count, [...proofs.keys()], (index) => proofs.get(index)?.path ?? [])
  return { client: first.request.client, count, signature: signed, hashes }
}

/**
 * Not verified but for what follows from the form: ids, roots and paths are computed here, of at most `most` requests.
 * @throws {Malformed}
 */
export function fromWireRequests({ bundles, requests }: wire.Requests, most = wire.MAX_REQUESTS): SignedRequest[] {
  // Before any of them is hashed.
  if (requests.length > most) throw new Malformed(`Requests.requests: at most ${most}`, 'too-large')
  requireFirstUse(bundles, requests)
  const members = bundles.map((): Part[] => [])
  const clients = bundles.map(({ client }) => publicKey(client))
  const parts = requests.map(({ bundle, index, sequence, command }) => {
    const [client, count] = [clients[bundle], bundles[bundle]?.count ?? 0]
    if (client === undefined || index >= count) throw new Malformed('Request.index: beyond its bundle')
    const part: Part = { index, request: { client, sequence, command: copyOf(command) }, opened: undefined }
    members[bundle]?.push(part)
    return part
  })
  const keys = new Set<string>()
  for (const [i, { count, signature: signed, hashes }] of bundles.entries()) {
    const ordered = inOrder(members[i] ?? [])
    const present = distinct(ordered)
    const opened = openBundle({ count, signature: signature(signed), hashes: copyOf(hashes) }, present)
    if (opened === undefined) throw new Malformed('Bundle.hashes: not as many as are needed')
    for (const [at, part] of present.entries()) part.opened = opened[at]
    const [first] = opened
    if (first !== undefined) keys.add(bundleKey(clients[i], count, first.proof.root, signed))
    fillRepeated(ordered)
  }
  if (keys.size !== bundles.length) throw new Malformed('Requests.bundles: one twice', 'not-canonical')
  return parts.map(({ opened }) => whole(opened, 'Request.bundle'))
}

interface Part extends BundlePart {
  opened: SignedRequest | undefined
}

function requireFirstUse(bundles: readonly wire.Bundle[], requests: readonly wire.Request[]): void {
  let named = 0
  for (const { bundle } of requests) {
    if (bundle > named) throw new Malformed('Request.bundle: out of order', 'not-canonical')
    if (bundle === named) named += 1
  }
  if (named !== bundles.length)
    throw new Malformed('Requests.bundles: not those that the requests name', 'not-canonical')
}

function inOrder(members: Part[]): Part[] {
  return isAscending(members) ? members : members.toSorted((a, b) => a.index - b.index)
}

/** Of a request that is here twice the first stands for both. */
function distinct(ordered: readonly Part[]): Part[] {
  return ordered.filter((each, i) => {
    const previous = ordered[i - 1]
    if (previous === undefined || previous.index !== each.index) return true
    const [a, b] = [previous.request, each.request]
    if (a.sequence === b.sequence && equalBytes(a.command, b.command)) return false
    throw new Malformed('Request.index: two requests at one place')
  })
}

function fillRepeated(ordered: readonly Part[]): void {
  let last: SignedRequest | undefined
  for (const part of ordered) {
    part.opened ??= last
    last = part.opened
  }
}

function isAscending(members: readonly BundlePart[]): boolean {
  return members.every(({ index }, i) => i === 0 || index > (members[i - 1]?.index ?? 0))
}

function bundleKey(client: Uint8Array | undefined, count: number, root: Digest, signed: Uint8Array): string {
  return `${client && hex(client)}/${count}/${hex(root)}/${hex(signed)}`
}

/** One request, with its bundle's proof. */
export function encodeSignedRequest(request: SignedRequest): Uint8Array {
  return wire.encodeRequests(toWireRequests([request]))
}

export function decodeSignedRequest(bytes: Uint8Array): Result<SignedRequest, wire.WireFault> {
  return read(wire.decodeRequests(bytes), (decoded) => {
    const [request, ...more] = fromWireRequests(decoded)
    if (request === undefined || more.length > 0) throw new Malformed('expected one request')
    return request
  })
}

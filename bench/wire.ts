// What the wire costs: a proposal of 256 requests, a vote, and the same bytes by protobufjs for comparison.

import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import {
  concatBytes,
  type Digest,
  epoch,
  inclusionProof,
  leafHash,
  merkleTree,
  publicKey,
  replicaIndex,
  sha256,
  signature,
  slot,
  utf8,
  type Vote,
  view,
  ZERO_DIGEST,
} from '../crypto/index.ts'
import * as wire from '../net/wire/index.ts'
import { batchEntry, type Message, requestId, type SignedRequest } from '../src/consensus/index.ts'
import { decodeMessage, encodeMessage } from '../src/wire/index.ts'
import { type Group, type Plan, requireHeld, type Suite } from './measure.ts'

const REQUESTS = 256
const CLIENTS = 4
const COMMAND_BYTES = 100
const SCHEMA = ['common', 'consensus'].map((file) => new URL(`../net/wire/${file}.proto`, import.meta.url))

export const wireSuite: Suite = async () => {
  const digest = sha256(utf8('value'))
  const vote: Vote = {
    statement: {
      kind: 'prepare',
      clusterId: digest,
      membership: digest,
      view: view(3),
      justification: ZERO_DIGEST,
      slot: slot(100_000),
      digest,
    },
    replica: replicaIndex(3),
    signature: signature(new Uint8Array(64).fill(7)),
  }
  const requests = Array.from({ length: CLIENTS }, (_, client) => bundleOf(client)).flat()
  const propose: Message = { kind: 'propose', vote, entry: batchEntry(slot(100_000), epoch(0), 1.8e12, requests) }
  const [frame, single] = [encodeMessage(propose, epoch(0)), encodeMessage({ kind: 'vote', vote }, epoch(0))]
  const plan: Plan = {
    settings: {
      requests: REQUESTS,
      clients: CLIENTS,
      'bytes a command': COMMAND_BYTES,
      'bytes a proposal': frame.length,
      'bytes of its proofs, had each request its own': REQUESTS * Math.log2(REQUESTS / CLIENTS) * 34,
      'bytes a vote': single.length,
    },
    groups: [messageCases(propose, frame, requests), codecCases(frame), voteCases(vote, single)],
    ratios: [
      {
        name: 'protobufjs / ours, decode',
        dividend: 'decode the proposal, protobufjs',
        divisor: 'decode the proposal, codec alone',
      },
      {
        name: 'protobufjs / ours, encode',
        dividend: 'encode the proposal, protobufjs',
        divisor: 'encode the proposal, codec alone',
      },
    ],
    close: async () => {},
  }
  return plan
}

function messageCases(propose: Message, frame: Uint8Array, requests: readonly SignedRequest[]): Group {
  const unit = 'us' as const
  const bytes = requests.map(({ request: { client, command } }) => concatBytes(client, new Uint8Array(8), command))
  const ids = requests.map(({ id }) => id)
  return [
    { name: 'encode the proposal', unit, operations: 1, call: () => encodeMessage(propose, epoch(0)) },
    { name: 'decode the proposal', unit, operations: 1, call: () => requireHeld(decodeMessage(frame).ok) },
    {
      name: 'of that, hashing requests',
      unit,
      operations: 1,
      call: () => {
        for (const each of bytes) leafHash(each)
      },
    },
    { name: 'of that, hashing bundles', unit, operations: 1, call: () => rootsOf(ids) },
  ]
}

function codecCases(frame: Uint8Array): Group {
  const unit = 'us' as const
  const decoded = wire.decodeMessage(frame)
  if (!decoded.ok) throw new Error(decoded.fault.detail)
  const root = new protobuf.Root()
  for (const file of SCHEMA) protobuf.parse(readFileSync(file, 'utf8'), root)
  const type = root.lookupType('quorate.wire.Message')
  const theirs = type.decode(frame.subarray(1))
  return [
    { name: 'encode the proposal, codec alone', unit, operations: 1, call: () => wire.encodeMessage(decoded.value) },
    { name: 'encode the proposal, protobufjs', unit, operations: 1, call: () => type.encode(theirs).finish() },
    {
      name: 'decode the proposal, codec alone',
      unit,
      operations: 1,
      call: () => requireHeld(wire.decodeMessage(frame).ok),
    },
    { name: 'decode the proposal, protobufjs', unit, operations: 1, call: () => type.decode(frame.subarray(1)) },
  ]
}

function voteCases(vote: Vote, frame: Uint8Array): Group {
  const unit = 'us' as const
  return [
    { name: 'encode a vote', unit, operations: 1, call: () => encodeMessage({ kind: 'vote', vote }, epoch(0)) },
    { name: 'decode a vote', unit, operations: 1, call: () => requireHeld(decodeMessage(frame).ok) },
  ]
}

function rootsOf(ids: readonly Digest[]): void {
  const size = REQUESTS / CLIENTS
  for (let at = 0; at < ids.length; at += size) merkleTree(ids.slice(at, at + size)).root()
}

function bundleOf(client: number): SignedRequest[] {
  const count = REQUESTS / CLIENTS
  const key = publicKey(sha256(utf8(`client ${client}`)))
  const requests = Array.from({ length: count }, (_, i) => {
    return { client: key, sequence: 1000 + i, command: new Uint8Array(COMMAND_BYTES).fill(i) }
  })
  const ids = requests.map(requestId)
  const tree = merkleTree(ids)
  const shared = { count, root: tree.root(), signature: signature(new Uint8Array(64).fill(client)) }
  return requests.flatMap((request, index) => {
    const id = ids[index]
    return id ? [{ request, id, proof: { index, path: inclusionProof(tree.read, index, count), ...shared } }] : []
  })
}

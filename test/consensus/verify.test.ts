// What a message must be before the core sees it (pitfalls P02, P03, P05, P06, P39, P40, P56; scenario S15).

import { describe, expect, it } from 'vitest'
import { type Certificate, replicaIndex, signVote, slot, type VoteStatement, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import {
  batchEntry,
  type Entry,
  type Message,
  type SignedRequest,
  type StableCheckpoint,
  verifyMessage,
} from '../../src/consensus/index.ts'
import { liarOf, load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { bytesFor } from '../support/cluster.ts'
import { torsionSigner } from '../support/ed25519.ts'
import { EPOCHS } from '../support/epochs.ts'
import { commands, miniCluster, request } from '../support/mini-cluster.ts'

describe.each(EPOCHS)('$name', (epoch) => {
  const cluster = miniCluster({ epoch })
  cluster.run(50)
  load(cluster, 10)
  const { context } = cluster
  const source = cluster.replicas[1]
  const chosen = source?.state.slots.get(cluster.slot(9))?.chosen
  const prepared = source?.state.slots.get(cluster.slot(9))?.prepared
  const entry = source?.executed[8]
  const stable = source?.state.stable
  if (chosen === undefined || prepared === undefined || entry === undefined || stable === undefined)
    throw new Error('no log')

  describe('a certificate', () => {
    const names = Object.keys(mutantsOf(chosen))

    it.each(names)('with %s is refused in an answer, and in a ViewChange (P02, P03, P05, P06)', (name) => {
      const certificate = mutantsOf(chosen)[name] ?? none()
      expect(faultOf({ kind: 'entries', entries: [{ entry, certificate }] })).toBeDefined()
      expect(faultOf(reporting(mutantsOf(prepared)[name] ?? none()))).toBeDefined()
    })

    it('of the other phase is refused: Accepts prove no preparation, Prepares no choice', () => {
      expect(faultOf({ kind: 'entries', entries: [{ entry, certificate: prepared }] })).toBeDefined()
      expect(faultOf(reporting(chosen))).toBeDefined()
    })

    it('as it is, is taken', () => {
      expect(faultOf({ kind: 'entries', entries: [{ entry, certificate: chosen }] })).toBeUndefined()
      expect(faultOf(reporting(prepared))).toBeUndefined()
    })
  })

  describe('a stable checkpoint', () => {
    const mutants: [string, StableCheckpoint][] = [
      ['b + 1 signatures', { ...stable, signatures: stable.signatures.slice(0, 2) }],
      [
        'one signer twice',
        { ...stable, signatures: [...stable.signatures.slice(0, 2), stable.signatures[1] ?? none()] },
      ],
      ['another state root', { ...stable, stateRoot: nonsense('state') }],
      ['another log root', { ...stable, logRoot: nonsense('log') }],
      ['a later slot', { ...stable, slot: slot(stable.slot + 8) }],
      ['a slot between checkpoints', { ...stable, slot: slot(stable.slot + 1) }],
      ['the slot of the start and a state of its own', { ...stable, slot: cluster.slot(0), signatures: [] }],
    ]
    it.each(mutants)('with %s is refused, alone and in a ViewChange (P56)', (_, checkpoint) => {
      expect(faultOf({ kind: 'stable', checkpoint })).toBeDefined()
      const empty = liarOf(cluster, 3).emptyViewChange(view(1))
      if (empty === undefined) throw new Error('no checkpoint known')
      const viewChange = liarOf(cluster, 3).viewChange(empty, { stable: checkpoint })
      expect(faultOf({ kind: 'view-change', viewChange })).toBeDefined()
    })

    it('as it is, is taken', () => {
      expect(faultOf({ kind: 'stable', checkpoint: stable })).toBeUndefined()
    })
  })

  describe('a proposal', () => {
    const pen = liarOf(cluster, 0)
    const { clusterId, epoch: named } = context.membership
    const good = request(clusterId, 'good', 50)
    const make = (requests: readonly SignedRequest[]) => batchEntry(cluster.slot(11), named, 1_000_900, requests)
    const signed = (proposed: Entry): Message => pen.propose(proposed)

    it.each<[string, () => Message]>([
      ['a request under another signature (P40)', () => signed(make([unsigned(good)]))],
      ['a request of another cluster (P37)', () => signed(make([request(nonsense('cluster'), 'good', 50)]))],
      ['a request twice', () => signed(make([good, good]))],
      ['an identity that is not that of the request', () => signed(make([{ ...good, id: nonsense('id') }]))],
      ['a body that its digest does not cover (P39)', () => signed({ ...make([good]), requests: [] })],
      ['a digest that is not that of the body (P39)', () => signed({ ...make([good]), digest: nonsense('digest') })],
      [
        'a vote for another slot than the body',
        () => ({
          ...propose(make([good])),
          vote: pen.vote('prepare', { slot: cluster.slot(12), digest: make([good]).digest }),
        }),
      ],
      [
        'more requests than a batch may have',
        () => signed(make(Array.from({ length: 5 }, (_, i) => request(clusterId, 'x', i + 1)))),
      ],
      ['a vote by who does not lead', () => liarOf(cluster, 1).propose(make([good]))],
      [
        'an Accept for a vote',
        () => ({
          ...propose(make([good])),
          vote: pen.vote('accept', { slot: cluster.slot(11), digest: make([good]).digest }),
        }),
      ],
    ])('with %s is refused', (_, message) => {
      expect(faultOf(message())).toMatchObject({ class: 'blame' })
    })

    it('as it should be is taken', () => {
      expect(faultOf(signed(make([good])))).toBeUndefined()
    })

    it('and bodies and entries that are fetched must be signed by their clients too: the log is handed on with them', () => {
      const forged: Entry = { ...entry, requests: entry.requests.map(unsigned) }
      expect(faultOf({ kind: 'bodies', entries: [forged] })).toMatchObject({ code: 'bad-client-signature' })
      expect(faultOf({ kind: 'entries', entries: [{ entry: forged, certificate: chosen }] })).toMatchObject({
        code: 'bad-client-signature',
      })
      expect(faultOf({ kind: 'bodies', entries: [entry] })).toBeUndefined()
    })

    function propose(proposed: Entry): Message & { readonly kind: 'propose' } {
      const vote = pen.vote('prepare', { slot: proposed.header.slot, digest: proposed.digest })
      return { kind: 'propose', vote, entry: proposed }
    }
  })

  describe('a signature with torsion in R', () => {
    it('is refused on every kind of message (P33)', () => {
      const signer = torsionSigner(bytesFor('consensus 3'))
      const vote = signVote(chosen.statement, replicaIndex(3), signer)
      expect(faultOf({ kind: 'vote', vote })).toMatchObject({ code: 'bad-signature' })
      const with3 = withVote(chosen, replicaIndex(3), vote.signature)
      expect(faultOf({ kind: 'entries', entries: [{ entry, certificate: with3 }] })).toBeDefined()
    })

    it('leaves a cluster going on without its signer (S15)', () => {
      const twisted = miniCluster({ epoch, liars: { 3: 'torsion-sign' } })
      twisted.run(50)
      const texts = load(twisted, 10)
      runUntilDone(twisted, texts)
      expect(safetyFault(twisted)).toBeUndefined()
      expect(missing(twisted, texts)).toEqual([])
      expect(twisted.replicas[1]?.refused).toContain('blame bad-signature from 3')
      for (const { state } of twisted.replicas.slice(0, 3)) {
        for (const at of state.slots.values()) {
          expect(at.chosen?.signatures.map(({ replica }) => replica)).not.toContain(3)
        }
      }
    })
  })

  describe('a client', () => {
    it('that signs two commands under one number gets both agreed in one order, for the sessions to judge (P41, S17)', () => {
      const both = miniCluster({ epoch })
      both.run(50)
      const pair = ['one', 'two'].map((text) => request(both.context.membership.clusterId, text, 7))
      for (const [i, each] of pair.entries()) both.inject(3, i, { kind: 'requests', requests: [each] })
      both.run(100)
      both.crash(0)
      for (const to of [1, 2, 3]) both.inject(2, to, { kind: 'requests', requests: pair })
      both.run(4000)
      const [a, b, c] = [1, 2, 3].map((i) => commands(both.replicas[i] ?? none()))
      expect(a).toHaveLength(2)
      expect(b).toEqual(a)
      expect(c).toEqual(a)
    })
  })

  function faultOf(message: Message) {
    const checked = verifyMessage(message, context)
    return checked.ok ? undefined : checked.fault
  }

  /** The certificate with one thing wrong, by what that is. */
  function mutantsOf(certificate: Certificate): Record<string, Certificate> {
    const { statement, signatures } = certificate
    const [first = none(), second = none()] = signatures
    const spare = [0, 1, 2, 3].find((i) => !signatures.some(({ replica }) => replica === i)) ?? 3
    const elsewhere = liarOf(cluster, spare).vote(statement.kind, { ...statement, slot: slot(statement.slot - 1) })
    const said = (change: Partial<VoteStatement>) => ({ ...certificate, statement: { ...statement, ...change } })
    return {
      'one signature short': { statement, signatures: signatures.slice(1) },
      'one signer twice': { statement, signatures: [first, first, ...signatures.slice(2)] },
      'no signatures': { statement, signatures: [] },
      'a signer who is no member': { statement, signatures: [...signatures, { ...first, replica: replicaIndex(9) }] },
      'its signers in another order': { statement, signatures: [second, first, ...signatures.slice(2)] },
      'one good signature moved to another signer': swapped(certificate),
      'a vote for another slot among them': withVote(certificate, spare, elsewhere.signature),
      'another cluster': said({ clusterId: nonsense('cluster') }),
      'another membership': said({ membership: nonsense('membership') }),
      'another view': said({ view: view(4) }),
      'another justification': said({ justification: nonsense('justification') }),
      'another slot': said({ slot: cluster.slot(10) }),
      'another digest': said({ digest: nonsense('digest') }),
    }
  }

  function reporting(certificate: Certificate): Message {
    const empty = liarOf(cluster, 3).emptyViewChange(view(9))
    if (empty === undefined) return none()
    return { kind: 'view-change', viewChange: liarOf(cluster, 3).viewChange(empty, { prepared: [certificate] }) }
  }

  function unsigned(signed: SignedRequest): SignedRequest {
    return { ...signed, proof: { ...signed.proof, signature: liarOf(cluster, 2).request(1).proof.signature } }
  }
})

/** The first two signatures under each other's names. */
function swapped({ statement, signatures }: Certificate): Certificate {
  const [a, b, ...rest] = signatures
  if (a === undefined || b === undefined) return none()
  return { statement, signatures: [{ ...a, signature: b.signature }, { ...b, signature: a.signature }, ...rest] }
}

function withVote(
  { statement, signatures }: Certificate,
  replica: number,
  signature: Certificate['signatures'][0]['signature'],
): Certificate {
  const rest = signatures.filter((each) => each.replica !== replica).slice(0, signatures.length - 1)
  const all = [...rest, { replica: replicaIndex(replica), signature }]
  return { statement, signatures: all.sort((a, b) => a.replica - b.replica) }
}

function none(): never {
  throw new Error('nothing there')
}

import { describe, expect, it } from 'vitest'
import {
  admitKey,
  assembleCertificate,
  type Certificate,
  type CertificateKind,
  type Digest,
  type Membership,
  markVerified,
  publicKey,
  replicaIndex,
  signVote,
  slot,
  type Vote,
  type VoteStatement,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { blameFork } from '../../src/audit/verify/index.ts'
import {
  genesisStart,
  type NewView,
  newViewDigest,
  select,
  startCheckpoint,
  type VerifyContext,
  type ViewChange,
  viewChangeDigest,
} from '../../src/consensus/index.ts'
import { bytesFor, type TestCluster, testCluster } from '../support/cluster.ts'
import { PARAMETERS } from '../support/mini-cluster.ts'

const A = bytesFor('entry a')
const B = bytesFor('entry b')
const AT = slot(1)

/** Everybody's keys: what the liars of a fork can sign, and what the honest have signed. */
class Forge {
  readonly cluster: TestCluster
  readonly membership: Membership
  readonly context: VerifyContext

  constructor(options: { replicas?: number; byzantine?: number } = {}) {
    this.cluster = testCluster(options)
    this.membership = this.cluster.membership
    this.context = {
      membership: this.membership,
      clusterName: 'test',
      parameters: PARAMETERS,
      start: genesisStart(bytesFor('genesis state')),
      verifier: this.cluster.verifier,
      admit: (key) => admitKey(publicKey(key)),
    }
  }

  vote(replica: number, change: Partial<VoteStatement>): Vote {
    const signer = this.cluster.signers[replica]
    if (signer === undefined) throw new RangeError('no such replica')
    return signVote(this.cluster.statement({ slot: AT, ...change }), replicaIndex(replica), signer)
  }

  certificate(
    kind: CertificateKind,
    at: number,
    digest: Digest,
    signers: readonly number[],
    relying = ZERO_DIGEST,
  ): Certificate {
    const change = { kind, view: view(at), digest, justification: relying }
    const votes = signers.map((replica) => markVerified(this.vote(replica, change)))
    const statement = { ...this.cluster.statement({ slot: AT, ...change }), kind }
    const made = assembleCertificate(statement, votes, this.membership)
    if (made === undefined) throw new Error('too few votes')
    return made
  }

  viewChange(replica: number, to: number, prepared: readonly Certificate[] = []): ViewChange {
    const stable = startCheckpoint({ start: genesisStart(bytesFor('genesis state')) })
    const body = { view: view(to), stable, prepared }
    const change = { kind: 'view-change', view: view(to), slot: slot(0), digest: viewChangeDigest(body) } as const
    return { ...body, vote: this.vote(replica, change) }
  }

  newView(to: number, viewChanges: readonly ViewChange[]): NewView {
    const leader = to % this.membership.quorums.replicas
    const digest = newViewDigest(view(to), viewChanges)
    const proposals = select(viewChanges, this.membership.epoch).values.map((value) =>
      this.vote(leader, { view: view(to), slot: value.slot, digest: value.digest, justification: digest }),
    )
    const vote = this.vote(leader, { kind: 'new-view', view: view(to), slot: slot(0), digest })
    return { view: view(to), viewChanges, vote, proposals }
  }

  blame(one: Certificate, other: Certificate, newViews: readonly NewView[] = []) {
    const { evidence, guilty, missing } = blameFork(one, other, newViews, this.context)
    return { guilty, missing, kinds: [...new Set(evidence.map((each) => each.kind))] }
  }
}

const relies = (newView: NewView): Digest => newView.vote.statement.digest

describe('who forked the log (n=4, b=1, two liars)', () => {
  const forge = new Forge()

  it('both certificates of one view: those who accepted two entries', () => {
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    const second = forge.certificate('accept', 0, B, [1, 2, 3])
    expect(forge.blame(first, second)).toEqual({ guilty: [2, 3], missing: [], kinds: ['two-votes'] })
    expect(forge.blame(second, first).guilty).toEqual([2, 3])
  })

  it('amnesia: those whose ViewChanges hide what their Accept votes prove', () => {
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    const begun = forge.newView(
      1,
      [1, 2, 3].map((replica) => forge.viewChange(replica, 1)),
    )
    const second = forge.certificate('accept', 1, B, [1, 2, 3], relies(begun))
    expect(forge.blame(first, second, [begun])).toEqual({ guilty: [2, 3], missing: [], kinds: ['hidden-prepared'] })
  })

  it('amnesia some views before the second certificate', () => {
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    const begun = forge.newView(
      1,
      [1, 2, 3].map((replica) => forge.viewChange(replica, 1)),
    )
    const prepared = forge.certificate('prepare', 1, B, [1, 2, 3], relies(begun))
    const later = forge.newView(
      2,
      [1, 2, 3].map((replica) => forge.viewChange(replica, 2, [prepared])),
    )
    const second = forge.certificate('accept', 2, B, [1, 2, 3], relies(later))
    expect(forge.blame(first, second, [begun, later]).guilty).toEqual([2, 3])
  })

  it('votes against the NewView that carried the first value over', () => {
    const prepared = forge.certificate('prepare', 0, A, [0, 1, 2])
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    const begun = forge.newView(1, [forge.viewChange(0, 1, [prepared]), forge.viewChange(2, 1), forge.viewChange(3, 1)])
    const second = forge.certificate('accept', 1, B, [1, 2, 3], relies(begun))
    expect(forge.blame(first, second, [begun])).toEqual({ guilty: [1, 2, 3], missing: [], kinds: ['against-new-view'] })
  })

  it('a rival certificate of the same view: those who prepared one entry and accepted another', () => {
    const first = forge.certificate('accept', 0, A, [1, 2, 3])
    const rival = forge.certificate('prepare', 0, B, [0, 2, 3])
    const begun = forge.newView(
      1,
      [0, 2, 3].map((replica) => forge.viewChange(replica, 1, [rival])),
    )
    const second = forge.certificate('accept', 1, B, [0, 2, 3], relies(begun))
    expect(forge.blame(first, second, [begun])).toMatchObject({ guilty: [2, 3], missing: [] })
  })

  it('says which NewView is missing when nobody has handed it in', () => {
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    const begun = forge.newView(
      1,
      [1, 2, 3].map((replica) => forge.viewChange(replica, 1)),
    )
    const second = forge.certificate('accept', 1, B, [1, 2, 3], relies(begun))
    const { guilty, missing } = forge.blame(first, second)
    expect(guilty).toEqual([])
    expect(missing).toHaveLength(1)
  })

  it('a NewView that does not verify blames nobody', () => {
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    const begun = forge.newView(
      1,
      [1, 2, 3].map((replica) => forge.viewChange(replica, 1)),
    )
    const second = forge.certificate('accept', 1, B, [1, 2, 3], relies(begun))
    const [stolen] = begun.viewChanges
    if (stolen === undefined) throw new Error('three view changes')
    const broken = { ...begun, viewChanges: [stolen, stolen, stolen] }
    expect(forge.blame(first, second, [broken]).guilty).toEqual([])
  })

  it('is no question where the certificates agree', () => {
    const first = forge.certificate('accept', 0, A, [0, 2, 3])
    expect(() => forge.blame(first, forge.certificate('accept', 4, A, [0, 1, 2]))).toThrow('two of one slot')
  })
})

describe('who forked the log (n=7, b=2, three liars)', () => {
  it('names at least b + 1 of them and no honest replica, whichever way they lied', () => {
    const forge = new Forge({ replicas: 7, byzantine: 2 })
    const liars = [4, 5, 6]
    const first = forge.certificate('accept', 0, A, [0, 1, ...liars])
    const begun = forge.newView(
      4,
      [2, 3, ...liars].map((replica) => forge.viewChange(replica, 4)),
    )
    const second = forge.certificate('accept', 4, B, [2, 3, ...liars], relies(begun))
    expect(forge.blame(first, second, [begun]).guilty).toEqual(liars)
    const same = forge.certificate('accept', 0, B, [2, 3, ...liars])
    expect(forge.blame(first, same).guilty).toEqual(liars)
  })
})

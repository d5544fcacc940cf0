import { describe, expect, it } from 'vitest'
import { type Certificate, replicaIndex, signVote, slot, view } from '../../crypto/index.ts'
import {
  evidenceFault,
  type NewView,
  newViewDigest,
  type ViewChange,
  verifyMessage,
  viewChangeDigest,
} from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { miniCluster } from '../support/mini-cluster.ts'

const cluster = miniCluster()
const { context, signers } = cluster
const { clusterId, digest: membership } = context.membership

function vote(replica: number, kind: 'view-change' | 'new-view' | 'prepare', at: number, digest = bytesFor('value')) {
  const signer = signers[replica]
  const stable = cluster.replicas[0]?.state.stable
  if (signer === undefined || stable === undefined) throw new RangeError('no such replica')
  const justification = bytesFor('nothing')
  const statement = { kind, clusterId, membership, view: view(1), justification, slot: slot(at), digest } as const
  return signVote(statement, replicaIndex(replica), signer)
}

/** Well signed, but for one prepare certificate that is for a slot which nobody can have reached. */
function farNewView(): NewView {
  const stable = cluster.replicas[0]?.state.stable
  if (stable === undefined) throw new Error('no replica')
  const { statement } = vote(0, 'prepare', 2 ** 52)
  const far: Certificate = { statement: { ...statement, view: view(0) }, signatures: [] }
  const viewChanges = [1, 2, 3].map((replica, i): ViewChange => {
    const body = { view: view(1), stable, prepared: i === 0 ? [far] : [] }
    return { ...body, vote: vote(replica, 'view-change', 0, viewChangeDigest(body)) }
  })
  return {
    view: view(1),
    viewChanges,
    vote: vote(1, 'new-view', 0, newViewDigest(view(1), viewChanges)),
    proposals: [],
  }
}

describe('a NewView that names a slot of 2^52', () => {
  it('is refused at once, though the selection over it would be that long', () => {
    const checked = verifyMessage({ kind: 'new-view', newView: farNewView() }, context)
    expect(checked).toMatchObject({ ok: false, fault: { class: 'blame', code: 'bad-prepared-slot' } })
  })

  it('is refused as evidence too', () => {
    const newView = farNewView()
    const relying = vote(2, 'prepare', 1)
    const accusing = {
      ...relying,
      statement: { ...relying.statement, justification: newView.vote.statement.digest },
    }
    const evidence = { kind: 'against-new-view', accused: replicaIndex(2), vote: accusing, newView } as const
    expect(evidenceFault(evidence, context)).toBe('bad-prepared-slot')
  })
})

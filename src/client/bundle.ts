// Signs requests as one bundle: one signature over the RFC 6962 root of their identities, and for each its way to that root.

import { type Digest, EMPTY_ROOT, nodeHash, type Signer, statementBytes } from '../../crypto/index.ts'
import { type Request, requestId, type SignedRequest } from '../consensus/index.ts'

/** The requests with their places in a bundle signed by `signer`, in their order. Requires at least one, all of the signer's. */
export function signBundle(requests: readonly Request[], clusterId: Digest, signer: Signer): SignedRequest[] {
  const ids = requests.map(requestId)
  const levels = levelsOf(ids)
  const root = levels.at(-1)?.[0] ?? EMPTY_ROOT
  const count = requests.length
  const statement = { kind: 'bundle', clusterId, client: signer.publicKey, count, root } as const
  const signature = signer.sign(statementBytes(statement))
  return requests.map((request, index) => ({
    request,
    id: ids[index] ?? EMPTY_ROOT,
    proof: { index, count, root, path: pathOf(levels, index), signature },
  }))
}

/** The nodes of the tree from its leaves up; a last node without a sibling rises as it is. */
function levelsOf(leaves: readonly Digest[]): readonly (readonly Digest[])[] {
  const levels = [leaves]
  for (let below = leaves; below.length > 1; ) {
    const level: Digest[] = []
    for (let i = 0; i < below.length; i += 2) {
      const [left = EMPTY_ROOT, right] = [below[i], below[i + 1]]
      level.push(right === undefined ? left : nodeHash(left, right))
    }
    levels.push(level)
    below = level
  }
  return levels
}

function pathOf(levels: readonly (readonly Digest[])[], index: number): Digest[] {
  const path: Digest[] = []
  let node = index
  for (const level of levels) {
    const sibling = level[node % 2 === 0 ? node + 1 : node - 1]
    if (sibling !== undefined) path.push(sibling)
    node = Math.floor(node / 2)
  }
  return path
}

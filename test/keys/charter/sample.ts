// Charters of fixed keys for the tests.

import { epoch, memberId, slot } from '../../../crypto/index.ts'
import { type Charter, type CharterMember, genesisCharter, membershipOf } from '../../../keys/charter/index.ts'
import { DEFAULT_PARAMETERS } from '../../../keys/genesis/index.ts'
import { genesisOf, memberDraft, sample, sampleDraft, signerNamed } from '../sample.ts'

/** Of four replicas, of which one may lie; two admins must agree; member 1 has an operator. */
export const GENESIS = genesisOf(
  sample({
    quorum: { byzantine: 1, crash: 0 },
    members: [0, 1, 2, 3].map((i) => (i === 1 ? { ...memberDraft(i), operator: 'writer-1' } : memberDraft(i))),
    clients: [...sampleDraft().clients, { name: 'second', role: 'admin', key: signerNamed('client second') }],
    admins: { threshold: 2 },
  }),
)

export const FIRST: Charter = genesisCharter(GENESIS)

export function charterMember(index: number, operator?: string): CharterMember {
  return {
    id: memberId(index),
    consensusKey: signerNamed(`consensus ${index}`).publicKey,
    transportKey: signerNamed(`transport ${index}`).publicKey,
    operator: operator === undefined ? undefined : signerNamed(operator).publicKey,
  }
}

/** Of epoch 1: five members, of which the last came later than one that is gone. */
export const SECOND: Charter = {
  epoch: epoch(1),
  previous: membershipOf(FIRST, GENESIS.clusterId).digest,
  start: slot(256),
  members: [0, 1, 2, 3, 5].map((i) => charterMember(i, i === 5 ? 'client writer-1' : undefined)),
  quorum: { byzantine: 1, crash: 0 },
  parameters: { ...DEFAULT_PARAMETERS, window: 16, rotation: { policy: 'every', slots: 256 } },
  admins: { threshold: 2 },
}

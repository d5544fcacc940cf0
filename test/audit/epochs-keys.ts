// The genesis of logs of several epochs, and everybody's keys.

import { bytesKey, type Signer, utf8 } from '../../crypto/index.ts'
import { assembleGenesis, DEFAULT_PARAMETERS, type Genesis, readGenesis } from '../../keys/genesis/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
import type { EpochContext } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'

export const INTERVAL = 4

export const signerNamed = (name: string) => nativeSigner(bytesFor(name))
export const ADMIN = signerNamed('epochs admin')
export const WRITER = signerNamed('epochs writer')

/** Everybody's consensus keys, by public key: also those that are retired, as a thief has them. */
const signers = new Map<string, Signer>()

export function consensusNamed(name: string): Signer {
  const signer = signerNamed(`epochs consensus ${name}`)
  signers.set(bytesKey(signer.publicKey), signer)
  return signer
}

/** Four members, of which one may lie. */
const contents = assembleGenesis({
  name: 'epochs',
  quorum: { byzantine: 1, crash: 0 },
  members: [0, 1, 2, 3].map((i) => ({
    consensus: consensusNamed(`${i}`),
    transport: signerNamed(`epochs transport ${i}`),
    addresses: [`/ip4/127.0.0.1/tcp/${7400 + i}`],
  })),
  clients: [
    { name: 'admin', role: 'admin', key: ADMIN },
    { name: 'writer', role: 'writer', key: WRITER },
  ],
  parameters: { ...DEFAULT_PARAMETERS, window: 2, checkpointInterval: INTERVAL },
})
export const GENESIS_BYTES: Uint8Array = utf8(JSON.stringify(contents))
export const GENESIS: Genesis = readBack(GENESIS_BYTES)

function readBack(bytes: Uint8Array): Genesis {
  const read = readGenesis(bytes, nativeVerifier)
  if (!read.ok) throw new Error(JSON.stringify(read.fault))
  return read.value
}

/** The consensus key of a member of the epoch, in office or retired. */
export function signerAt({ charter }: EpochContext, replica: number): Signer {
  const key = charter.members[replica]?.consensusKey
  const signer = key && signers.get(bytesKey(key))
  if (signer === undefined) throw new RangeError('no such replica')
  return signer
}

// What cryptography costs: signatures by each implementation, hashes, certificates, the verifier pool, the log's tree.

import { createHash, hash } from 'node:crypto'
import {
  admitKey,
  portableSigner,
  portableVerifier,
  type Sha256Each,
  type SignatureVerifier,
  type Signer,
  sha256,
  sha256Each,
  VOTE_STATEMENT_BYTES,
} from '../crypto/index.ts'
import {
  createVerifierPool,
  nativeSha256,
  nativeSha256Each,
  nativeSigner,
  nativeVerifier,
  type VerifierPool,
  type VerifyJob,
} from '../keys/native/index.ts'
import { certificateCases, checkpointCases, merkleCases } from './crypto-log.ts'
import { type Group, type Plan, type RatioOf, requireHeld, type Suite } from './measure.ts'
import { sodiumSigner, sodiumVerifier } from './sodium.ts'

const SEED = new Uint8Array(32).fill(7)
const IMPLEMENTATIONS: readonly (readonly [string, SignatureVerifier, Signer])[] = [
  ['native', nativeVerifier, nativeSigner(SEED)],
  ['portable', portableVerifier, portableSigner(SEED)],
  ['sodium', sodiumVerifier, sodiumSigner(SEED)],
]
/** 65 bytes: one inner node of the log's tree. */
const MANY_BYTES = [65, 129]
const RATIOS: readonly RatioOf[] = [
  ...['sign', 'verify'].flatMap((what) => [
    { name: `${what}: sodium / native`, dividend: `${what}, sodium`, divisor: `${what}, native` },
    { name: `${what}: portable / native`, dividend: `${what}, portable`, divisor: `${what}, native` },
  ]),
  ...MANY_BYTES.map((length) => ({
    name: `SHA-256 of ${length} bytes: one by one / in lanes`,
    dividend: `${many(length)}, one by one`,
    divisor: `${many(length)}, in lanes`,
  })),
]

export const cryptoSuite: Suite = async ({ quick }) => {
  const batch = quick ? 32 : 1024
  const leaves = quick ? 1000 : 1_000_000
  const pools = poolCases(batch)
  const plan: Plan = {
    settings: { 'bytes a vote': VOTE_STATEMENT_BYTES, 'signatures a batch': batch, leaves },
    groups: [
      signCases(),
      verifyCases(),
      [{ name: 'admit a key (K1-K4)', unit: 'us', operations: 1, call: admission() }],
      hashCases(),
      ...MANY_BYTES.map(manyHashCases),
      ...[4, 7, 31].map(certificateCases),
      checkpointCases(4),
      pools.throughput,
      pools.mainThread,
      ...merkleCases(leaves),
    ],
    ratios: [
      ...RATIOS,
      ...[1, 2].map((threads) => ({
        name: `verify a batch: pool of ${threads} / inline`,
        dividend: `verify a batch, pool of ${threads} thread${threads === 1 ? '' : 's'}`,
        divisor: 'verify a batch, inline',
      })),
    ],
    close: pools.close,
  }
  return plan
}

function signCases(): Group {
  const message = new Uint8Array(VOTE_STATEMENT_BYTES).fill(1)
  return IMPLEMENTATIONS.map(([name, , signer]) => ({
    name: `sign, ${name}`,
    unit: 'us',
    operations: 1,
    call: () => signer.sign(message),
  }))
}

function verifyCases(): Group {
  const message = new Uint8Array(VOTE_STATEMENT_BYTES).fill(1)
  return IMPLEMENTATIONS.map(([name, verifier, signer]) => {
    const signature = signer.sign(message)
    const call = () => requireHeld(verifier.verify(signer.publicKey, message, signature))
    return { name: `verify, ${name}`, unit: 'us', operations: 1, call }
  })
}

function admission(): () => void {
  const { publicKey } = nativeSigner(SEED)
  return () => requireHeld(admitKey(publicKey) !== undefined)
}

function hashCases(): Group {
  const node = new Uint8Array(65).fill(1)
  return [
    { name: 'SHA-256 of 65 bytes, noble', unit: 'us', operations: 1, call: () => sha256(node) },
    { name: 'SHA-256 of 65 bytes, crypto.hash', unit: 'us', operations: 1, call: () => hash('sha256', node, 'buffer') },
    {
      name: 'SHA-256 of 65 bytes, createHash',
      unit: 'us',
      operations: 1,
      call: () => createHash('sha256').update(node).digest(),
    },
  ]
}

function many(length: number): string {
  return `SHA-256 of ${length} bytes, 1,024 at once`
}

/** Microseconds a hash. `one by one` is what processes do whose engine has no vectors. */
function manyHashCases(length: number): Group {
  const count = 1024
  const bytes = new Uint8Array(count * length).fill(1)
  const ends = Uint32Array.from({ length: count }, (_, i) => (i + 1) * length)
  const target = new Uint8Array(32 * count)
  const oneByOne: Sha256Each = () => {
    for (let i = 0; i < count; i++) target.set(nativeSha256(bytes.subarray(i * length, (i + 1) * length)), 32 * i)
  }
  const inLanes = nativeSha256Each()
  requireHeld(inLanes !== undefined)
  const implementations: readonly (readonly [string, Sha256Each | undefined])[] = [
    ['noble', sha256Each],
    ['one by one', oneByOne],
    ['in lanes', inLanes],
  ]
  return implementations.map(([name, each]) => ({
    name: `${many(length)}, ${name}`,
    unit: 'us',
    operations: count,
    call: () => each?.(bytes, ends, count, target),
  }))
}

interface PoolCases {
  readonly throughput: Group
  readonly mainThread: Group
  readonly close: () => Promise<void>
}

function poolCases(batch: number): PoolCases {
  const signers = Array.from({ length: 31 }, (_, i) => nativeSigner(new Uint8Array(32).fill(i)))
  const jobs = Array.from({ length: batch }, (_, i): VerifyJob => {
    const signer = signers[i % signers.length] ?? nativeSigner(SEED)
    const message = new Uint8Array(VOTE_STATEMENT_BYTES).fill(i)
    return { key: signer.publicKey, message, signature: signer.sign(message) }
  })
  const one = createVerifierPool({ threads: 1 })
  const two = createVerifierPool({ threads: 2 })
  const inline = () => requireHeld(jobs.every((job) => nativeVerifier.verify(job.key, job.message, job.signature)))
  const pooled = (pool: VerifierPool) => async () =>
    requireHeld((await pool.verifyBatch(jobs)).every((verdict) => verdict))
  const throughput = { unit: '/s', operations: batch } as const
  const mainThread = { unit: 'us', operations: batch, clock: mainThreadMilliseconds } as const
  return {
    throughput: [
      { name: 'verify a batch, inline', ...throughput, call: inline },
      { name: 'verify a batch, pool of 1 thread', ...throughput, call: pooled(one) },
      { name: 'verify a batch, pool of 2 threads', ...throughput, call: pooled(two) },
    ],
    mainThread: [
      { name: 'main thread a signature, inline', ...mainThread, call: inline },
      { name: 'main thread a signature, pool of 1 thread', ...mainThread, call: pooled(one) },
    ],
    close: async () => void (await Promise.all([one.close(), two.close()])),
  }
}

/** How long this thread was busy: all time but what its event loop waited. */
function mainThreadMilliseconds(): number {
  return performance.eventLoopUtilization().active
}

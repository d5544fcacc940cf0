// What `get` and `range` have in common beside the other commands on keys: three ways to read, and what each shows for its answer.

import { writeFile } from 'node:fs/promises'
import type { Genesis } from '../../../keys/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import type { CallOptions, Client, Done, OrderedRead, Read, ReadMode, StaleEvidence } from '../../client/index.ts'
import type { EpochChain } from '../../consensus/index.ts'
import { callOptions, openCluster, withClient } from '../cluster.ts'
import { type Context, type Input, type OptionSpec, type Outcome, UsageError } from '../command.ts'
import { ask } from './run.ts'

const MOST_AGE_S = 86_400 * 365

export const READ_OPTION: OptionSpec = Object.freeze({
  flags: '--read <mode>',
  describe: 'ordered: through the log (default); quorum: q replicas agree; lease: the leader alone (crash mode)',
})

export const STALE_OPTIONS: readonly OptionSpec[] = Object.freeze([
  {
    flags: '--read <mode>',
    describe:
      'ordered: through the log (default); quorum: q replicas agree; lease: the leader alone (crash mode); stale: one replica proves it',
  },
  { flags: '--max-age <seconds>', describe: 'with --read stale: how old a proven state may be (default: any age)' },
  { flags: '--proof <file>', describe: 'with --read stale: keep the proof; check it with: quorate audit verify' },
])

type Mode = 'ordered' | 'quorum' | 'lease' | 'stale'

/** Reads in the way that `--read` names, keeps what proves the answer where that is asked for, and tells what came of it. */
export async function readWith<Value>(
  input: Input,
  context: Context,
  modes: readonly Mode[],
  call: (client: Client, options: CallOptions & { readonly read: ReadMode }) => Promise<Read<Value>>,
  tell: (value: Value) => Outcome,
): Promise<Outcome> {
  const mode = modeOf(input, modes)
  const read = readOf(mode, input)
  if (mode === 'ordered') {
    const ordered = async (client: Client, options: CallOptions) => orderedOf(await call(client, { ...options, read }))
    const outcome = await ask(input, context, ordered, tell)
    return { ...outcome, value: { ...outcome.value, mode } }
  }
  const access = await openCluster(input, context)
  const options = callOptions(input, context)
  const [done, chain] = await withClient(access, context, async (client) => {
    const answer = await call(client, { ...options, read })
    return [answer, client.chain] as const
  })
  const outcome = tell(done.value)
  const facts = await factsOf(done, input, access.genesis, chain)
  return { ...outcome, value: { ...outcome.value, slot: done.slot, ...facts } }
}

function modeOf(input: Input, modes: readonly Mode[]): Mode {
  const text = input.text('read') ?? 'ordered'
  if (text === 'stale' && !modes.includes('stale')) {
    throw new UsageError(
      'a range cannot be read stale: the state proves single keys, and not that none is missing from a range; ' +
        'use --read quorum, or get its keys one by one',
    )
  }
  const mode = modes.find((each) => each === text)
  if (mode === undefined) throw new UsageError(`--read must be one of ${modes.join(', ')}, not ${JSON.stringify(text)}`)
  for (const option of ['max-age', 'proof']) {
    if (mode !== 'stale' && input.text(option) !== undefined) {
      throw new UsageError(`--${option} is for --read stale, and this is --read ${mode}`)
    }
  }
  if (mode !== 'ordered' && input.text('receipt') !== undefined) {
    const instead = mode === 'stale' ? '; --proof keeps what proves it' : ''
    throw new UsageError(`--receipt is for --read ordered: a ${mode} read leaves no receipt${instead}`)
  }
  return mode
}

function readOf(mode: Mode, input: Input): ReadMode {
  const seconds = mode === 'stale' ? input.integer('max-age', 0, MOST_AGE_S) : undefined
  return seconds === undefined ? mode : { mode: 'stale', maxAgeMs: 1000 * seconds }
}

function orderedOf<Value>(read: Read<Value>): Done<Value> {
  if (isOrdered(read)) return read
  throw new Error('unreachable: an ordered read is answered by the log')
}

function isOrdered<Value>(read: Read<Value>): read is OrderedRead<Value> {
  return read.evidence.mode === 'ordered'
}

/** For programs: why to believe the answer. A quorum read may have gone through the log. */
async function factsOf(
  { evidence }: Read<unknown>,
  input: Input,
  genesis: Genesis,
  chain: EpochChain,
): Promise<object> {
  const { mode } = evidence
  switch (mode) {
    case 'ordered':
      return { mode, signers: evidence.receipt.certificate.signatures.map(({ replica }) => Number(replica)) }
    case 'quorum':
      return { mode, replicas: evidence.replicas }
    case 'lease':
      return { mode, replica: evidence.replica }
    case 'stale': {
      await keepProof(input, evidence, genesis, chain)
      const signers = evidence.checkpoint.signatures.map(({ replica }) => Number(replica))
      const { replica, timestampMs, ageMs } = evidence
      return { mode, replica, signers, time: new Date(timestampMs).toISOString(), ageMs: Math.round(ageMs) }
    }
  }
}

async function keepProof(input: Input, evidence: StaleEvidence, genesis: Genesis, chain: EpochChain): Promise<void> {
  const file = input.text('proof')
  if (file === undefined) return
  const { encodeStateFile } = await import('../../audit/verify/index.ts')
  const bytes = encodeStateFile(evidence, genesis, nativeVerifier, chain)
  if (bytes === undefined) throw new Error('unreachable: the checkpoint of the answer was verified')
  try {
    await writeFile(file, bytes)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UsageError(`the key was read, but its proof could not be written to ${file}: ${reason}`)
  }
}

// What the commands on keys have in common: the connection, the receipt that is kept, and what is said when nobody knows the outcome.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Genesis } from '../../../keys/index.ts'
import type { CallOptions, Client, Done } from '../../client/index.ts'
import type { EpochChain } from '../../consensus/index.ts'
import { CLUSTER_OPTIONS, type ClusterAccess, callOptions, openCluster, withClient } from '../cluster.ts'
import { type Context, type Input, type OptionSpec, type Outcome, UsageError } from '../command.ts'
import { encodeRequestFile } from './request-file.ts'

export const KV_OPTIONS: readonly OptionSpec[] = Object.freeze([
  { flags: '--receipt <file>', describe: 'keep the proof of what was agreed; check it with: quorate audit verify' },
  { flags: '--base64', describe: 'keys and values are base64, on the command line and in the answer' },
  ...CLUSTER_OPTIONS,
])

/** Where and by whom something was agreed. */
interface Agreed {
  readonly slot: number
  /** Replicas whose signatures are in the receipt. */
  readonly signers: readonly number[]
}

/** Asks the cluster, keeps the receipt, and tells what came of it. */
export async function ask<Value>(
  input: Input,
  context: Context,
  call: (client: Client, options: CallOptions) => Promise<Done<Value>>,
  tell: (value: Value, agreed: Agreed) => Outcome,
): Promise<Outcome> {
  const options = callOptions(input, context)
  const access = await openCluster(input, context)
  const { ResultForgotten } = await import('../../client/index.ts')
  try {
    const [done, chain] = await withClient(access, context, async (client) => {
      const outcome = await call(client, options)
      return [outcome, client.chain] as const
    })
    await keepReceipt(input, done, access.genesis, chain)
    const { slot, receipt } = done
    const signers = receipt.certificate.signatures.map(({ replica }) => Number(replica))
    const outcome = tell(done.value, { slot, signers })
    return { ...outcome, value: { ...outcome.value, slot, signers } }
  } catch (error) {
    if (error instanceof ResultForgotten) {
      return {
        status: 'refused',
        value: { outcome: 'forgotten', slot: error.slot, message: error.message },
        text: error.message,
      }
    }
    throw await explained(error, access)
  }
}

async function keepReceipt(
  input: Input,
  { receipt }: Done<unknown>,
  genesis: Genesis,
  chain: EpochChain,
): Promise<void> {
  const file = input.text('receipt')
  if (file === undefined) return
  const { encodeReceiptFile } = await import('../../audit/verify/index.ts')
  try {
    await writeFile(file, encodeReceiptFile(receipt, genesis, chain))
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UsageError(`the request was executed, but its receipt could not be written to ${file}: ${reason}`)
  }
}

/** An unknown outcome can be asked about again: the request is kept, and the message says how. */
async function explained(error: unknown, { genesis, folder }: ClusterAccess): Promise<unknown> {
  const { OutcomeUnknown } = await import('../../client/index.ts')
  if (!(error instanceof OutcomeUnknown) || error.expired) return error
  const { request } = error
  const file = join(folder, `unknown-${request.request.sequence}.request`)
  const written = await writeFile(file, encodeRequestFile(request, genesis), { mode: 0o600 }).then(
    () => true,
    () => false,
  )
  const how = written ? `; ask again with: quorate resume ${file}` : ''
  return new OutcomeUnknown(request, `${error.message}${how}`, { cause: error })
}

// `quorate lock`: runs a command while holding a lock, with the token that shows it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HeldLock } from '../../client/index.ts'
import { CLUSTER_OPTIONS, openCluster, withClient } from '../cluster.ts'
import type { Command, Context, Input, Outcome } from '../command.ts'
import { fileFault } from '../file-error.ts'
import { runGuarded } from '../kv/guarded.ts'
import { lockName, TAKE_OPTIONS, takeOptions } from '../kv/take.ts'

export const lock: Command = {
  name: 'lock',
  describe: 'Run a command while holding a lock; its exit code is that of the command, or 1 where the lock was lost',
  arguments: [
    { name: 'NAME', describe: 'the lock; any text of at most 512 bytes' },
    { name: 'COMMAND', describe: 'what to run, after --', variadic: true },
  ],
  options: [
    ...TAKE_OPTIONS,
    { flags: '--token <file>', describe: 'keep the fencing token here; check it with: quorate audit verify --lock' },
    ...CLUSTER_OPTIONS.filter(({ flags }) => !flags.startsWith('--timeout')),
  ],
  examples: [
    ['quorate lock backup -- ./backup.sh', 'waits for the lock, runs the script, and lets the lock go'],
    [
      `quorate lock db --ttl 5 -- sh -c 'echo "$QUORATE_FENCING_TOKEN $QUORATE_FENCING_TOKEN_FILE"'`,
      "the token's number and file, for whatever the lock protects to check",
    ],
  ],
  async run(input, context) {
    const name = lockName(input)
    const options = takeOptions(input, context)
    const command = input.rest('COMMAND')
    const access = await openCluster(input, context)
    const { lock: take } = await import('../../client/index.ts')
    return withClient(access, context, async (client) => {
      const held = await take(client, name, options)
      try {
        return await withTokenFile(input, held, (file) => run(held, command, file, context))
      } finally {
        await held.release()
      }
    })
  },
}

async function run(
  { name, token, lost }: HeldLock,
  command: readonly string[],
  file: string,
  { environment, signal }: Context,
): Promise<Outcome> {
  const env = { ...environment, QUORATE_FENCING_TOKEN: `${token.slot}`, QUORATE_FENCING_TOKEN_FILE: file }
  const exit = await runGuarded(command, { environment: env, lost, stop: signal })
  const facts = { lock: name, token: token.slot, exit }
  if (!lost.aborted) return { status: 'done', value: { ...facts, lost: false }, text: '', exit }
  const text = `the lock ${name} was lost while ${command[0]} ran, which was told to stop and ended with ${exit}`
  return { status: 'refused', value: { ...facts, lost: true }, text }
}

/** The token where `--token` says, where it stays; or in a temporary file for as long as the command runs. */
async function withTokenFile(
  input: Input,
  { token }: HeldLock,
  use: (file: string) => Promise<Outcome>,
): Promise<Outcome> {
  const named = input.text('token')
  const folder = named === undefined ? await mkdtemp(join(tmpdir(), 'quorate-token-')) : undefined
  const file = named ?? join(folder ?? '', 'token.jsonl')
  try {
    await writeFile(file, token.bytes).catch((error: unknown) => {
      throw fileFault(file, 'written', error)
    })
    return await use(file)
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

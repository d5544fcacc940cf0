// The tour's second half: what is left after the cluster is gone, checked with nothing but the public genesis. It runs the very
// commands that users run, and reads what they give to programs.

import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { GENESIS_FILE, type Genesis } from '../../../keys/index.ts'
import { encodeReceiptFile } from '../../audit/verify/index.ts'
import type { Client } from '../../client/index.ts'
import type { Context } from '../command.ts'
import { main } from '../main.ts'
import { claim, counted, type Shown } from './story.ts'

export interface AuditScene {
  readonly context: Context
  readonly genesis: Genesis
  /** The keyset's folder. */
  readonly cluster: string
  /** Where bundles and receipts go. */
  readonly folder: string
}

const exported = z.object({ entries: z.int(), checkpoints: z.int(), evidence: z.int() })
const verified = z.object({
  valid: z.boolean(),
  entries: z.int(),
  checkpoints: z.int(),
  receipts: z.int(),
  faults: z.array(z.object({ where: z.string(), check: z.string(), message: z.string() })),
})
const statement = z.object({
  title: z.string(),
  fields: z.array(z.tuple([z.string(), z.string()])),
  signature: z.string(),
})
const blamed = z.object({
  guilty: z.array(z.int()),
  proofs: z.array(z.object({ sentence: z.string(), kind: z.string(), statements: z.array(statement) })),
})

/** The place of the receipt of a last write. */
export async function keepReceipt({ genesis, folder }: AuditScene, client: Client): Promise<Shown & { file: string }> {
  const file = join(folder, 'receipt.jsonl')
  const { slot, receipt } = await client.put('tour', 'was here')
  const bytes = encodeReceiptFile(receipt, genesis)
  await writeFile(file, bytes)
  const signers = receipt.certificate.signatures.map(({ replica }) => replica).join(' and ')
  return {
    text: `put tour "was here": slot ${slot}, signed by replicas ${signers}; ${basename(file)} keeps it`,
    facts: { slot, bytes: bytes.length },
    file,
  }
}

export interface Exported {
  /** The whole log, as far as checkpoints cover it. */
  readonly all: string
  /** What was ever asked about one key. */
  readonly part: string
}

/** Exports from the running cluster. */
export async function exportBundles(scene: AuditScene, key: string): Promise<Shown & Exported> {
  const { cluster, folder } = scene
  const [all, part] = [join(folder, 'log.jsonl'), join(folder, 'key.jsonl')]
  const to = (file: string) => ['--checkpointed', '--cluster', cluster, '--out', file]
  const whole = await answerOf(scene, exported, 0, 'audit', 'export', '--all', ...to(all))
  const some = await answerOf(scene, exported, 0, 'audit', 'export', '--key', key, ...to(part))
  claim(some.entries > 0, `the entries about ${key} should be some`)
  const { length } = await readFile(all)
  return {
    text: `the whole log, ${counted(whole.entries)} entries in ${kib(length)}; and the ${some.entries} about key ${key} alone`,
    facts: { entries: whole.entries, bytes: length, part: some.entries },
    ...{ all, part },
  }
}

/** Verifies both bundles with nothing but the genesis: the whole by executing it again. */
export async function verifyBundles(scene: AuditScene, { all, part }: Exported): Promise<Shown> {
  const whole = await verify(scene, all, 0, '--level', 'replay')
  const some = await verify(scene, part, 0)
  claim(whole.valid && some.valid, 'both bundles should be valid')
  return {
    text: `${counted(whole.entries)} entries and ${whole.checkpoints} checkpoints hold, executed again; so do the ${some.entries}`,
    facts: { entries: whole.entries, checkpoints: whole.checkpoints },
  }
}

/** Changes one byte in the middle of a bundle and expects the refusal. */
export async function tamper(scene: AuditScene, file: string): Promise<Shown> {
  const bytes = await readFile(file)
  const at = changeable(bytes)
  const changed = join(scene.folder, 'changed.jsonl')
  bytes[at] = bytes[at] === ZERO ? ZERO + 1 : ZERO
  await writeFile(changed, bytes)
  const { valid, faults } = await verify(scene, changed, 1)
  const [first] = faults
  claim(!valid && first !== undefined, `a bundle with byte ${at} changed should be refused`)
  return {
    text: `byte ${counted(at)} of ${counted(bytes.length)}: refused, ${first.where}: ${first.message}`,
    facts: { at, ...first },
  }
}

/** Says who lied, with two statements that prove it. */
export async function blame(scene: AuditScene, file: string, liar: number): Promise<Shown> {
  const genesis = join(scene.cluster, GENESIS_FILE)
  const { guilty, proofs } = await answerOf(scene, blamed, 1, 'audit', 'blame', file, '--genesis', genesis)
  claim(guilty.length === 1 && guilty[0] === liar, `replica ${liar} alone lied, and blame names ${guilty.join(', ')}`)
  const proof = proofs.find(({ statements }) => statements.length === 2) ?? proofs[0]
  claim(proof !== undefined, 'blame should show the statements that prove it')
  return {
    text: `${proof.sentence}; ${counted(proofs.length)} such proofs`,
    facts: { guilty, proof },
    more: proof.statements.flatMap(({ title, fields, signature }) => [
      `${title}: ${fields.map(([name, value]) => `${name} ${shortened(value)}`).join(', ')}, signature ${shortened(signature)}`,
    ]),
  }
}

/** Verifies the receipt with nothing but the genesis. */
export async function verifyReceipt(scene: AuditScene, file: string): Promise<Shown> {
  const { valid, receipts } = await verify(scene, file, 0)
  claim(valid && receipts === 1, 'the receipt should hold')
  return { text: `${basename(file)} holds: two replicas signed the result, and one of them is honest`, facts: {} }
}

function verify(scene: AuditScene, file: string, code: number, ...more: string[]) {
  const genesis = join(scene.cluster, GENESIS_FILE)
  return answerOf(scene, verified, code, 'audit', 'verify', file, '--genesis', genesis, ...more)
}

/** Runs `quorate` in this process and reads its JSON. @throws {ClaimFailed} where it ends with another code. */
async function answerOf<Value>(
  { context }: AuditScene,
  shape: z.ZodType<Value>,
  expected: number,
  ...args: string[]
): Promise<Value> {
  const [out, error]: [string[], string[]] = [[], []]
  const { environment, signal, progress } = context
  const code = await main([...args, '--json'], {
    ...{ environment, signal, progress },
    out: (text) => out.push(text),
    error: (text) => error.push(text),
  })
  const command = `quorate ${args.slice(0, 2).join(' ')}`
  claim(
    code === expected,
    `${command} should end with ${expected}, not ${code}: ${(error.join('') || out.join('')).trim()}`,
  )
  return shape.parse(JSON.parse(out.join('')))
}

const ZERO = 0x30

/** The place of a digit or letter near the middle: another one there leaves the line readable, and only its meaning is wrong. */
function changeable(bytes: Uint8Array): number {
  const middle = Math.floor(bytes.length / 2)
  const found = bytes.findIndex((byte, i) => i >= middle && (byte === ZERO || (byte > 0x60 && byte < 0x67)))
  claim(found >= 0, 'the bundle should have a byte to change')
  return found
}

function shortened(value: string): string {
  return value.length > 16 ? `${value.slice(0, 12)}...` : value
}

function kib(bytes: number): string {
  return `${counted(Math.ceil(bytes / 1024))} KiB`
}

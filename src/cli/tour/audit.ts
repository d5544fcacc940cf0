// The tour's second half: what is left after the cluster is gone, checked with nothing but the public genesis. It runs the very
// commands that users run.

import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { GENESIS_FILE } from '../../../keys/index.ts'
import type { Context } from '../command.ts'
import { main } from '../main.ts'
import { claim, counted, type Shown } from './story.ts'

/** What a command answered. */
export interface Answer {
  readonly code: number
  readonly out: string
  readonly error: string
}

export interface AuditScene {
  readonly context: Context
  /** The keyset's folder. */
  readonly cluster: string
  /** Where bundles and receipts go. */
  readonly folder: string
}

/** Runs `quorate` with these arguments in this process. */
export async function quorate({ environment, signal }: Context, ...args: string[]): Promise<Answer> {
  const [out, error]: [string[], string[]] = [[], []]
  const code = await main(args, {
    ...{ environment, signal, progress: () => {} },
    out: (text) => out.push(text),
    error: (text) => error.push(text),
  })
  return { code, out: out.join(''), error: error.join('') }
}

/** The lines of an answer that people see, without what is blank. */
const linesOf = (text: string) => text.split('\n').filter((line) => line.trim() !== '')

function succeeded({ code, out, error }: Answer, what: string): string {
  claim(code === 0, `${what} should succeed, and ended with ${code}: ${firstLine(error === '' ? out : error)}`)
  return out
}

/** A last write, whose receipt is kept. */
export async function keepReceipt({ context, cluster, folder }: AuditScene): Promise<Shown & { file: string }> {
  const file = join(folder, 'receipt.json')
  const answer = await quorate(context, 'put', 'tour', 'was here', '--receipt', file, '--cluster', cluster)
  succeeded(answer, 'quorate put')
  const { length } = await readFile(file)
  return { text: `put tour "was here": ${basename(file)}, ${counted(length)} bytes`, facts: { bytes: length }, file }
}

/** Exports everything from the running cluster. */
export async function exportBundle({ context, cluster, folder }: AuditScene): Promise<Shown & { file: string }> {
  const file = join(folder, 'bundle.jsonl')
  succeeded(
    await quorate(context, 'audit', 'export', '--all', '--out', file, '--cluster', cluster),
    'quorate audit export',
  )
  const { length } = await readFile(file)
  return { text: `the whole log as ${basename(file)}, ${kib(length)}`, facts: { bytes: length }, file }
}

/** Verifies a bundle with nothing but the genesis. */
export async function verifyBundle({ context, cluster }: AuditScene, file: string): Promise<Shown> {
  const genesis = join(cluster, GENESIS_FILE)
  const out = succeeded(await quorate(context, 'audit', 'verify', file, '--genesis', genesis), 'quorate audit verify')
  return { text: linesOf(out).at(-1) ?? '', facts: {} }
}

/** Changes one byte in the middle of the bundle and expects the refusal. */
export async function tamper({ context, cluster, folder }: AuditScene, file: string): Promise<Shown> {
  const bytes = await readFile(file)
  const at = changeable(bytes)
  const changed = join(folder, 'changed.jsonl')
  bytes[at] = bytes[at] === ZERO ? ZERO + 1 : ZERO
  await writeFile(changed, bytes)
  const answer = await quorate(context, 'audit', 'verify', changed, '--genesis', join(cluster, GENESIS_FILE))
  claim(
    answer.code === 1,
    `a bundle with byte ${at} changed should be refused with 1, and verify ended with ${answer.code}`,
  )
  const reason = refusalOf(`${answer.out}\n${answer.error}`)
  return { text: `byte ${counted(at)} changed; refused: ${reason}`, facts: { at, reason } }
}

/** Prints who lied, with the statements that prove it. */
export async function blame({ context, cluster }: AuditScene, file: string, liar: number): Promise<Shown> {
  const args = ['audit', 'blame', file, '--genesis', join(cluster, GENESIS_FILE)]
  const answer = await quorate(context, ...args)
  const lines = linesOf(answer.out)
  const named = [...answer.out.matchAll(/replica (\d+)/g)].map(([, index]) => Number(index))
  claim(named.includes(liar), `blame should name replica ${liar}: ${firstLine(answer.out + answer.error)}`)
  return { text: lines[0] ?? '', more: lines.slice(1), facts: { liar, proof: lines } }
}

/** Verifies the receipt with nothing but the genesis. */
export async function verifyReceipt({ context, cluster }: AuditScene, file: string): Promise<Shown> {
  const genesis = join(cluster, GENESIS_FILE)
  const out = succeeded(await quorate(context, 'audit', 'verify', file, '--genesis', genesis), 'quorate audit verify')
  return { text: linesOf(out)[0] ?? '', facts: {} }
}

const ZERO = 0x30

/** The place of a digit or letter near the middle: another one there leaves the line readable, and only its meaning is wrong. */
function changeable(bytes: Uint8Array): number {
  const middle = Math.floor(bytes.length / 2)
  const found = bytes.findIndex((byte, i) => i >= middle && (byte === ZERO || (byte > 0x60 && byte < 0x67)))
  claim(found >= 0, 'the bundle has no byte to change')
  return found
}

function refusalOf(text: string): string {
  const lines = linesOf(text)
  return (lines.find((line) => /not|bad|wrong|refus|fault|invalid/i.test(line)) ?? lines[0] ?? '').trim()
}

function firstLine(text: string): string {
  return linesOf(text)[0] ?? 'nothing was said'
}

function kib(bytes: number): string {
  return `${counted(Math.ceil(bytes / 1024))} KiB`
}

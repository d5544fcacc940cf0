// How long a large bundle takes: `node test/audit/throughput.ts [ENTRIES]`. Makes a log of so many entries of one request each,
// writes it to a temporary file, and verifies it at level log with all cores, printing time and memory. K is the default, 128.

import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { inclusionProof, merkleTree } from '../../crypto/index.ts'
import { createVerifierPool, nativeVerifier, useNative } from '../../keys/native/index.ts'
import { type AuditSummary, BundleWriter, verifyBundle } from '../../src/audit/verify/index.ts'
import { bytesOf } from '../../src/cli/audit/files.ts'
import { receiptOf, TestLog, testGenesis } from './support.ts'

useNative()
const INTERVAL = 128
const entries = Math.ceil(Number(process.argv[2] ?? 100_000) / INTERVAL) * INTERVAL
const test = testGenesis({ interval: INTERVAL })
const folder = await mkdtemp(join(tmpdir(), 'quorate-throughput-'))
try {
  const file = join(folder, 'bundle.jsonl')
  await write(file)
  const { size } = await stat(file)
  console.log(`${entries} entries, ${(size / 2 ** 20).toFixed(0)} MiB, ${(size / entries).toFixed(0)} bytes an entry`)
  const [started, cpu] = [performance.now(), process.cpuUsage()]
  const summary = await verify(file)
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const rate = (entries / seconds).toFixed(0)
  console.log(
    `verified at level log in ${seconds.toFixed(1)} s (${rate} entries/s), ${((user + system) / 1e6).toFixed(1)} s of CPU`,
  )
  console.log(
    `valid: ${summary?.valid}; most memory of the whole run: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
  )
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** In stretches, so that the log as it is made does not stand in memory when it is verified. */
async function write(file: string): Promise<void> {
  const log = new TestLog(test)
  const writer = new BundleWriter()
  const stream = createWriteStream(file)
  const tree = merkleTree()
  stream.write(writer.head(test.genesis, { kind: 'slots', from: 1, to: entries }))
  for (let done = 0; done < entries; done += INTERVAL) {
    log.fill(INTERVAL)
    const checkpoint = log.checkpoints.at(-1)
    const fresh = log.slots.slice(done)
    if (checkpoint === undefined) throw new Error('a checkpoint each interval')
    for (const { entry } of fresh) tree.append(entry.digest)
    const parts = [writer.checkpoint(checkpoint.note, checkpoint.frontier)]
    for (const { entry, certificate, receipts, records } of fresh) {
      const path = inclusionProof(tree.read, entry.header.slot - 1, tree.size)
      parts.push(writer.entry({ entry, certificate, results: { receipt: receiptOf(log, receipts), records }, path }))
    }
    if (!stream.write(parts.join(''))) await new Promise<void>((resolve) => stream.once('drain', () => resolve()))
  }
  stream.end(writer.end())
  await finished(stream)
}

async function verify(file: string): Promise<AuditSummary | undefined> {
  const pool = createVerifierPool({ threads: availableParallelism() })
  let summary: AuditSummary | undefined
  const batch = (jobs: Parameters<typeof pool.verifyBatch>[0]) => pool.verifyBatch(jobs)
  for await (const each of verifyBundle(bytesOf(file), test.genesis, {
    level: 'log',
    verifier: nativeVerifier,
    batch,
  })) {
    if (each.kind === 'summary') summary = each
  }
  await pool.close()
  return summary
}

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../crypto/index.ts'
import { BundleWriter } from '../../src/audit/verify/index.ts'
import { receiptOf, TestLog, testGenesis } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'quorate-memory-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const HEAP_MIB = 64
const VALUE = utf8('v'.repeat(60_000))
const REQUESTS = 10
const ENTRIES = 90

describe('a bundle of 100 MB', () => {
  it(`verifies in a process whose heap is ${HEAP_MIB} MiB`, { timeout: 1_200_000 }, () => {
    const test = testGenesis({ interval: 128 })
    const file = join(folder, 'large.jsonl')
    const writer = new BundleWriter()
    writeFileSync(file, writer.head(test.genesis, { kind: 'slots', from: 1, to: ENTRIES }))
    const log = new TestLog(test)
    for (let i = 0; i < ENTRIES; i++) {
      const keys = Array.from({ length: REQUESTS }, (_, at) => utf8(`large-${at}`))
      log.append(log.bundle(...keys.map((key) => ({ kind: 'put', key, value: VALUE, previous: false }) as const)))
      const { entry, certificate, receipts, records } = log.slots.at(-1) ?? fail()
      const results = { receipt: receiptOf(log, receipts), records }
      appendFileSync(file, writer.entry({ entry, certificate, results, path: undefined }))
    }
    appendFileSync(file, writer.end())
    expect(statSync(file).size).toBeGreaterThan(100_000_000)
    const program = `
      const { readGenesis } = await import(process.argv[1] + '/keys/genesis/index.ts')
      const { nativeVerifier } = await import(process.argv[1] + '/keys/native/index.ts')
      const { verifyBundle } = await import(process.argv[1] + '/src/audit/verify/index.ts')
      const { createReadStream, readFileSync } = await import('node:fs')
      const genesis = readGenesis(readFileSync(process.argv[3]), nativeVerifier).value
      const source = createReadStream(process.argv[2])
      for await (const each of verifyBundle(source, genesis, { level: 'certificates', verifier: nativeVerifier }))
        if (each.kind === 'summary') console.log(JSON.stringify({ valid: each.valid, entries: each.entries }))`
    const genesisFile = join(folder, 'genesis.json')
    writeFileSync(genesisFile, test.genesisBytes)
    const root = join(import.meta.dirname, '..', '..')
    const args = [`--max-old-space-size=${HEAP_MIB}`, '--no-warnings', '--input-type=module', '--eval', program]
    const out = execFileSync(process.execPath, [...args, root, file, genesisFile], { encoding: 'utf8' })
    expect(JSON.parse(out)).toEqual({ valid: true, entries: ENTRIES })
  })
})

function fail(): never {
  throw new Error('an entry was appended')
}

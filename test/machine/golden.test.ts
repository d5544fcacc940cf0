import { expect, it } from 'vitest'
import { hex, utf8 } from '../../crypto/index.ts'
import { encodeKvCommand, encodeResultRecord, type KvCommand, kv, kvStateKey } from '../../src/machine/index.ts'
import { golden } from '../support/golden.ts'
import { executeSampleLog } from './sample-log.ts'
import { executorOf, request, run, WRITER } from './support.ts'

it('the formats of the machine stay as they are', () => {
  const put: KvCommand = { kind: 'put', key: utf8('k'), value: utf8('v'), previous: true }
  const txn: KvCommand = {
    kind: 'txn',
    compares: [{ target: 'mod-revision', relation: '<', key: utf8('k'), number: 9 }],
    success: [{ kind: 'range', start: utf8('a'), end: utf8('z'), limit: 3, keysOnly: true, countOnly: false }],
    failure: [{ kind: 'delete-range', start: utf8(''), end: undefined, previous: true }],
  }
  const leased: KvCommand[] = [
    { kind: 'lease-grant', ttlMs: 30_000 },
    { kind: 'put', key: utf8('l'), value: utf8('v'), previous: false, lease: 1 },
    { kind: 'lease-keep-alive', lease: 1 },
    { kind: 'get', key: utf8('l') },
    { kind: 'lease-revoke', lease: 2 },
  ]
  const commands = [put, txn, ...leased]
  const executor = executorOf(kv)
  const records = run(executor, ...commands.map((each, i) => request(WRITER, i + 1, encodeKvCommand(each))))
  const snapshot = executor.snapshot()
  const { resultsRoots, stateRoots } = executeSampleLog()
  const made = {
    commands: commands.map((each) => hex(encodeKvCommand(each))),
    records: records.map((record) => hex(encodeResultRecord(record))),
    stateRoot: hex(snapshot.root),
    proof: hex(snapshot.prove(kvStateKey(utf8('k')))),
    absence: hex(snapshot.prove(kvStateKey(utf8('none')))),
    chunks: [...snapshot.chunks()].map(hex),
    sampleLog: { lastResultsRoot: resultsRoots.at(-1), lastStateRoot: stateRoots.at(-1) },
  }
  expect(golden('machine', made)).toEqual(made)
})

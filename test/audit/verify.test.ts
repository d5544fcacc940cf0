import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Certificate,
  checkpointText,
  epoch,
  formatNote,
  fromUtf8,
  parseCheckpoint,
  portableVerifier,
  replicaIndex,
  sha256,
  signNote,
  slot,
  utf8,
  view,
} from '../../crypto/index.ts'
import { membershipOf } from '../../keys/charter/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type AuditLevel,
  type AuditOptions,
  type AuditSummary,
  type BatchVerifier,
  chosenFault,
  describeEvidence,
  encodeReceiptFile,
  verifyBundle,
} from '../../src/audit/verify/index.ts'
import { EpochChain, type Evidence } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { receiptFor, resealed, type TestGenesis, TestLog, testGenesis, writeBundle } from './support.ts'

const test = testGenesis()

const nativeBatch: BatchVerifier = async (jobs) =>
  jobs.map(({ key, message, signature }) => nativeVerifier.verify(key, message, signature))

async function audit(
  bytes: Uint8Array | Iterable<Uint8Array>,
  level: AuditLevel = 'certificates',
  options: Partial<AuditOptions> & { in?: TestGenesis } = {},
): Promise<AuditSummary> {
  const { in: where = test, ...more } = options
  const source = bytes instanceof Uint8Array ? [bytes] : bytes
  for await (const each of verifyBundle(source, where.genesis, { level, verifier: nativeVerifier, ...more })) {
    if (each.kind === 'summary') return each
  }
  throw new Error('no summary')
}

/** Where and why a bundle is refused. */
async function refusal(bytes: Uint8Array, level: AuditLevel = 'certificates'): Promise<string[]> {
  const summary = await audit(bytes, level)
  const batched = await audit(bytes, level, { batch: nativeBatch })
  expect(batched).toEqual(summary)
  expect(summary.valid).toBe(summary.faults.length === 0)
  return summary.faults.map(({ where, check, code }) => `${where}: ${check} ${code}`)
}

const log = new TestLog(test).fill(5)
log.append([])
log.append(log.bundle(...['a', 'b', 'c'].map((key) => ({ kind: 'get', key: utf8(key) }) as const)))
log.fill(3)
log.newViews.push(
  log.newView(
    1,
    [1, 2, 3].map((replica) => log.viewChange(replica, 1)),
  ),
)
const good = writeBundle(log)
const linesOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trimEnd().split('\n')
/** The bundle with other lines, and the seal that those would have. */
const relined = (change: (lines: string[]) => string[]) => resealed(change(linesOf(good).slice(0, -1)))

describe('a bundle of a real log', () => {
  it.each(['certificates', 'log', 'replay'] as const)('is valid at level %s', async (level) => {
    expect(await refusal(writeBundle(log, { to: 8 }), level)).toEqual([])
  })

  it('is as valid for the portable verifier, in pieces of any sizes', async () => {
    const small = writeBundle(new TestLog(test).fill(2))
    expect(await audit(small, 'certificates', { verifier: portableVerifier })).toMatchObject({ valid: true })
    const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(sizes, async (pieces) => {
        expect(await audit(cut(good, pieces))).toEqual(await audit(good))
      }),
      { numRuns: 10 },
    )
  })

  it('holds its receipts, which verify alone', async () => {
    for (const at of [1, 7]) {
      const file = encodeReceiptFile(receiptFor(log, at, at === 7 ? 2 : 0), test.genesis)
      expect(await audit(file, 'log')).toMatchObject({ valid: true, receipts: 1, entries: 0 })
    }
  })
})

function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let [at, i] = [0, 0]; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

describe('the lines', () => {
  it('that a file lacks which was cut off anywhere are missed', async () => {
    const cuts = fc.integer({ min: 0, max: good.length - 1 })
    await fc.assert(
      fc.asyncProperty(cuts, async (length) => {
        expect((await audit(good.subarray(0, length))).valid).toBe(false)
      }),
      { numRuns: 40 },
    )
  })
})

describe('a bundle that was not sealed again', () => {
  it.each([
    ['anything behind its end', Uint8Array.of(...good, 0x0a), ['line 51: format bytes-after-end']],
    ['a line feed short', good.subarray(0, -1), ['line 50: format truncated']],
    ['another seal', withLast(good, `{"kind":"end","sha256":"${'0'.repeat(64)}"}`), ['line 50: seal wrong-seal']],
  ])('is refused with %s', async (_, bytes, expected) => {
    expect((await refusal(bytes)).map((each) => each.replace(/\d+/, 'N'))).toEqual(
      expected.map((each) => each.replace(/\d+/, 'N')),
    )
  })

  it('is of another format with another first line', async () => {
    const [first = '', ...rest] = linesOf(good)
    const other = first.replace('quorate-audit-1', 'quorate-audit-3')
    expect(await refusal(utf8([other, ...rest, ''].join('\n')))).toEqual(['line 1: format bad-line'])
  })
})

function withLast(bytes: Uint8Array, line: string): Uint8Array {
  return utf8([...linesOf(bytes).slice(0, -1), line, ''].join('\n'))
}

describe('a line in another form with the same meaning', () => {
  it.each([
    ['a blank', (line: string) => line.replace('":', '": ')],
    ['another order of names', (line: string) => line.replace(/^\{("kind":"[^"]+"),(.*)\}$/, '{$2,$1}')],
    ['a name twice', (line: string) => line.replace('{', '{"kind":"entry",')],
    ['a name more', (line: string) => line.replace(/\}$/, ',"more":1}')],
    ['upper-case digits', (line: string) => line.replace(/[a-f]{2}(?=[0-9a-f]*",)/, (hex) => hex.toUpperCase())],
    ['a number with an exponent', (line: string) => line.replace('"slot":1,', '"slot":1e0,')],
    ['a carriage return', (line: string) => `${line}\r`],
    ['an escaped character', (line: string) => line.replace('"kind"', '"\\u006bind"')],
  ])('is refused: %s', async (_, change) => {
    const bytes = relined((lines) => lines.map((line, i) => (i === 2 ? change(line) : line)))
    expect(await refusal(bytes)).toEqual(['line 3: format bad-line'])
  })
})

describe('a certificate that is none', () => {
  const forged = (change: (forgery: TestLog) => Certificate) => {
    const forgery = new TestLog(test).fill(3)
    const kept = forgery.slots[1]
    if (kept === undefined) throw new Error('three slots')
    forgery.slots[1] = { ...kept, certificate: change(forgery) }
    return writeBundle(forgery)
  }
  const accept = (forgery: TestLog, change: object = {}, signers: readonly number[] = [0, 1, 2]) =>
    forgery.certificate(
      'accept',
      { slot: slot(2), digest: forgery.slots[1]?.entry.digest ?? bytesFor(''), ...change },
      signers,
    )
  const other = testGenesis({ name: 'other' })

  it.each<[string, string, (forgery: TestLog) => Certificate]>([
    [
      'q - 1 signers',
      'certificate too-few-signers',
      (forgery) => {
        const { statement, signatures } = accept(forgery)
        return { statement, signatures: signatures.slice(1) }
      },
    ],
    [
      'a signature of another statement',
      'certificate bad-signature',
      (forgery) => {
        const { statement, signatures } = accept(forgery)
        const [spliced] = accept(forgery, { view: view(4) }).signatures
        return { statement, signatures: spliced === undefined ? [] : [spliced, ...signatures.slice(1)] }
      },
    ],
    [
      "one signer's signature under another's index",
      'certificate bad-signature',
      (forgery) => {
        const { statement, signatures } = accept(forgery)
        const [first] = signatures
        if (first === undefined) throw new Error('three signatures')
        return { statement, signatures: [...signatures.slice(0, 2), { ...first, replica: replicaIndex(3) }] }
      },
    ],
    [
      'a signer who is no member',
      'certificate foreign-signer',
      (forgery) => {
        const { statement, signatures } = accept(forgery)
        const [first] = signatures
        if (first === undefined) throw new Error('three signatures')
        return { statement, signatures: [...signatures.slice(0, 2), { ...first, replica: replicaIndex(4) }] }
      },
    ],
    ['votes for another slot', 'certificate wrong-slot', (forgery) => accept(forgery, { slot: slot(3) })],
    ['votes for another entry', 'certificate wrong-digest', (forgery) => accept(forgery, { digest: bytesFor('x') })],
    [
      'Prepare votes',
      'certificate wrong-kind',
      (forgery) =>
        forgery.certificate(
          'prepare',
          { slot: slot(2), digest: forgery.slots[1]?.entry.digest ?? bytesFor('') },
          [0, 1, 2],
        ),
    ],
    [
      'votes in another membership',
      'certificate wrong-membership',
      (forgery) => signedIn(forgery, { membership: bytesFor('another epoch') }),
    ],
    [
      'votes in another cluster',
      'certificate wrong-cluster',
      (forgery) => signedIn(forgery, { clusterId: other.genesis.clusterId }),
    ],
  ])('is refused by name: %s', async (_, expected, change) => {
    expect(await refusal(forged(change))).toEqual([`slot 2: ${expected}`])
  })

  it('is refused, with the reason, where the genesis leaves votes unsigned', () => {
    const at = log.slots[0]
    if (at === undefined) throw new Error('no slot')
    const { cluster } = test.context.genesis
    const parameters = { ...cluster.charter.parameters, signedVotes: false }
    const { verify, start } = test.context.chain.last
    const { clusterId, name: clusterName } = cluster
    const charter = { ...cluster.charter, parameters }
    const parts = { ...verify, clusterId, clusterName, charter, stateRoot: start.stateRoot }
    const unsigned = { chain: EpochChain.genesis(parts) }
    expect(chosenFault(at.entry, at.certificate, test.context)).toBeUndefined()
    expect(chosenFault(at.entry, at.certificate, unsigned)).toMatchObject({
      code: 'unsigned-votes',
      message: expect.stringContaining('signedVotes: false'),
    })
    // The next epoch's are signed, and so is the hand-over to it: proofs begin there.
    const { digest: previous } = unsigned.chain.last.membership
    const next = { ...charter, epoch: epoch(1), previous, start: slot(8), parameters: cluster.charter.parameters }
    const roots = { logRoot: bytesFor('log'), stateRoot: bytesFor('state') }
    const content = { slot: slot(8), ...roots, next: membershipOf(next, clusterId).digest }
    const signatures = [0, 1, 2].map((replica) => log.note(replica, content))
    const longer = unsigned.chain.extend({ checkpoint: { ...content, signatures }, charter: next })
    if (!longer.ok) throw new Error(JSON.stringify(longer.fault))
    const found = chosenFault(at.entry, at.certificate, { chain: longer.value })
    expect(found?.message).toMatch(/signedVotes: false\), .*; proofs begin after slot 8$/)
  })

  it('is refused where one signer stands in it twice: no line says so', async () => {
    const { statement, signatures } = accept(new TestLog(test).fill(3))
    const [first] = signatures
    if (first === undefined) throw new Error('three signatures')
    const bytes = forged(() => ({ statement, signatures: [first, first, ...signatures.slice(2)] }))
    expect((await refusal(bytes))[0]).toMatch(/^line \d+: format bad-line$/)
  })

  /** Like `accept`, for statements that name something else. */
  function signedIn(forgery: TestLog, change: object): Certificate {
    const votes = [0, 1, 2].map((replica) =>
      forgery.vote(replica, { slot: slot(2), digest: forgery.slots[1]?.entry.digest ?? bytesFor(''), ...change }),
    )
    const [first] = votes
    if (first === undefined) throw new Error('three votes')
    return { statement: first.statement, signatures: votes }
  }
})

describe('what fits together in no log', () => {
  it('another genesis', async () => {
    const other = testGenesis({ name: 'other' })
    const { faults } = await audit(good, 'certificates', { in: other })
    expect(faults).toMatchObject([{ check: 'cluster', code: 'wrong-cluster' }])
  })

  it('results of another slot, under their own good receipts', async () => {
    const spliced = new TestLog(test).fill(3)
    const [first, second] = spliced.slots
    if (first === undefined || second === undefined) throw new Error('three slots')
    spliced.slots[1] = { ...second, receipts: first.receipts, records: first.records }
    expect(await refusal(writeBundle(spliced))).toEqual(['slot 2: result wrong-request'])
    spliced.slots[1] = { ...second, receipts: first.receipts }
    expect(await refusal(writeBundle(spliced))).toEqual(['slot 2: receipt wrong-slot'])
  })

  it('results that nobody signed', async () => {
    const changed = new TestLog(test).fill(2)
    const first = changed.slots[0]
    if (first === undefined) throw new Error('two slots')
    const records = first.records.map((record) => Uint8Array.from(record, (byte, i) => (i === 1 ? 1 : byte)))
    changed.slots[0] = { ...first, records }
    expect(await refusal(writeBundle(changed))).toEqual(['slot 1: result wrong-root'])
  })

  it('a checkpoint of another log, with entries that are in it or not', async () => {
    const one = new TestLog(test).fill(8)
    const two = new TestLog(test).fill(4)
    for (let i = 0; i < 4; i++) two.append([two.put(`other-${i}`)])
    const [first] = one.checkpoints
    const last = two.checkpoints[1]
    if (first === undefined || last === undefined) throw new Error('two checkpoints each')
    one.checkpoints.splice(1, 1, last)
    expect(await refusal(writeBundle(one), 'log')).toEqual(
      [5, 6, 7, 8]
        .map((at) => `slot ${at}: inclusion not-in-log`)
        .concat('slot 8: chain other-log')
        .sort(),
    )
  })

  it('a state that is not the one that was signed, and results that execution does not give', async () => {
    const one = new TestLog(test).fill(8)
    const two = new TestLog(test)
    // The same digests, but a first entry that the machine of `two` executed differently: its results were forged by t replicas.
    for (const { entry } of one.slots) two.append(entry.requests)
    const forged = two.slots[4]
    if (forged === undefined) throw new Error('eight slots')
    const records = forged.records.map((record) => Uint8Array.from(record, (byte, i) => (i === 1 ? 1 : byte)))
    const digest = sha256(Uint8Array.of(0, ...(records[0] ?? [])))
    const receipts = [0, 1].map((replica) => two.vote(replica, { kind: 'receipt', slot: slot(5), digest }))
    two.slots[4] = { ...forged, receipts, records }
    expect(await refusal(writeBundle(two), 'log')).toEqual([])
    expect(await refusal(writeBundle(two), 'replay')).toEqual(['slot 5: replay other-results'])
  })

  it.each([
    [{ kind: 'slots', from: 1, to: 9 }, 'the bundle: contents missing-slot'],
    [{ kind: 'slots', from: 2, to: 10 }, 'slot 1: contents missing-slot'],
    [{ kind: 'slots', from: 7, to: 6 }, 'the bundle: contents bad-range'],
    [{ kind: 'receipt' }, 'the bundle: contents other-contents'],
    [{ kind: 'evidence' }, 'the bundle: contents other-contents'],
    [{ kind: 'key', key: utf8('key-2') }, 'slot 1: contents other-key'],
  ] as const)('a first line that claims %j', async (contents, expected) => {
    const bytes = writeBundle(log, { contents, ...(contents.kind === 'slots' && contents.to === 9 && { to: 8 }) })
    expect((await refusal(bytes))[0]).toBe(expected)
  })
})

describe('evidence in a bundle', () => {
  const lying = new TestLog(test).fill(1)
  const conflicting = (one: string, other: string) => {
    const [first, second] = [one, other].map((text) => lying.vote(3, { slot: slot(9), digest: bytesFor(text) }))
    if (first === undefined || second === undefined) throw new Error('two votes')
    return { kind: 'two-votes', accused: first.replica, first, second } as const
  }

  it('convicts, or is refused and named', async () => {
    lying.evidence.splice(0, 9, conflicting('a', 'b'))
    expect(await audit(writeBundle(lying))).toMatchObject({ valid: true, convicted: [3] })
    lying.evidence.splice(0, 9, conflicting('a', 'a'), { ...conflicting('a', 'b'), accused: replicaIndex(1) })
    const { valid, convicted, faults } = await audit(writeBundle(lying))
    expect({ valid, convicted }).toEqual({ valid: false, convicted: [] })
    expect(faults.map(({ where }) => where.replace(/ \(.*/, ''))).toEqual([
      'evidence against replica 3',
      'evidence against replica 1',
    ])
  })

  it('and NewViews stand in it once', async () => {
    lying.evidence.splice(0, 9, conflicting('a', 'b'))
    lying.newViews.splice(
      0,
      9,
      lying.newView(
        1,
        [1, 2, 3].map((replica) => lying.viewChange(replica, 1)),
      ),
    )
    const body = linesOf(writeBundle(lying)).slice(0, -1)
    const account = body.filter((line) => /"kind":"(new-view|view-change|evidence)"/.test(line))
    expect(await refusal(resealed([...body, ...account]))).toEqual([
      expect.stringMatching(/^NewView of view 1 .*: format repeated$/),
      expect.stringMatching(/^evidence against replica 3 .*: format repeated$/),
    ])
    lying.newViews.splice(0, 9)
  })

  it('about a NewView brings it along once, and every kind survives the way through a file', async () => {
    const prepared = lying.certificate('prepare', { slot: slot(1), digest: bytesFor('kept') }, [0, 1, 2])
    const newView = lying.newView(1, [
      lying.viewChange(0, 1, [prepared]),
      lying.viewChange(2, 1),
      lying.viewChange(3, 1),
    ])
    const relies = newView.vote.statement.digest
    const against = [2, 3].map((replica) => {
      const vote = lying.vote(replica, { view: view(1), justification: relies, digest: bytesFor('other') })
      return { kind: 'against-new-view', accused: vote.replica, vote, newView } as const
    })
    const accept = lying.vote(2, { digest: bytesFor('kept') })
    const hidden = {
      kind: 'hidden-prepared',
      accused: accept.replica,
      accept,
      viewChange: lying.viewChange(2, 1),
    } as const
    const receipt = lying.vote(1, { kind: 'receipt', digest: bytesFor('lie') })
    const certificate = lying.certificate('receipt', { digest: bytesFor('truth') }, [0, 2])
    const wrong = { kind: 'wrong-receipt', accused: receipt.replica, receipt, certificate } as const
    lying.evidence.splice(0, 9, ...against, hidden, wrong)
    const summary = await audit(writeBundle(lying))
    expect(summary.faults).toEqual([])
    expect(summary).toMatchObject({ convicted: [1, 2, 3], evidence: 4, newViews: 1 })
  })
})

describe('evidence of how an epoch ends', () => {
  it('is written and read with what each note says of the next epoch, and told in one sentence', async () => {
    const lying = new TestLog(test).fill(1)
    const at = { slot: slot(4), logRoot: bytesFor('log'), stateRoot: bytesFor('state') }
    const next = bytesFor('next')
    const end = lying.note(2, { ...at, next })
    const [accused, twice, late] = [end.replica, 'two-checkpoints', 'past-the-end'] as const
    const evidence: Evidence[] = [
      { kind: twice, accused, first: end, second: lying.note(2, at) },
      { kind: twice, accused, first: end, second: lying.note(2, { ...at, slot: slot(8), next }) },
      { kind: late, accused, end, late: { kind: 'vote', vote: lying.vote(2, { slot: slot(5) }) } },
      { kind: late, accused, end, late: { kind: 'checkpoint', vote: lying.note(2, { ...at, slot: slot(8) }) } },
    ]
    lying.evidence.splice(0, 9, ...evidence)
    const summary = await audit(writeBundle(lying))
    expect(summary.faults).toEqual([])
    expect(summary).toMatchObject({ convicted: [2], evidence: 4 })
    expect(evidence.map((each) => describeEvidence(each, test.context.chain.last).sentence)).toEqual([
      'replica 2 signed two different checkpoints of slot 4',
      'replica 2 ended one epoch twice, with slot 4 and with slot 8',
      'replica 2 ended an epoch with slot 4 and signed Accept for slot 5 of it',
      'replica 2 ended an epoch with slot 4 and signed a checkpoint for slot 8 of it',
    ])
  })
})

describe('a checkpoint of a bundle', () => {
  const changed = (change: (line: string) => string) =>
    relined((lines) => lines.map((line, i) => (i === 1 ? change(line) : line)))

  it('must come with the frontier of its own log', async () => {
    const [, , frontier = ''] = /"frontier":"([0-9a-f]{16})([0-9a-f]{64})"/.exec(linesOf(good)[1] ?? '') ?? []
    const bytes = changed((line) => line.replace(frontier, '0'.repeat(64)))
    expect((await refusal(bytes))[0]).toBe('checkpoint 4: checkpoint wrong-frontier')
  })

  it('takes every entry under it along where a signature on it is bad', async () => {
    const bytes = changed((line) => {
      const [first = '', second = ''] = line.match(/(?<=r\d )[A-Za-z0-9+/=]{92}/g) ?? []
      return line.replace(first, first.slice(0, 8) + second.slice(8))
    })
    expect(await refusal(bytes)).toEqual([
      'checkpoint 4: checkpoint bad-signature',
      ...[1, 2, 3, 4].map((at) => `slot ${at}: inclusion bad-checkpoint`),
    ])
  })

  it('may not end the epoch, of which there is one, although a quorum signed it', async () => {
    const { genesis, signers } = test
    const bytes = changed((line) => {
      const { note = '' } = JSON.parse(line) as { note?: string }
      const parsed = parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1))
      if (!parsed.ok) throw new Error(parsed.fault.code)
      const text = checkpointText({ ...parsed.value, next: bytesFor('next') })
      const signatures = signers.slice(0, 3).map((signer, i) => signNote(text, `${genesis.origin}/r${i}`, signer))
      return line.replace(JSON.stringify(note), JSON.stringify(fromUtf8(formatNote({ text, signatures }))))
    })
    expect((await refusal(bytes))[0]).toBe('checkpoint 4: checkpoint epoch-ended')
  })
})

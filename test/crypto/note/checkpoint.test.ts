import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  assembleStableCheckpoint,
  type CertificateSignature,
  type CheckpointContent,
  checkpointKeys,
  checkpointOf,
  checkpointOrigin,
  checkpointText,
  digest,
  EMPTY_ROOT,
  epoch,
  formatNote,
  formatVerifierKey,
  fromUtf8,
  handOverDigest,
  type NoteSignature,
  parseCheckpoint,
  parseNote,
  parseTreeHead,
  replicaIndex,
  type SignatureVerifier,
  sha256,
  signature,
  signNote,
  slot,
  treeHeadText,
  utf8,
  verifyNote,
  verifyStableCheckpoint,
} from '../../../crypto/index.ts'
import { bytesFor, type TestCluster, testCluster } from '../../support/cluster.ts'
import { golden } from '../../support/golden.ts'
import { SPEC_CHECKPOINT } from './examples.ts'

const NAME = 'demo'
const cluster = testCluster()
const content: CheckpointContent = { slot: slot(128), logRoot: bytesFor('log'), stateRoot: bytesFor('state') }
const text = checkpointText(checkpointOf(content, cluster.membership, NAME))
const handOver = checkpointText(checkpointOf({ ...content, next: bytesFor('next') }, cluster.membership, NAME))

function signed(replica: number, of: TestCluster = cluster, message = text): CertificateSignature {
  const signer = of.signers[replica]
  if (signer === undefined) throw new RangeError(`no signer ${replica}`)
  return { replica: replicaIndex(replica), signature: signer.sign(utf8(message)) }
}

function line(replica: number, message = text, name = `r${replica}`): NoteSignature {
  const signer = cluster.signers[replica]
  if (signer === undefined) throw new RangeError(`no signer ${replica}`)
  return signNote(message, `${checkpointOrigin(NAME, cluster.membership.clusterId)}/${name}`, signer)
}

function assemble(signatures: readonly CertificateSignature[], verifier: SignatureVerifier = cluster.verifier) {
  return assembleStableCheckpoint(content, signatures, cluster.membership, NAME, verifier)
}

function stableNote(replicas: readonly number[] = [0, 1, 2]): Uint8Array {
  const assembled = assemble(replicas.map((replica) => signed(replica)))
  if (!assembled.ok) throw new Error(assembled.fault.code)
  return assembled.value.stable.note
}

function verdict(note: Uint8Array, of: TestCluster = cluster, name = NAME): string {
  const verified = verifyStableCheckpoint(note, of.membership, name, of.verifier)
  return verified.ok ? `signed by ${verified.value.signers.join(' ')}` : verified.fault.code
}

const bad = signature(new Uint8Array(64))

describe('tree heads', () => {
  it('the example of the specification parses and is written back', () => {
    const head = parseTreeHead(SPEC_CHECKPOINT)
    if (!head.ok) throw new Error(head.fault.part)
    expect(head.value).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20852163, extensions: [] })
    expect(treeHeadText(head.value)).toBe(SPEC_CHECKPOINT)
  })

  it('what is not exactly origin, size, root and non-empty extensions is refused', () => {
    const root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I='
    const empty = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    for (const [part, bad] of [
      ['lines', `log\n5\n${root}`],
      ['lines', ''],
      ['origin', `\n5\n${root}\n`],
      ['origin', `cosignature/v1\n5\n${root}\n`],
      ['origin', `lo\tg\n5\n${root}\n`],
      ['size', `log\n05\n${root}\n`],
      ['size', `log\n\n${root}\n`],
      ['size', `log\n-5\n${root}\n`],
      ['size', `log\n+5\n${root}\n`],
      ['size', `log\n5.0\n${root}\n`],
      ['size', `log\n5e1\n${root}\n`],
      ['size', `log\n 5\n${root}\n`],
      ['size', `log\n9007199254740992\n${root}\n`],
      ['size', `log\n18446744073709551616\n${root}\n`],
      ['root', `log\n5\n${root.slice(0, -1)}\n`],
      ['root', `log\n5\n${root.slice(0, -2)}J=\n`],
      ['root', `log\n5\nAAAA\n`],
      ['root', `log\n5\n\n`],
      ['root', `log\n0\n${root}\n`],
      ['extension', `log\n5\n${root}\n\n`],
      ['extension', `log\n5\n${root}\nmore\n\n`],
    ]) {
      const head = parseTreeHead(bad ?? '')
      expect([bad, head.ok ? 'ok' : head.fault.part]).toEqual([bad, part])
    }
    expect(parseTreeHead(`log\n9007199254740991\n${root}\n`).ok).toBe(true)
    expect(parseTreeHead(`log\n0\n${empty}\nmore\n`).ok).toBe(true)
  })

  it('a tree head that would be read back as another is not written', () => {
    const head = { origin: 'log', size: 5, root: EMPTY_ROOT, extensions: ['a', 'b'] }
    expect(treeHeadText(head).split('\n')).toHaveLength(6)
    for (const change of [
      { origin: '' },
      { origin: 'log\n4\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' },
      { size: -1 },
      { size: 1.5 },
      { size: 2 ** 53 },
      { extensions: [''] },
      { extensions: ['a\nb'] },
    ]) {
      expect(() => treeHeadText({ ...head, ...change })).toThrow(RangeError)
    }
  })
})

describe('checkpoints', () => {
  it('the text of one reads as documented', () => {
    const encoded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
    const { clusterId, digest: members } = cluster.membership
    expect(text.split('\n')).toEqual([
      `quorate/demo-${Buffer.from(clusterId.subarray(0, 4)).toString('hex')}`,
      '128',
      encoded(content.logRoot),
      `state ${encoded(content.stateRoot)}`,
      `epoch 0 ${encoded(members)}`,
      '',
    ])
  })

  it('its text comes back as the same checkpoint', () => {
    const numbers = fc.tuple(fc.maxSafeNat(), fc.nat({ max: 2 ** 53 - 2 }))
    const digests = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(digest)
    const anyNext = fc.option(digests, { nil: undefined })
    fc.assert(
      fc.property(numbers, digests, digests, anyNext, ([at, of], stateRoot, membership, next) => {
        const logRoot = at === 0 ? EMPTY_ROOT : bytesFor(`log ${at}`)
        const position = { slot: slot(at), logRoot, stateRoot, epoch: epoch(of) }
        const checkpoint = { origin: 'quorate/x-0', ...position, membership, next }
        expect(parseCheckpoint(checkpointText(checkpoint))).toEqual({ ok: true, value: checkpoint })
      }),
    )
  })

  it('extension lines other than exactly state, epoch and next are refused', () => {
    const [origin, size, root, state, members, next] = handOver.split('\n')
    const variants = [
      [],
      [state],
      [members, state],
      [state, members, 'more'],
      [`${state} `, members],
      [state, `${members} more`],
      [`State${state?.slice(5)}`, members],
      [state?.slice(0, -1), members],
      [state, members?.replace('epoch 0', 'epoch 00')],
      [state, members?.replace('epoch 0', 'epoch')],
      [state, members?.replace('epoch 0', 'epoch -1')],
      [state, next],
      [state, next, members],
      [next, state, members],
      [state, members, next, next],
      [state, members, next, 'more'],
      [state, members, `${next} more`],
      [state, members, next?.slice(0, -1)],
      [state, members, next?.replace('next 1', 'Next 1')],
      [state, members, next?.replace('next 1', 'next 01')],
      [state, members, next?.replace('next 1', 'next 0')],
      [state, members, next?.replace('next 1', 'next 2')],
      [state, members, next?.replace('next 1', 'next')],
    ]
    for (const extensions of variants) {
      const parsed = parseCheckpoint([origin, size, root, ...extensions, ''].join('\n'))
      expect([extensions, parsed.ok ? 'ok' : parsed.fault.code]).toEqual([extensions, 'bad-extension'])
    }
  })

  it('one that ends its epoch says so in one line more', () => {
    expect(handOver).toBe(`${text}next 1 ${Buffer.from(bytesFor('next')).toString('base64')}\n`)
    const parsed = parseCheckpoint(handOver)
    expect(parsed.ok && parsed.value.next).toEqual(bytesFor('next'))
    const last = { ...checkpointOf(content, cluster.membership, NAME), epoch: epoch(2 ** 53 - 1) }
    expect(parseCheckpoint(checkpointText(last)).ok).toBe(true)
    expect(() => checkpointText({ ...last, next: bytesFor('next') })).toThrow(RangeError)
  })

  it('a cluster name that would break the key names is refused', () => {
    for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u3000b']) {
      expect(() => checkpointOrigin(name, cluster.membership.clusterId)).toThrow(RangeError)
    }
  })
})

describe('assembling', () => {
  it('takes the good signatures of the q lowest indexes, in order', () => {
    const assembled = assemble([3, 1, 0, 2].map((replica) => signed(replica)))
    expect(assembled.ok && assembled.value.stable.signers).toEqual([0, 1, 2])
    expect(assembled.ok && assembled.value.rejected).toEqual([])
    expect(assembled.ok && verdict(assembled.value.stable.note)).toBe('signed by 0 1 2')
  })

  it('a bad signature does not go in and is handed back', () => {
    const wrong = { replica: replicaIndex(1), signature: bad }
    const foreign = { replica: replicaIndex(7), signature: signed(0).signature }
    const assembled = assemble([signed(3), wrong, signed(2), foreign, signed(0)])
    expect(assembled.ok && assembled.value.stable.signers).toEqual([0, 2, 3])
    expect(assembled.ok && assembled.value.rejected).toEqual([wrong])
    const few = assemble([signed(3), wrong, signed(2), foreign])
    expect(few).toEqual({ ok: false, fault: { code: 'too-few-signers', have: 2, need: 3, rejected: [wrong, foreign] } })
  })

  it('a signature on another checkpoint or by another replica does not go in', () => {
    const other = checkpointText(checkpointOf({ ...content, slot: slot(129) }, cluster.membership, NAME))
    const byAnother = { replica: replicaIndex(0), signature: signed(1).signature }
    const assembled = assemble([signed(1), signed(2), signed(3, cluster, other), byAnother])
    expect(!assembled.ok && assembled.fault.have).toBe(2)
  })

  it('a replica that signs twice counts once, also after a bad signature of the same name', () => {
    expect(assemble([signed(0), signed(0), signed(1)]).ok).toBe(false)
    const spoiled = { replica: replicaIndex(0), signature: bad }
    const first = assemble([spoiled, signed(0), signed(1), signed(2)])
    expect(first.ok && first.value.stable.signers).toEqual([0, 1, 2])
    expect(first.ok && first.value.rejected).toEqual([spoiled])
    const second = assemble([signed(0), spoiled, signed(1), signed(2)])
    expect(second.ok && second.value.stable.signers).toEqual([0, 1, 2])
    expect(second.ok && second.value.rejected).toEqual([])
  })

  it('signatures beyond the quorum are not checked', () => {
    let checked = 0
    const counting: SignatureVerifier = {
      verify(...asked) {
        checked++
        return cluster.verifier.verify(...asked)
      },
    }
    assemble(
      [0, 1, 2, 3].map((replica) => signed(replica)),
      counting,
    )
    expect(checked).toBe(3)
  })
})

describe('stable checkpoints', () => {
  it('a whole note and its verifier keys are frozen', () => {
    const note = fromUtf8(stableNote()) ?? ''
    const keys = checkpointKeys(cluster.membership, NAME).map(formatVerifierKey)
    expect({ keys, note: note.split('\n') }).toEqual(golden('checkpoint-note', { keys, note: note.split('\n') }))
  })

  it('a good one is verified with everything that it says', () => {
    const note = stableNote([0, 2, 3])
    const verified = verifyStableCheckpoint(note, cluster.membership, NAME, cluster.verifier)
    const checkpoint = checkpointOf(content, cluster.membership, NAME)
    expect(verified).toEqual({ ok: true, value: { checkpoint, signers: [0, 2, 3], note } })
  })

  it('tools that know only signed notes verify it too', () => {
    const keys = checkpointKeys(cluster.membership, NAME)
    const verified = verifyNote(stableNote(), { keys, threshold: 3 }, cluster.verifier)
    expect(verified.ok && verified.value.text).toBe(text)
  })

  it('fewer than q signers are refused, whatever fills the lines', () => {
    const stranger = signNote(text, 'stranger', testCluster({ name: 'x' }).signers[3] ?? failSigner())
    for (const lines of [
      [line(0), line(1)],
      [line(0), line(1), line(1)],
      [line(0), line(1), stranger],
      [line(0), line(1), line(2, text, 'r3')],
      [line(0), line(1), line(2, text, 'r02')],
    ]) {
      const note = formatNote({ text, signatures: lines })
      expect(['wrong-number-of-lines', 'too-few-signers']).toContain(verdict(note))
    }
  })

  it('more than q lines, lines out of order and a bad line are refused', () => {
    const signatures = [line(0), line(1), line(2)]
    const verdictOf = (lines: readonly NoteSignature[]) => verdict(formatNote({ text, signatures: lines }))
    expect(verdictOf(signatures)).toBe('signed by 0 1 2')
    expect(verdictOf([...signatures, line(3)])).toBe('wrong-number-of-lines')
    expect(verdictOf([line(0), line(2), line(1)])).toBe('unsorted-signers')
    expect(verdictOf([line(1), line(0), line(2)])).toBe('unsorted-signers')
    expect(verdictOf([line(0), line(1), { ...line(2), signature: bad }])).toBe('bad-signature')
    expect(verdictOf([line(0), line(1), { ...line(2), signature: line(3).signature }])).toBe('bad-signature')
  })

  it('one of another cluster, name, epoch or membership is refused although its signatures are good', () => {
    const note = stableNote()
    expect(verdict(note, cluster, 'demo2')).toBe('wrong-origin')
    expect(verdict(note, testCluster({ name: 'other' }))).toBe('wrong-origin')
    expect(verdict(note, testCluster({ epoch: 1 }))).toBe('wrong-epoch')
    expect(verdict(note, testCluster({ byzantine: 0, crash: 1 }))).toBe('wrong-membership')
  })

  it('a signed text that is no checkpoint is refused', () => {
    const other = `${text}more\n`
    const signatures = [line(0, other), line(1, other), line(2, other)]
    expect(verdict(formatNote({ text: other, signatures }))).toBe('bad-extension')
  })

  it('is verified the same at every size of the group', () => {
    for (const [replicas, byzantine, quorum] of [
      [1, 0, 1],
      [3, 0, 2],
      [7, 2, 5],
      [100, 33, 67],
    ] as const) {
      const group = testCluster({ replicas, byzantine, crash: byzantine === 0 ? (replicas - 1) / 2 : 0 })
      const message = checkpointText(checkpointOf(content, group.membership, NAME))
      const signatures = group.signers.map((_, i) => signed(i, group, message))
      const assembled = assembleStableCheckpoint(content, signatures, group.membership, NAME, group.verifier)
      const expected = Array.from({ length: quorum }, (_, i) => i).join(' ')
      expect(assembled.ok && verdict(assembled.value.stable.note, group)).toBe(`signed by ${expected}`)
    }
  })

  it('no flipped bit, missing byte or additional byte anywhere leaves anything that verifies', () => {
    const note = stableNote()
    const survivors: string[] = []
    const attempt = (what: string, changed: Uint8Array) => {
      if (verdict(changed).startsWith('signed by')) survivors.push(what)
    }
    for (let at = 0; at < note.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        attempt(
          `bit ${bit} of byte ${at}`,
          note.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte)),
        )
      }
      attempt(`without byte ${at}`, Uint8Array.of(...note.subarray(0, at), ...note.subarray(at + 1)))
      attempt(`byte ${at} twice`, Uint8Array.of(...note.subarray(0, at + 1), ...note.subarray(at)))
    }
    for (const tail of ['\n', ' ', 'x', '— x AAAAAAA=\n'])
      attempt(`with ${tail}`, Uint8Array.of(...note, ...utf8(tail)))
    expect(verdict(note)).toBe('signed by 0 1 2')
    expect(survivors).toEqual([])
  })

  it('lines of other quorums make another note of the same text', () => {
    const [one, other] = [parseNote(stableNote([0, 1, 2])), parseNote(stableNote([1, 2, 3]))]
    expect(one.ok && other.ok && one.value.text === other.value.text).toBe(true)
  })

  it('a hand-over is a signed note like any other, and verified with what it says', () => {
    const signatures = [0, 1, 2].map((replica) => line(replica, handOver))
    const note = formatNote({ text: handOver, signatures })
    const keys = checkpointKeys(cluster.membership, NAME)
    const asNote = verifyNote(note, { keys, threshold: 3 }, cluster.verifier)
    expect(asNote.ok && asNote.value.text).toBe(handOver)
    const verified = verifyStableCheckpoint(note, cluster.membership, NAME, cluster.verifier)
    expect(verified.ok && verified.value.checkpoint.next).toEqual(bytesFor('next'))
    const assembled = assembleStableCheckpoint(
      { ...content, next: bytesFor('next') },
      [0, 1, 2].map((replica) => signed(replica, cluster, handOver)),
      cluster.membership,
      NAME,
      cluster.verifier,
    )
    expect(assembled.ok && assembled.value.stable.note).toEqual(note)
  })

  it('signatures on a checkpoint are none on one that ends the epoch there, nor the other way round', () => {
    for (const [of, on] of [
      [text, handOver],
      [handOver, text],
    ] as const) {
      const signatures = [0, 1, 2].map((replica) => line(replica, of))
      expect(verdict(formatNote({ text: on, signatures }))).toBe('bad-signature')
    }
  })

  it('a hand-over has one name whoever signed it, and another than any other text', () => {
    const other = checkpointText(checkpointOf({ ...content, next: bytesFor('other') }, cluster.membership, NAME))
    expect(handOverDigest(handOver)).toEqual(sha256(utf8(`\x1equorate-hand-over-v1${handOver}`)))
    expect(handOverDigest(handOver)).not.toEqual(handOverDigest(other))
    expect(handOverDigest(handOver)).not.toEqual(sha256(utf8(handOver)))
  })
})

function failSigner(): never {
  throw new RangeError('no such signer')
}

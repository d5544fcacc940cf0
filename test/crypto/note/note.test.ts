import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  base64,
  formatNote,
  fromUtf8,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  type NoteKey,
  type NotePolicy,
  type NoteSignature,
  noteKey,
  parseNote,
  portableVerifier,
  type Signer,
  signNote,
  statementBytes,
  utf8,
  verifyNote,
  ZERO_DIGEST,
} from '../../../crypto/index.ts'
import { testCluster } from '../../support/cluster.ts'
import { GO_KEYS, GO_NOTE, keyIn, SPEC_KEY, SPEC_NOTE } from './examples.ts'

const { signers, verifier } = testCluster({ replicas: 7, byzantine: 2 })
const TEXT = 'a text\n\nwith an empty line\n'

function signerAt(i: number): Signer {
  const signer = signers[i]
  if (signer === undefined) throw new RangeError(`no signer ${i}`)
  return signer
}

const keyAt = (i: number): NoteKey => noteKey(`key/${i}`, signerAt(i).publicKey)
const lineBy = (i: number, text = TEXT): NoteSignature => signNote(text, `key/${i}`, signerAt(i))
const policy = (keys: readonly number[], threshold: number): NotePolicy => ({ keys: keys.map(keyAt), threshold })

function noteOf(signatures: readonly NoteSignature[], text = TEXT): Uint8Array {
  return formatNote({ text, signatures })
}

function spoil(line: NoteSignature): NoteSignature {
  return { ...line, signature: line.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte)) }
}

/** 'ok', or the code of the fault. */
function parseVerdict(note: string | Uint8Array): string {
  const parsed = parseNote(typeof note === 'string' ? utf8(note) : note)
  return parsed.ok ? 'ok' : parsed.fault.code
}

function verdict(note: Uint8Array, wanted: NotePolicy): string {
  const verified = verifyNote(note, wanted, verifier)
  return verified.ok ? verified.value.signers.map(({ name }) => name).join(' ') : verified.fault.code
}

describe('public examples', () => {
  it('the note of the specification verifies under its key', () => {
    const verified = verifyNote(utf8(SPEC_NOTE), { keys: [keyIn(SPEC_KEY)], threshold: 1 }, portableVerifier)
    expect(verified.ok && verified.value.text).toBe('This is an example message.\n')
    expect(verified.ok && verified.value.signers).toEqual([keyIn(SPEC_KEY)])
  })

  it('the note of the Go tests verifies under both of its keys', () => {
    const verified = verifyNote(utf8(GO_NOTE), { keys: GO_KEYS.map(keyIn), threshold: 2 }, verifier)
    expect(verified.ok && verified.value.signers).toEqual(GO_KEYS.map(keyIn))
  })

  it('both are written back to the same bytes', () => {
    for (const note of [SPEC_NOTE, GO_NOTE]) {
      const parsed = parseNote(utf8(note))
      expect(parsed.ok && fromUtf8(formatNote(parsed.value))).toBe(note)
    }
  })
})

describe('form', () => {
  const payload = base64(new Uint8Array(68))
  const line = `— name ${payload}\n`

  it('the last empty line ends the text, which may hold others and may be empty itself', () => {
    for (const text of ['text\n', '\n', '\n\n', '\na\n\n\n', '— name AAAAAAA=\n\nmore\n', '\ufeffmarked\n']) {
      const parsed = parseNote(utf8(`${text}\n${line}`))
      expect(parsed.ok && parsed.value.text).toBe(text)
    }
  })

  it('a note without text end, empty line, signature line or final line feed is refused', () => {
    for (const bad of [
      '',
      '\n',
      '\n\n',
      'text\n',
      `text\n${line}`,
      line,
      `\n${line}`,
      'text\n\n',
      `text\n\n${line}\n`,
    ]) {
      expect([bad, parseVerdict(bad)]).toEqual([bad, 'no-signatures'])
    }
    expect(parseVerdict(`text\n\n${line.slice(0, -1)}`)).toBe('no-signatures')
  })

  it('a malformed signature line is refused, wherever it stands', () => {
    const bad = [
      `- name ${payload}`,
      `—name ${payload}`,
      `—  name ${payload}`,
      `— name  ${payload}`,
      `— name ${payload} `,
      `— na+me ${payload}`,
      `— na\u00a0me ${payload}`,
      `—\u00a0name ${payload}`,
      `— ${payload}`,
      '— name ',
      '— name',
      `— name ${payload.slice(0, -1)}`,
      `— name ${payload.slice(0, -2)}B=`,
      `— name ${base64(new Uint8Array(4))}`,
      `— name ${payload.replace('A', '-')}`,
      `${line.slice(0, -1)} more`,
    ]
    for (const wrong of bad) {
      expect([wrong, parseVerdict(`text\n\n${wrong}\n`)]).toEqual([wrong, 'bad-signature-line'])
      expect([wrong, parseVerdict(`text\n\n${line}${wrong}\n${line}`)]).toEqual([wrong, 'bad-signature-line'])
    }
  })

  it('control characters but the line feed, and bytes that are no UTF-8, are refused', () => {
    for (let code = 0; code < 0x20; code++) {
      if (code === 0x0a) continue
      expect(parseVerdict(`te${String.fromCharCode(code)}xt\n\n${line}`)).toBe('control-character')
    }
    expect(parseVerdict(`te\x7fxt\n\n${line}`)).toBe('ok')
    for (const bytes of [[0xff], [0xc0, 0x8a], [0xed, 0xa0, 0x80], [0xe2, 0x80]]) {
      expect(parseVerdict(Uint8Array.of(...bytes, ...utf8(`\n\n${line}`)))).toBe('not-utf8')
    }
  })

  it(`${MAX_NOTE_SIGNATURES} signature lines are read, one more is refused`, () => {
    expect(parseVerdict(`text\n\n${line.repeat(MAX_NOTE_SIGNATURES)}`)).toBe('ok')
    expect(parseVerdict(`text\n\n${line.repeat(MAX_NOTE_SIGNATURES + 1)}`)).toBe('too-many-signatures')
  })

  it(`${MAX_NOTE_BYTES} bytes are read, one more is refused`, () => {
    const filler = 'x'.repeat(MAX_NOTE_BYTES - utf8(`\n\n${line}`).length)
    expect(parseVerdict(`${filler}\n\n${line}`)).toBe('ok')
    expect(parseVerdict(`x${filler}\n\n${line}`)).toBe('too-large')
  })

  it('whatever parses is written back to the same bytes', () => {
    const base = noteOf([lineBy(0), lineBy(1)])
    const changes = fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
    const pieces = fc
      .array(fc.constantFrom('\n', '—', ' ', 'name', '+', '=', payload, line, 'x', '\u2028', '\n\n'), { maxLength: 12 })
      .map((list) => utf8(list.join('')))
    const changed = changes.map((list) => {
      const bytes = Uint8Array.from(base)
      for (const [at, value] of list) bytes[at] = value
      return bytes
    })
    fc.assert(
      fc.property(fc.oneof(changed, pieces), (bytes) => {
        const parsed = parseNote(bytes)
        if (parsed.ok) expect(formatNote(parsed.value)).toEqual(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('a note that would be read back as another is not written', () => {
    const good = lineBy(0)
    const bad = [
      { text: 'no line feed', signatures: [good] },
      { text: '', signatures: [good] },
      { text: 'tab\t\n', signatures: [good] },
      { text: '\ud800\n', signatures: [good] },
      { text: TEXT, signatures: [] },
      { text: TEXT, signatures: Array.from({ length: MAX_NOTE_SIGNATURES + 1 }, () => good) },
      { text: TEXT, signatures: [{ ...good, name: '' }] },
      { text: TEXT, signatures: [{ ...good, name: 'a b' }] },
      { text: TEXT, signatures: [{ ...good, name: `x ${payload}\n— y` }] },
      { text: TEXT, signatures: [{ ...good, name: `x ${payload}\n\n— y` }] },
      { text: TEXT, signatures: [{ ...good, id: '12' }] },
      { text: TEXT, signatures: [{ ...good, id: good.id.toUpperCase().replace(/^./, 'F') }] },
      { text: TEXT, signatures: [{ ...good, signature: new Uint8Array(0) }] },
    ]
    for (const note of bad) expect(() => formatNote(note)).toThrow(RangeError)
  })
})

describe('signers', () => {
  it('as many known signers as the threshold are enough, one less is not', () => {
    const note = noteOf([lineBy(2), lineBy(0), lineBy(1)])
    expect(verdict(note, policy([0, 1, 2, 3], 3))).toBe('key/2 key/0 key/1')
    expect(verdict(note, policy([0, 1, 2, 3], 4))).toBe('too-few-signers')
    expect(verdict(note, policy([0, 1, 3], 3))).toBe('too-few-signers')
  })

  it('lines of unknown keys are ignored, good or bad, also where they share a name or an id with a known one', () => {
    const sameName: NoteSignature = { ...spoil(lineBy(0)), id: '00000000' }
    const sameId: NoteSignature = { ...spoil(lineBy(0)), name: 'key/0x' }
    const note = noteOf([spoil(lineBy(3)), sameName, sameId, lineBy(0), lineBy(4)])
    expect(verdict(note, policy([0], 1))).toBe('key/0')
    expect(verdict(note, policy([0, 1], 2))).toBe('too-few-signers')
  })

  it('one bad line of a known key refuses the whole note, whatever else it holds', () => {
    const good = [lineBy(0), lineBy(1), lineBy(2)]
    for (const bad of [spoil(lineBy(3)), spoil(lineBy(0)), lineBy(3, 'another text\n')]) {
      expect(verdict(noteOf([...good, bad]), policy([0, 1, 2, 3], 1))).toBe('bad-signature')
      expect(verdict(noteOf([bad, ...good]), policy([0, 1, 2, 3], 1))).toBe('bad-signature')
    }
    const short = { ...lineBy(3), signature: lineBy(3).signature.subarray(0, 63) }
    expect(verdict(noteOf([...good, short]), policy([0, 1, 2, 3], 1))).toBe('bad-signature')
  })

  it('a key that signs twice counts once', () => {
    expect(verdict(noteOf([lineBy(0), lineBy(0), lineBy(0)]), policy([0, 1], 1))).toBe('key/0')
    expect(verdict(noteOf([lineBy(0), lineBy(0), lineBy(0)]), policy([0, 1], 2))).toBe('too-few-signers')
  })

  it('counts like a slow twin that looks for each key among all lines', () => {
    const lines = fc.array(fc.record({ by: fc.nat(6), bad: fc.boolean() }), { minLength: 1, maxLength: 8 })
    const known = fc.subarray([0, 1, 2, 3, 4, 5, 6], { minLength: 1 })
    fc.assert(
      fc.property(lines, known, fc.nat(6), (list, keys, at) => {
        const threshold = 1 + (at % keys.length)
        const note = noteOf(list.map(({ by, bad }) => (bad ? spoil(lineBy(by)) : lineBy(by))))
        const anyBad = keys.some((key) => list.some(({ by, bad }) => by === key && bad))
        const good = keys.filter((key) => list.some(({ by }) => by === key)).length
        const expected = anyBad ? 'bad-signature' : good < threshold ? 'too-few-signers' : `${good} signers`
        const verified = verifyNote(note, policy(keys, threshold), verifier)
        expect(verified.ok ? `${verified.value.signers.length} signers` : verified.fault.code).toBe(expected)
      }),
    )
  })

  it('a malformed policy is the mistake of its caller', () => {
    const note = noteOf([lineBy(0)])
    const twoNames = { keys: [keyAt(0), noteKey('another-name', signerAt(0).publicKey)], threshold: 1 }
    const samePair = { keys: [keyAt(0), { ...keyAt(1), name: keyAt(0).name, id: keyAt(0).id }], threshold: 1 }
    for (const bad of [policy([], 0), policy([0], 0), policy([0], 2), policy([0, 1], 1.5), twoNames, samePair]) {
      expect(() => verifyNote(note, bad, verifier)).toThrow(RangeError)
      expect(() => verifyNote(new Uint8Array(0), bad, verifier)).toThrow(RangeError)
    }
  })

  it('a text that no note can hold is not signed, so no vote can be had as a note', () => {
    const vote = fromUtf8(statementBytes(testCluster().statement({ digest: ZERO_DIGEST }))) ?? '\x1equorate-vote-v1\n'
    for (const bad of [vote, `${vote}\n`, '', 'no line feed', 'tab\t\n', '\ud800\n']) {
      expect(() => signNote(bad, 'key/0', signerAt(0))).toThrow(RangeError)
    }
  })

  it('a note out of form is refused with what is wrong with it', () => {
    expect(verdict(utf8('text\n'), policy([0], 1))).toBe('no-signatures')
  })
})

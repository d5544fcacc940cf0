import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digest, hex, memberId, publicKey, signature, slot, utf8 } from '../../../crypto/index.ts'
import { DEFAULT_PARAMETERS } from '../../../keys/genesis/index.ts'
import {
  decodeSystemAnswer,
  decodeSystemCommand,
  type Edit,
  encodeSystemAnswer,
  encodeSystemCommand,
  type NewMember,
  type SystemAnswer,
  type SystemCommand,
} from '../../../src/machine/index.ts'
import { FIRST, SECOND } from '../../keys/charter/sample.ts'
import { bytesFor } from '../../support/cluster.ts'
import { golden } from '../../support/golden.ts'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const anyDigest = bytesOf(32).map(digest)
const anyKey = bytesOf(32).map(publicKey)
const anySignature = bytesOf(64).map(signature)
const anyId = fc.integer({ min: 0, max: 0xffff_ffff }).map(memberId)
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })
const addresses = fc.array(fc.string({ maxLength: 60 }), { maxLength: 8 })
const role = fc.constantFrom('reader', 'writer', 'admin')
const member: fc.Arbitrary<NewMember> = fc.record({
  consensusKey: anyKey,
  transportKey: anyKey,
  operator: maybe(anyKey),
  addresses,
  possession: fc.record({ consensus: anySignature, transport: anySignature }),
  held: fc.uint8Array({ maxLength: 300 }),
  joined: anySignature,
})
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ op: fc.constant('add'), member }),
  fc.record({ op: fc.constant('remove'), id: anyId }),
  fc.record({ op: fc.constant('replace'), id: anyId, member }),
  fc.record({ op: fc.constant('rotate-key'), id: anyId, consensusKey: anyKey, possession: anySignature }),
  fc.record({ op: fc.constant('operator'), id: anyId, key: maybe(anyKey) }),
)
const command: fc.Arbitrary<SystemCommand> = fc.oneof(
  fc.record({
    kind: fc.constant('change'),
    base: anyDigest,
    edits: fc.array(edit, { maxLength: 4 }),
    quorum: maybe(fc.record({ byzantine: u32, crash: u32 })),
    parameters: maybe(u32.map((window) => ({ ...DEFAULT_PARAMETERS, window }))),
    threshold: maybe(u32),
  }),
  fc.record({ kind: fc.constantFrom('approve', 'withdraw'), proposal: anyDigest }),
  fc.record({ kind: fc.constant('addresses'), member: anyId, addresses }),
  fc.record({
    kind: fc.constant('client'),
    edit: fc.oneof(
      fc.record({
        op: fc.constant('add'),
        name: fc.string({ maxLength: 15 }),
        key: anyKey,
        role,
        possession: anySignature,
      }),
      fc.record({ op: fc.constant('remove'), key: anyKey }),
      fc.record({ op: fc.constant('role'), key: anyKey, role }),
    ),
  }),
)

const key = publicKey(bytesFor('key'))
const possession = signature(new Uint8Array(64).fill(7))
const newcomer: NewMember = {
  consensusKey: key,
  transportKey: key,
  operator: key,
  addresses: ['/dns/a/tcp/1', '/dns/b/tcp/2'],
  possession: { consensus: possession, transport: possession },
  held: utf8('note'),
  joined: possession,
}
const EXAMPLES: readonly SystemCommand[] = [
  {
    kind: 'change',
    base: bytesFor('base'),
    edits: [
      { op: 'add', member: newcomer },
      { op: 'remove', id: memberId(1) },
      { op: 'replace', id: memberId(2), member: { ...newcomer, operator: undefined, held: new Uint8Array(0) } },
      { op: 'rotate-key', id: memberId(3), consensusKey: key, possession },
      { op: 'operator', id: memberId(4), key: undefined },
    ],
    quorum: { byzantine: 1, crash: 2 },
    parameters: DEFAULT_PARAMETERS,
    threshold: 3,
  },
  { kind: 'approve', proposal: bytesFor('proposal') },
  { kind: 'withdraw', proposal: bytesFor('proposal') },
  { kind: 'client', edit: { op: 'add', name: 'name', key, role: 'writer', possession } },
  { kind: 'client', edit: { op: 'remove', key } },
  { kind: 'client', edit: { op: 'role', key, role: 'admin' } },
  { kind: 'addresses', member: memberId(5), addresses: ['/dns/a/tcp/1'] },
]
const ANSWERS: readonly SystemAnswer[] = [
  { kind: 'done' },
  { kind: 'accepted', lastSlot: slot(256), charter: SECOND },
  { kind: 'proposed', proposal: bytesFor('proposal'), approvals: 1, needed: 2 },
]

describe('the bytes of a command of the system', () => {
  it('decode to the same command', () => {
    fc.assert(
      fc.property(command, (each) => {
        expect(decodeSystemCommand(encodeSystemCommand(each))).toEqual(each)
      }),
    )
  })

  it('are the only ones: what decodes is written back byte for byte, whatever was changed in it', () => {
    let decoded = 0
    fc.assert(
      fc.property(command, fc.nat(), fc.nat(255), (each, at, byte) => {
        const bytes = encodeSystemCommand(each)
        bytes[at % bytes.length] = byte
        const other = decodeSystemCommand(bytes)
        if (other === undefined) return
        decoded++
        expect(encodeSystemCommand(other)).toEqual(bytes)
      }),
      { numRuns: 1000 },
    )
    expect(decoded).toBeGreaterThan(100)
  })

  it('do not decode cut off, lengthened or without their tag', () => {
    for (const each of EXAMPLES) {
      const bytes = encodeSystemCommand(each)
      for (let length = 0; length < bytes.length; length++) {
        expect(decodeSystemCommand(bytes.subarray(0, length))).toBeUndefined()
      }
      expect(decodeSystemCommand(Uint8Array.of(...bytes, 0))).toBeUndefined()
      expect(decodeSystemCommand(bytes.subarray(1))).toBeUndefined()
    }
  })

  it('and of answers stay as they are', () => {
    const made = {
      commands: EXAMPLES.map(encodeSystemCommand).map(hex),
      answers: ANSWERS.map(encodeSystemAnswer).map(hex),
    }
    expect(made).toEqual(golden('system-commands', made))
  })

  it('are not made of what they cannot hold', () => {
    const [change] = EXAMPLES
    if (change?.kind !== 'change') throw new Error('a change')
    const edits = Array.from({ length: 101 }, (_, i) => ({ op: 'remove', id: memberId(i) }) as const)
    expect(() => encodeSystemCommand({ ...change, edits })).toThrow('at most 100')
    const member = { ...newcomer, held: new Uint8Array(32 * 1024 + 1) }
    expect(() => encodeSystemCommand({ ...change, edits: [{ op: 'add', member }] })).toThrow('at most 32768 bytes')
    const many = Array.from({ length: 9 }, (_, i) => `/dns/a/tcp/${i + 1}`)
    expect(() => encodeSystemCommand({ kind: 'addresses', member: memberId(0), addresses: many })).toThrow('at most 8')
    expect(() => encodeSystemCommand({ kind: 'addresses', member: memberId(0), addresses: ['x'.repeat(301)] })).toThrow(
      'at most 300 bytes',
    )
  })
})

describe('the bytes of an answer', () => {
  it('decode to the same answer, and not with a byte less or more', () => {
    for (const answer of [...ANSWERS, { kind: 'accepted', lastSlot: slot(2 ** 53 - 1), charter: FIRST } as const]) {
      const bytes = encodeSystemAnswer(answer)
      expect(decodeSystemAnswer(bytes)).toEqual(answer)
      expect(decodeSystemAnswer(Uint8Array.of(...bytes, 0))).toBeUndefined()
      for (let length = 0; length < bytes.length; length++) {
        expect(decodeSystemAnswer(bytes.subarray(0, length))).toBeUndefined()
      }
    }
  })
})

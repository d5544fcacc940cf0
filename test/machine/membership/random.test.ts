import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, memberId } from '../../../crypto/index.ts'
import { charterFaults } from '../../../keys/charter/index.ts'
import { type Edit, encodeSystemCommand, proposalId, type SystemCommand } from '../../../src/machine/index.ts'
import { signerNamed } from '../../keys/sample.ts'
import { clientNamed, Town } from './town.ts'
import { Twin, type TwinChange, type TwinCommand, type TwinEdit } from './twin.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const PEOPLE = ['ada', 'bob', 'cyd', 'writer', 'operator', 'dan', 'eve']
const name = fc.constantFrom(...NAMES)
const person = fc.constantFrom(...PEOPLE)
const seldom = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
/** Who sends: mostly admins, or everything would be refused for one reason. */
const sender = fc.oneof({ weight: 7, arbitrary: fc.constantFrom('ada', 'bob') }, { weight: 1, arbitrary: person })
const operator = fc.constantFrom(undefined, undefined, 'writer', 'operator', 'dan')
/** Of those who may be in office: an offset into the list of members, or beyond it. */
const which = fc.nat(4)

type DrawnEdit =
  | { readonly op: 'add'; readonly name: string; readonly operator: string | undefined }
  | { readonly op: 'remove'; readonly at: number }
  | { readonly op: 'replace'; readonly at: number; readonly name: string; readonly operator: string | undefined }
  | { readonly op: 'rotate-key'; readonly at: number; readonly name: string }
  | { readonly op: 'operator'; readonly at: number; readonly operator: string | undefined }

const drawnEdit: fc.Arbitrary<DrawnEdit> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('add'), name, operator }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('remove'), at: which }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('replace'), at: which, name, operator }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('rotate-key'), at: which, name }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('operator'), at: which, operator }) },
)
const role = fc.constantFrom('reader', 'writer', 'admin')
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('change'),
      by: sender,
      /** Waits for the change in flight to be in office. */
      patient: fc.constantFrom(true, true, true, false),
      edits: fc.oneof(
        { weight: 7, arbitrary: drawnEdit.map((each) => [each]) },
        { weight: 2, arbitrary: fc.array(drawnEdit, { maxLength: 2 }) },
      ),
      byzantine: seldom(fc.nat(2)),
      threshold: seldom(fc.nat(4)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('again'), by: sender, which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('approve'), by: sender, which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), slots: fc.integer({ min: 4, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add-client'), by: sender, name: person, role }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove-client'), by: sender, name: person }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('role'), by: sender, name: person, role }) },
)

type Step = typeof step extends fc.Arbitrary<infer Drawn> ? Drawn : never

/** The town and its twin side by side, with every command that was sent. */
class Pair {
  readonly town: Town
  readonly twin: Twin
  readonly told: string[] = []
  private readonly sent: { readonly command: SystemCommand; readonly twin: TwinCommand }[] = []

  constructor(threshold: number) {
    this.town = new Town(threshold)
    const members = [0, 1, 2, 3].map((id) => ({
      id,
      consensus: `consensus ${id}`,
      transport: `transport ${id}`,
      operator: id === 1 ? 'operator' : undefined,
    }))
    const clients = new Map(this.town.genesis.clients.map((client) => [client.name, client.role]))
    this.twin = new Twin({ members, byzantine: 1, threshold }, clients)
  }

  run(drawn: Step): void {
    switch (drawn.kind) {
      case 'wait':
        this.goTo(this.twin.slot + drawn.slots)
        break
      case 'again':
      case 'approve': {
        const one = this.sent[drawn.which % Math.max(1, this.sent.length)]
        if (one === undefined) return
        if (drawn.kind === 'again') this.send(drawn.by, one.command, one.twin)
        else {
          const proposal = proposalId(encodeSystemCommand(one.command))
          const expected = this.twin.execute(drawn.by, { approve: hex(proposal) })
          this.compare(this.town.send(drawn.by, { kind: 'approve', proposal }), expected)
        }
        break
      }
      case 'change': {
        if (drawn.patient) this.goTo(this.twin.next?.lastSlot ?? 0)
        const twin: TwinChange = {
          kind: 'change',
          base: this.twin.epoch,
          edits: drawn.edits.map((edit) => this.twinEdit(edit)),
          byzantine: drawn.byzantine,
          threshold: drawn.threshold,
          held: this.twin.newest,
        }
        const quorum = drawn.byzantine === undefined ? undefined : { byzantine: drawn.byzantine, crash: 0 }
        const edits = twin.edits.map((edit) => this.edit(edit))
        this.send(drawn.by, this.town.change({ edits, quorum, threshold: drawn.threshold }), twin)
        break
      }
      case 'add-client':
        this.send(drawn.by, this.town.addClient(drawn.name, drawn.role), drawn)
        break
      case 'remove-client': {
        const { publicKey: key } = clientNamed(drawn.name)
        this.send(drawn.by, { kind: 'client', edit: { op: 'remove', key } }, drawn)
        break
      }
      case 'role': {
        const { publicKey: key } = clientNamed(drawn.name)
        this.send(drawn.by, { kind: 'client', edit: { op: 'role', key, role: drawn.role } }, drawn)
      }
    }
  }

  /** Where the two differ in what they hold. */
  compareStates(): void {
    const { charter, executor } = this.town
    const { terms, epoch, next } = this.twin
    const { quorum, admins, members } = charter
    expect({ epoch: charter.epoch, ...quorum, ...admins }).toEqual({
      ...{ epoch, crash: 0 },
      ...{ byzantine: terms.byzantine, threshold: terms.threshold },
    })
    const keyed = terms.members.map(({ id, consensus, transport, operator: client }) => ({
      id,
      consensusKey: signerNamed(consensus).publicKey,
      transportKey: signerNamed(transport).publicKey,
      operator: client === undefined ? undefined : clientNamed(client).publicKey,
    }))
    expect(members).toEqual(keyed)
    expect(charterFaults(charter)).toEqual([])
    const pending = executor.succession()
    expect(pending?.charter.start === executor.slot ? undefined : pending?.lastSlot).toBe(next?.lastSlot)
    for (const person of PEOPLE) {
      expect(executor.roleOf(clientNamed(person).publicKey)).toBe(this.twin.clients.get(person))
    }
  }

  private goTo(slot: number): void {
    while (this.twin.slot < slot) this.twin.execute()
    this.town.goTo(slot)
  }

  private send(by: string, command: SystemCommand, twin: TwinCommand): void {
    const id = hex(proposalId(encodeSystemCommand(command)))
    const expected = this.twin.execute(by, { name: id, command: twin })
    this.compare(this.town.send(by, command), expected)
    this.sent.push({ command, twin })
  }

  private compare(reply: ReturnType<Town['send']>, expected: string): void {
    const told = typeof reply === 'string' ? reply : reply.kind
    this.told.push(told)
    expect(told).toBe(expected)
  }

  private twinEdit(edit: DrawnEdit): TwinEdit {
    if (edit.op === 'add') return edit
    const { at, ...rest } = edit
    return { ...rest, id: this.twin.terms.members[at]?.id ?? 99 }
  }

  private edit(edit: TwinEdit): Edit {
    if (edit.op === 'remove') return { op: 'remove', id: memberId(edit.id) }
    if (edit.op === 'rotate-key') return this.town.rotation(edit.id, edit.name)
    const key = edit.operator === undefined ? undefined : clientNamed(edit.operator).publicKey
    if (edit.op === 'operator') return { op: 'operator', id: memberId(edit.id), key }
    const member = this.town.newcomer(edit.name, key === undefined ? {} : { operator: key })
    return edit.op === 'add' ? { op: 'add', member } : { op: 'replace', id: memberId(edit.id), member }
  }
}

describe('commands of the system in any order', () => {
  it('are answered as by the slow twin, and keep every charter valid and every id and key used once', () => {
    const told = new Map<string, number>()
    fc.assert(
      fc.property(fc.constantFrom(1, 1, 2), fc.array(step, { minLength: 50, maxLength: 60 }), (threshold, steps) => {
        const pair = new Pair(threshold)
        const holders = new Map<string, number>()
        for (const drawn of steps) {
          pair.run(drawn)
          pair.compareStates()
          for (const { id, consensusKey, transportKey } of pair.town.charter.members) {
            for (const key of [consensusKey, transportKey]) {
              expect(holders.get(hex(key)) ?? id).toBe(id)
              holders.set(hex(key), id)
            }
          }
        }
        for (const each of pair.told) told.set(each, (told.get(each) ?? 0) + 1)
      }),
      { numRuns: 12, endOnFailure: true },
    )
    // Random commands that are all refused for one reason would mean nothing.
    for (const each of ['accepted', 'key-in-use']) expect([each, (told.get(each) ?? 0) > 2]).toEqual([each, true])
  })
})

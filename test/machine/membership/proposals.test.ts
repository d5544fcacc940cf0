import { describe, expect, it } from 'vitest'
import { type Digest, memberId, utf8 } from '../../../crypto/index.ts'
import { encodeKvCommand, encodeSystemCommand, proposalId, type SystemCommand } from '../../../src/machine/index.ts'
import { clientNamed, PARAMETERS, type Reply, Town } from './town.ts'

const kindOf = (reply: Reply) => (typeof reply === 'string' ? reply : reply.kind)
const approve = (proposal: Digest): SystemCommand => ({ kind: 'approve', proposal })
const withdraw = (proposal: Digest): SystemCommand => ({ kind: 'withdraw', proposal })
const roleOf = (name: string, role: 'admin' | 'writer' | 'reader'): SystemCommand => ({
  kind: 'client',
  edit: { op: 'role', key: clientNamed(name).publicKey, role },
})
const removal = (name: string): SystemCommand => ({
  kind: 'client',
  edit: { op: 'remove', key: clientNamed(name).publicKey },
})

/** A town where `needed` admins must agree, and a change that one of them proposed. */
function proposed(needed: number) {
  const town = new Town(needed)
  const change = town.change({ edits: [town.rotation(3, 'three')] })
  const proposal = proposalId(encodeSystemCommand(change))
  const reply = town.send('ada', change)
  return { town, change, proposal, reply }
}

describe('a change on which several admins must agree', () => {
  it('is done with the last approval that it takes, and not before', () => {
    const { town, proposal, reply } = proposed(3)
    expect(reply).toEqual({ kind: 'proposed', proposal, approvals: 1, needed: 3 })
    expect(town.send('bob', approve(proposal))).toEqual({ kind: 'proposed', proposal, approvals: 2, needed: 3 })
    expect(town.executor.succession()).toBeUndefined()
    expect(kindOf(town.send('cyd', approve(proposal)))).toBe('accepted')
    expect(town.send('cyd', approve(proposal))).toBe('no-such-proposal')
  })

  it('is approved too by who sends the very same command', () => {
    const { town, change } = proposed(2)
    expect(kindOf(town.send('bob', change))).toBe('accepted')
  })

  it('is not done by one admin who approves again and again', () => {
    const { town, change, proposal } = proposed(2)
    expect(town.send('ada', approve(proposal))).toBe('unchanged')
    expect(town.send('ada', change)).toBe('unchanged')
    expect(town.sendAll(['ada', approve(proposal)], ['ada', change])).toEqual(['unchanged', 'unchanged'])
    expect(town.executor.succession()).toBeUndefined()
  })

  it('is not approved by those who are no admins', () => {
    const { town, proposal } = proposed(2)
    for (const name of ['writer', 'operator']) expect(town.send(name, approve(proposal))).toBe('not-an-admin')
  })

  it('loses the approval of who is no admin any more, and has it again with the role', () => {
    const { town, proposal } = proposed(2)
    const demotion = roleOf('ada', 'writer')
    town.send('bob', demotion)
    expect(town.send('cyd', demotion)).toEqual({ kind: 'done' })
    expect(town.send('bob', approve(proposal))).toMatchObject({ kind: 'proposed', approvals: 1 })
    expect(kindOf(town.send('cyd', approve(proposal)))).toBe('accepted')
  })

  it('loses an approval that is taken back, and goes with the last', () => {
    const { town, proposal } = proposed(2)
    expect(town.send('bob', withdraw(proposal))).toBe('unchanged')
    expect(town.send('ada', withdraw(proposal))).toEqual({ kind: 'done' })
    expect(town.send('bob', approve(proposal))).toBe('no-such-proposal')
    expect(town.send('bob', withdraw(proposal))).toBe('no-such-proposal')
  })

  it('is judged when it is proposed, and again when the last approval comes', () => {
    const { town, change, proposal } = proposed(2)
    expect(town.send('bob', { ...change, edits: [{ op: 'remove', id: memberId(9) }] })).toBe('no-such-member')
    const taken = town.addClient('thief', 'writer', clientNamed('x'))
    expect(town.send('bob', taken)).toEqual({ kind: 'done' })
    const other = town.change({ edits: [{ op: 'operator', id: memberId(0), key: clientNamed('x').publicKey }] })
    const id = proposalId(encodeSystemCommand(other))
    expect(kindOf(town.send('ada', other))).toBe('proposed')
    expect(town.send('bob', { kind: 'client', edit: { op: 'remove', key: clientNamed('x').publicKey } })).toEqual({
      kind: 'done',
    })
    expect(town.send('bob', approve(id))).toBe('no-such-client')
    expect(kindOf(town.send('bob', approve(proposal)))).toBe('accepted')
  })

  it('is dropped with the epoch that it begins from', () => {
    const { town, proposal } = proposed(2)
    const other = town.change({ parameters: { ...PARAMETERS, window: 3 } })
    town.send('ada', other)
    expect(kindOf(town.send('bob', other))).toBe('accepted')
    expect(town.send('bob', approve(proposal))).toBe('change-in-flight')
    town.endEpoch()
    expect(town.send('bob', approve(proposal))).toBe('no-such-proposal')
  })

  it('outlives the epoch where it is about clients, of whom no epoch is', () => {
    const { town, proposal } = proposed(2)
    const promotion = roleOf('writer', 'admin')
    expect(kindOf(town.send('ada', promotion))).toBe('proposed')
    town.send('bob', approve(proposal))
    town.endEpoch()
    expect(town.send('bob', promotion)).toEqual({ kind: 'done' })
  })

  it('changes what a client may do from the next request on, of one entry too, and by the client itself', () => {
    const town = new Town(1)
    const demoted = { kind: 'client', edit: { op: 'role', key: clientNamed('bob').publicKey, role: 'reader' } } as const
    const put = encodeKvCommand({ kind: 'put', key: utf8('k'), value: utf8('v'), previous: false })
    const late = town.addClient('late', 'reader', clientNamed('x'))
    expect(town.sendAll(['bob', put], ['bob', demoted], ['bob', put], ['bob', late])).toEqual([
      'a result of the machine',
      { kind: 'done' },
      'forbidden',
      'not-an-admin',
    ])
  })

  it('finds no room beside sixteen others, unless nobody stands for them any more', () => {
    const town = new Town(2)
    const changes = Array.from({ length: 17 }, (_, i) =>
      town.change({ parameters: { ...PARAMETERS, viewTimeoutMs: 100 + i } }),
    )
    const replies = changes.map((change) => kindOf(town.send('ada', change)))
    expect(replies).toEqual([...Array(16).fill('proposed'), 'proposals-full'])
    expect(town.send('bob', removal('ada'))).toBe('proposals-full')
    const [first] = changes
    if (first === undefined) throw new Error('a change')
    town.send('ada', withdraw(proposalId(encodeSystemCommand(first))))
    town.send('bob', removal('ada'))
    expect(town.send('cyd', removal('ada'))).toEqual({ kind: 'done' })
    expect(changes.map((change) => kindOf(town.send('bob', change)))).toEqual([
      ...Array(16).fill('proposed'),
      'proposals-full',
    ])
  })
})

describe('clients', () => {
  it('are added with their names and roles, and may ask from the next request on', () => {
    const town = new Town()
    expect(
      town.sendAll(['new', withdraw(town.base)], ['ada', town.addClient('new', 'admin')], ['new', withdraw(town.base)]),
    ).toEqual(['unknown-client', { kind: 'done' }, 'no-such-proposal'])
  })

  it.each<[string, (town: Town) => SystemCommand, string]>([
    ['its key listed already', (town) => town.addClient('more', 'writer', clientNamed('writer')), 'key-in-use'],
    ['a name in use', (town) => town.addClient('writer', 'writer', clientNamed('x')), 'name-in-use'],
    ['a name that is none', (town) => town.addClient('No Name', 'writer'), 'bad-name'],
    [
      'the proof of another key',
      (town) => {
        const [one, other] = [town.addClient('x', 'writer'), town.addClient('y', 'writer')]
        if (one.kind !== 'client' || one.edit.op !== 'add') throw new Error('an addition')
        if (other.kind !== 'client' || other.edit.op !== 'add') throw new Error('an addition')
        return { kind: 'client', edit: { ...one.edit, possession: other.edit.possession } }
      },
      'bad-possession',
    ],
    ['nobody to remove', () => removal('nobody'), 'no-such-client'],
    ['the role that it has', () => roleOf('writer', 'writer'), 'unchanged'],
  ])('are refused with %s', (_, command, code) => {
    const town = new Town()
    expect(town.send('ada', command(town))).toBe(code)
  })

  it('take one admin, and as many as a change where an admin is made or unmade', () => {
    const town = new Town(2)
    expect(town.send('ada', town.addClient('new', 'writer'))).toEqual({ kind: 'done' })
    expect(town.send('ada', roleOf('new', 'reader'))).toEqual({ kind: 'done' })
    expect(town.send('ada', removal('new'))).toEqual({ kind: 'done' })
    for (const command of [
      town.addClient('chief', 'admin'),
      roleOf('writer', 'admin'),
      roleOf('bob', 'writer'),
      removal('cyd'),
    ]) {
      expect(kindOf(town.send('ada', command))).toBe('proposed')
    }
    expect(town.send('writer', town.addClient('other', 'writer'))).toBe('not-an-admin')
  })

  it('are never left with fewer admins than must agree, now or after the change in flight', () => {
    const town = new Town()
    expect(town.send('ada', removal('bob'))).toEqual({ kind: 'done' })
    expect(kindOf(town.send('ada', town.change({ threshold: 2 })))).toBe('accepted')
    expect(town.send('ada', roleOf('cyd', 'writer'))).toBe('last-admin')
    expect(town.send('ada', removal('cyd'))).toBe('last-admin')
    town.endEpoch()
    expect(town.send('ada', removal('cyd'))).toBe('last-admin')
    expect(new Town().send('ada', removal('ada'))).toEqual({ kind: 'done' })
  })

  it('that are removed and added again find their session as it was: a replay stays a replay', () => {
    const town = new Town()
    town.send('writer', withdraw(town.base))
    town.send('ada', removal('writer'))
    expect(town.send('writer', withdraw(town.base))).toBe('unknown-client')
    town.send('ada', town.addClient('writer', 'admin'))
    town.forget('writer')
    expect(town.send('writer', withdraw(town.base))).toBe('not-an-admin')
    expect(town.send('writer', approve(town.base))).toBe('no-such-proposal')
  })
})

describe('addresses', () => {
  const moved = (member: number, ...addresses: string[]): SystemCommand => ({
    kind: 'addresses',
    member: memberId(member),
    addresses,
  })

  it('of a member are moved by an admin or its operator, at once', () => {
    const town = new Town(3)
    expect(town.send('ada', moved(0, '/dns/a/tcp/1'))).toEqual({ kind: 'done' })
    expect(town.send('operator', moved(1, '/dns/b/tcp/1', '/dns/b/tcp/2'))).toEqual({ kind: 'done' })
    expect(town.addressesOf(1)).toEqual(['/dns/b/tcp/1', '/dns/b/tcp/2'])
    expect(town.send('operator', moved(2, '/dns/c/tcp/1'))).toBe('not-an-admin')
    expect(town.send('writer', moved(2, '/dns/c/tcp/1'))).toBe('not-an-admin')
  })

  it('are refused where they are none, in use, as before, or of nobody', () => {
    const town = new Town()
    expect(town.send('ada', moved(0))).toBe('bad-address')
    expect(town.send('ada', moved(0, '/dns/A/tcp/1'))).toBe('bad-address')
    expect(town.send('ada', moved(0, '/dns/a/tcp/1', '/dns/a/tcp/1'))).toBe('bad-address')
    expect(town.send('ada', moved(0, '/ip4/127.0.0.1/tcp/7401'))).toBe('bad-address')
    expect(town.send('ada', moved(0, '/ip4/127.0.0.1/tcp/7400'))).toBe('unchanged')
    expect(town.send('ada', moved(9, '/dns/a/tcp/1'))).toBe('no-such-member')
  })

  it('of a newcomer are there with its change, and those of a leaver until the epoch ends', () => {
    const town = new Town()
    const edits = [{ op: 'replace', id: memberId(0), member: town.newcomer('new') } as const]
    town.send('ada', town.change({ edits }))
    expect(town.addressesOf(4)).toEqual(['/dns/new/tcp/7400'])
    expect(town.addressesOf(0)).toEqual(['/ip4/127.0.0.1/tcp/7400'])
    expect(town.send('ada', moved(4, '/dns/newer/tcp/7400'))).toEqual({ kind: 'done' })
    town.endEpoch()
    expect(town.addressesOf(4)).toEqual(['/dns/newer/tcp/7400'])
    expect(town.addressesOf(0)).toBeUndefined()
    expect(town.send('ada', moved(0, '/dns/a/tcp/1'))).toBe('no-such-member')
  })
})

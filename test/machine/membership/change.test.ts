import { describe, expect, it } from 'vitest'
import { concatBytes, memberId, portableVerifier, publicKey, signature } from '../../../crypto/index.ts'
import {
  createExecutor,
  decodeResultRecord,
  type Edit,
  encodeSystemCommand,
  kv,
  type NewMember,
  type StateMachine,
  SYSTEM_TAG,
} from '../../../src/machine/index.ts'
import { signerNamed } from '../../keys/sample.ts'
import { request } from '../support.ts'
import { clientNamed, INTERVAL, OPTIONS, PARAMETERS, type Reply, Town } from './town.ts'

const WRONG = signature(new Uint8Array(64).fill(7))
const kindOf = (reply: Reply) => (typeof reply === 'string' ? reply : reply.kind)

describe('a change of the membership', () => {
  it('with every fault at once is refused for one after another, in the agreed order', () => {
    const town = new Town()
    town.goTo(1)
    const stale = town.base
    town.send('ada', town.change({ edits: [town.rotation(3, 'three')] }))
    const told: string[] = []
    const send = (client: string, command: Parameters<Town['send']>[1]) => told.push(kindOf(town.send(client, command)))
    const malformed = Uint8Array.of(...SYSTEM_TAG, 9)
    send('writer', malformed)
    send('ada', malformed)
    send('ada', town.change({ base: stale, edits: [remove(77)] }))
    town.endEpoch()
    send('ada', town.change({ base: stale, edits: [remove(77)] }))
    send('ada', town.change({ edits: [remove(77)] }))
    send('ada', town.change({}))

    town.goTo(town.charter.start + 20 * INTERVAL)
    const good = town.newcomer('five')
    const old = town.checkpoint(town.executor.slot - (town.executor.slot % INTERVAL) - 18 * INTERVAL)
    const others = {
      quorum: { byzantine: 3, crash: 0 },
      parameters: { ...PARAMETERS, window: 0 },
      threshold: 9,
    }
    const worst: NewMember = {
      ...good,
      consensusKey: signerNamed('consensus 0').publicKey,
      transportKey: publicKey(new Uint8Array(32)),
      possession: { ...good.possession, transport: WRONG },
      joined: WRONG,
      addresses: [],
    }
    const add = (changes: object, more: object = others) =>
      town.change({ edits: [{ op: 'add', member: { ...worst, ...changes } }], ...more })
    const { consensusKey, transportKey, possession, joined, addresses } = good
    send('ada', add({}))
    send('ada', add({ consensusKey }))
    send('ada', add({ consensusKey, transportKey }))
    send('ada', add({ consensusKey, transportKey, possession }))
    const tooOld = town.newcomer('five', { held: old, addresses: [] })
    send('ada', add(tooOld))
    send('ada', add({ consensusKey, transportKey, possession, joined }))
    send('ada', add({ consensusKey, transportKey, possession, joined, addresses }))
    send('ada', add(good, { ...others, quorum: undefined }))
    send('ada', add(good, { threshold: 9 }))
    send('ada', add(good, {}))
    expect(told).toEqual([
      'not-an-admin',
      'malformed',
      'change-in-flight',
      'stale-base',
      'no-such-member',
      'no-edits',
      'key-in-use',
      'bad-key',
      'bad-possession',
      'not-joined',
      'join-too-old',
      'bad-address',
      'quorum-rule',
      'bad-parameter',
      'threshold',
      'accepted',
    ])
  })

  it.each<[string, (town: Town) => Partial<ReturnType<Town['change']>>, string]>([
    ['an operator that is no client', () => ({ edits: [operatorOf(2, 'nobody')] }), 'no-such-client'],
    ['the same operator again', () => ({ edits: [operatorOf(1, 'operator')] }), 'unchanged'],
    ['the same parameters again', () => ({ parameters: PARAMETERS }), 'unchanged'],
    ['too few members', () => ({ edits: [remove(0)] }), 'quorum-rule'],
    ['a member twice', () => ({ edits: [remove(0), remove(0)] }), 'no-such-member'],
    ['unsigned votes beside liars', () => ({ parameters: { ...PARAMETERS, signedVotes: false } }), 'bad-parameter'],
    [
      'an interval whose NewView would fit no frame',
      () => ({ parameters: { ...PARAMETERS, checkpointInterval: 65_536 } }),
      'bad-parameter',
    ],
    ['one more than the admins', () => ({ threshold: 4 }), 'threshold'],
    ['nobody who must agree', () => ({ threshold: 0 }), 'threshold'],
    ["a client's key", (town) => ({ edits: [add(town, 'x', { consensus: clientNamed('writer') })] }), 'key-in-use'],
    [
      'one key for two purposes',
      (town) => ({ edits: [add(town, 'x', { transport: signerNamed('x consensus') })] }),
      'key-in-use',
    ],
    ['a newcomer twice', (town) => ({ edits: [add(town, 'x'), add(town, 'x')] }), 'key-in-use'],
    ["a member's own key again", (town) => ({ edits: [{ ...town.rotation(2, 'x'), ...keyOf(2) }] }), 'key-in-use'],
    [
      'an address in use',
      (town) => ({ edits: [add(town, 'x', { addresses: ['/ip4/127.0.0.1/tcp/7402'] })] }),
      'bad-address',
    ],
    ['no address', (town) => ({ edits: [add(town, 'x', { addresses: [] })] }), 'bad-address'],
    [
      'an address that is none',
      (town) => ({ edits: [add(town, 'x', { addresses: ['/ip4/0.0.0.0/tcp/1'] })] }),
      'bad-address',
    ],
    [
      'the possession of another base',
      (town) => ({ edits: [{ ...town.rotation(2, 'x'), possession: new Town(2).rotation(2, 'x').possession }] }),
      'bad-possession',
    ],
  ])('is refused with %s', (_, changes, code) => {
    const town = new Town()
    const root = town.executor.charter()
    expect(town.send('ada', town.change(changes(town)))).toBe(code)
    expect(town.executor.charter()).toBe(root)
    expect(town.executor.succession()).toBeUndefined()
  })

  it('may do many things at once: grow, turn members out, rotate keys, and change what is borne', () => {
    const town = new Town()
    const edits = [
      ...['a', 'b', 'c', 'd'].map((name) => add(town, name)),
      remove(0),
      town.rotation(3, 'three'),
      operatorOf(2, 'writer'),
    ]
    const parameters = { ...PARAMETERS, window: 4 }
    expect(town.send('ada', town.change({ edits, quorum: { byzantine: 2, crash: 0 }, parameters }))).toMatchObject({
      kind: 'accepted',
      lastSlot: 2 * INTERVAL,
    })
    expect(town.ids()).toEqual([0, 1, 2, 3])
    town.endEpoch()
    expect(town.ids()).toEqual([1, 2, 3, 4, 5, 6, 7])
    const { charter } = town
    expect(charter).toMatchObject({ epoch: 1, start: 2 * INTERVAL, quorum: { byzantine: 2, crash: 0 }, parameters })
    expect(charter.members[2]?.consensusKey).toEqual(signerNamed('three consensus').publicKey)
    expect(charter.members[1]?.operator).toEqual(clientNamed('writer').publicKey)
    expect(charter.previous).toEqual(town.genesis.membership.digest)
  })

  it('keeps the place of a member that is replaced, and closes the gap of one that goes', () => {
    const town = new Town()
    const replace = { op: 'replace', id: memberId(2), member: town.newcomer('new') } as const
    town.send('ada', town.change({ edits: [replace] }))
    expect(town.endEpoch().ids()).toEqual([0, 1, 4, 3])
    town.send('ada', town.change({ edits: [remove(1)], quorum: { byzantine: 0, crash: 1 } }))
    expect(town.endEpoch().ids()).toEqual([0, 4, 3])
  })

  it('never brings a key back, whether its member went or rotated it', () => {
    const town = new Town()
    const leaver = town.newcomer('leaver')
    town.send('ada', town.change({ edits: [{ op: 'replace', id: memberId(0), member: leaver }] }))
    town.endEpoch()
    const edits = [town.rotation(1, 'one'), { op: 'replace', id: memberId(4), member: town.newcomer('other') } as const]
    expect(kindOf(town.send('ada', town.change({ edits })))).toBe('accepted')
    town.endEpoch()
    for (const [consensus, transport] of [
      ['leaver consensus', 'fresh'],
      ['fresh', 'leaver transport'],
      ['consensus 1', 'fresh'],
      ['consensus 0', 'fresh'],
      ['fresh', 'transport 0'],
    ] as const) {
      const member = town.newcomer('back', { consensus: signerNamed(consensus), transport: signerNamed(transport) })
      expect(town.send('ada', town.change({ edits: [{ op: 'add', member }] }))).toBe('key-in-use')
    }
    expect(town.send('ada', town.addClient('again', 'writer', signerNamed('consensus 1')))).toBe('key-in-use')
  })

  it('is answered alike by every verifier', () => {
    const towns = [new Town(), new Town()]
    const [fast, slow] = towns
    if (fast === undefined || slow === undefined) throw new Error('two towns')
    slow.executor = slow.founded({ ...OPTIONS, verifier: portableVerifier })
    for (const town of towns) {
      const joined = (good: boolean) => ({ ...town.newcomer('five'), ...(good ? {} : { joined: WRONG }) })
      expect(town.send('ada', town.change({ edits: [{ op: 'add', member: joined(false) }] }))).toBe('not-joined')
      expect(kindOf(town.send('ada', town.change({ edits: [{ op: 'add', member: joined(true) }] })))).toBe('accepted')
      town.endEpoch()
    }
    expect(fast.executor.stateRoot()).toEqual(slow.executor.stateRoot())
  })
})

describe('what a newcomer holds', () => {
  it('is the genesis in the first epoch, the hand-over in a young one, or a checkpoint of the epoch', () => {
    const town = new Town()
    expect(town.held()).toHaveLength(0)
    expect(kindOf(town.send('ada', town.change({ edits: [add(town, 'a')] })))).toBe('accepted')
    town.endEpoch()
    const handOver = town.held()
    expect(handOver.length).toBeGreaterThan(100)
    expect(town.send('ada', town.change({ edits: [add(town, 'b', { held: new Uint8Array(0) })] }))).toBe('not-joined')
    const plain = town.checkpoint(town.charter.start, new Town().charter)
    expect(town.send('ada', town.change({ edits: [add(town, 'b', { held: plain })] }))).toBe('not-joined')
    expect(kindOf(town.send('ada', town.change({ edits: [add(town, 'b')] })))).toBe('accepted')
    town.endEpoch()
    expect(town.send('ada', town.change({ edits: [add(town, 'c', { held: handOver })] }))).toBe('not-joined')
    town.goTo(town.charter.start + INTERVAL)
    expect(kindOf(town.send('ada', town.change({ edits: [add(town, 'c')] })))).toBe('accepted')
  })

  it('is nothing that too few signed', () => {
    const town = new Town()
    town.goTo(INTERVAL)
    const note = new TextDecoder().decode(town.checkpoint(INTERVAL)).trimEnd().split('\n')
    const few = new TextEncoder().encode(`${note.slice(0, -1).join('\n')}\n`)
    expect(town.send('ada', town.change({ edits: [add(town, 'a', { held: few })] }))).toBe('not-joined')
  })
})

describe('an operator', () => {
  it('replaces its member and its key alone, whatever its role and however many admins must agree', () => {
    const town = new Town(2)
    const member = town.newcomer('new', { operator: clientNamed('operator').publicKey })
    expect(kindOf(town.send('operator', town.change({ edits: [{ op: 'replace', id: memberId(1), member }] })))).toBe(
      'accepted',
    )
    expect(town.endEpoch().ids()).toEqual([0, 4, 2, 3])
    expect(kindOf(town.send('operator', town.change({ edits: [town.rotation(4, 'four')] })))).toBe('accepted')
  })

  it.each<[string, (town: Town) => Partial<ReturnType<Town['change']>>]>([
    ["another's member", (town) => ({ edits: [town.rotation(2, 'x')] })],
    ['anything beside it', (town) => ({ edits: [town.rotation(1, 'x')], threshold: 1 })],
    ['two things', (town) => ({ edits: [town.rotation(1, 'x'), town.rotation(1, 'y')] })],
    ['its removal', () => ({ edits: [remove(1)] })],
    ['its operator', () => ({ edits: [operatorOf(1, 'writer')] })],
    ['one more member', (town) => ({ edits: [add(town, 'x')] })],
  ])('does not decide %s', (_, changes) => {
    const town = new Town()
    expect(town.send('operator', town.change(changes(town)))).toBe('not-an-admin')
  })

  it('has no say any more once its member is replaced by one that is not its', () => {
    const town = new Town()
    town.send('ada', town.change({ edits: [{ op: 'replace', id: memberId(1), member: town.newcomer('new') }] }))
    town.endEpoch()
    expect(town.send('operator', town.change({ edits: [town.rotation(4, 'x')] }))).toBe('not-an-admin')
  })
})

describe('the commands of the system', () => {
  it('never reach the machine, and cannot be asked for as reads', () => {
    const town = new Town()
    const seen: number[] = []
    const spy: StateMachine = {
      name: 'spy-v1',
      apply(command) {
        seen.push(command.length)
        return new Uint8Array(0)
      },
    }
    town.executor = town.founded({ ...OPTIONS, machine: spy })
    const command = encodeSystemCommand(town.change({ edits: [town.rotation(1, 'x')] }))
    expect(town.executor.read(command, clientNamed('ada').publicKey)).toMatchObject({ outcome: 'forbidden' })
    expect(town.executor.succession()).toBeUndefined()
    expect(town.send('stranger', command)).toBe('unknown-client')
    expect(town.send('writer', command)).toBe('not-an-admin')
    expect(town.send('ada', concatBytes(SYSTEM_TAG, new Uint8Array(256 * 1024)))).toBe('limit')
    expect(kindOf(town.send('ada', command))).toBe('accepted')
    expect(seen).toEqual([])
    town.send('ada', SYSTEM_TAG.subarray(0, -1))
    expect(seen).toEqual([SYSTEM_TAG.length - 1])
  })

  it('are forbidden where there is no cluster', () => {
    const key = clientNamed('ada').publicKey
    const executor = createExecutor({ machine: kv, clients: [{ key, role: 'admin' }] })
    const [record] = executor.execute({
      slot: 1,
      timestampMs: 1,
      requests: [request(key, 1, encodeSystemCommand(new Town().change({})))],
    }).records
    expect(decodeResultRecord(record ?? new Uint8Array())).toMatchObject({ outcome: 'forbidden' })
    expect([executor.charter(), executor.succession()]).toEqual([undefined, undefined])
  })
})

function remove(id: number): Edit {
  return { op: 'remove', id: memberId(id) }
}

function operatorOf(id: number, name: string): Edit {
  return { op: 'operator', id: memberId(id), key: clientNamed(name).publicKey }
}

function add(town: Town, name: string, options: Parameters<Town['newcomer']>[1] = {}): Edit {
  return { op: 'add', member: town.newcomer(name, options) }
}

function keyOf(index: number) {
  return { consensusKey: signerNamed(`consensus ${index}`).publicKey }
}

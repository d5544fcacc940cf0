// Changing views: what was chosen survives, what was prepared is carried over, and nobody waits for ever (C1-C6, pitfalls P04-P16,
// P20, P23; scenarios S03, S04, S07, S09, S10).

import { describe, expect, it } from 'vitest'
import { hex, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import { batchEntry, type Message, noopEntry } from '../../src/consensus/index.ts'
import { accusations, liarOf, load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { EPOCHS, type TestEpoch } from '../support/epochs.ts'
import { commands, type MiniCluster, type MiniReplica, miniCluster, request } from '../support/mini-cluster.ts'

const ALL = [0, 1, 2, 3]
/** A vote of view 0; what the first leader's view decides on its own would hide what the view change does. */
const isVote = (message: Message, kind: string): boolean =>
  message.kind === 'vote' && message.vote.statement.kind === kind && message.vote.statement.view === 0
const noAccepts = (_: number, __: number, message: Message): boolean => !isVote(message, 'accept')

describe.each(EPOCHS)('a view change $name', (epoch) => {
  it('keeps a value that is chosen, though only one replica knows (n=4, leader crashes after that)', () => {
    const cluster = prepared(epoch, 'a', (_, to, message) => !isVote(message, 'accept') || to === 3)
    expect(commands(at(cluster, 3))).toEqual(['a'])
    cluster.crash(0)
    cluster.crash(3)
    cluster.restart(0)
    cluster.filter = () => true
    cluster.submit([0, 1, 2], 'b')
    cluster.run(6000)
    cluster.restart(3)
    cluster.run(2000)
    expect(safetyFault(cluster)).toBeUndefined()
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual(['a', 'b'])
  })

  it('keeps a prepared value through two failed views, with nothing prepared again in between (P08)', () => {
    const cluster = prepared(epoch, 'a', noAccepts)
    const reported: number[] = []
    cluster.filter = (from, _, message) => {
      if (message.kind === 'view-change' && message.viewChange.vote.replica === from && from > 0) {
        const [first] = message.viewChange.prepared
        reported.push(first?.statement.slot ?? 0)
      }
      // View 1 begins everywhere, and no vote of it arrives.
      return from !== 0 && message.kind !== 'vote' && message.kind !== 'propose'
    }
    cluster.crash(0)
    cluster.run(2500)
    expect(cluster.status(2).view).toBeGreaterThanOrEqual(2)
    expect(new Set(reported)).toEqual(new Set([cluster.slot(1)]))
    cluster.filter = noAccepts
    cluster.run(9000)
    for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual(['a'])
    expect(at(cluster, 1).executed[0]?.header.kind).toBe('batch')
  })

  it('takes nothing from a ViewChange with anything wrong in it, and everything from the good ones (P09, S04)', () => {
    const cluster = prepared(epoch, 'a', noAccepts)
    const pen = liarOf(cluster, 2)
    const empty = pen.emptyViewChange(view(1))
    const [certificate] = [...at(cluster, 1).state.slots.values()].flatMap((each) => each.prepared ?? [])
    if (empty === undefined || certificate === undefined) throw new Error('nothing prepared')
    const { statement } = certificate
    const wrong = {
      'a forged certificate': [pen.forged({ ...statement, digest: nonsense('x') })],
      'a certificate one vote short': [{ statement, signatures: certificate.signatures.slice(1) }],
      'a certificate of the view that it wants': [{ ...certificate, statement: { ...statement, view: view(1) } }],
      'a slot beyond the window': [{ ...certificate, statement: { ...statement, slot: cluster.slot(99) } }],
      'one slot twice': [certificate, certificate],
      'an accept certificate': [{ ...certificate, statement: { ...statement, kind: 'accept' as const } }],
    }
    for (const [name, certificates] of Object.entries(wrong)) {
      const viewChange = pen.viewChange(empty, { prepared: certificates })
      expect(cluster.inject(2, 1, { kind: 'view-change', viewChange }), name).toBeDefined()
      expect(at(cluster, 1).state.viewChanges.size, name).toBe(0)
    }
    cluster.crash(0)
    cluster.filter = noAccepts
    cluster.run(3000)
    for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual(['a'])
  })

  it('refuses a NewView that is built of ViewChanges for an earlier view, of one twice, or of too few (P04)', () => {
    const cluster = miniCluster({ epoch })
    const pens = ALL.map((i) => liarOf(cluster, i))
    const wanted = (i: number, v: number) => {
      const made = pens[i]?.emptyViewChange(view(v))
      if (made === undefined) throw new Error('no checkpoint known')
      return made
    }
    const leader = pens[2] ?? none()
    const offers = {
      'view-change-for-another-view': [wanted(0, 2), wanted(1, 1), wanted(3, 2)],
      'unsorted-view-changes': [wanted(0, 2), wanted(0, 2), wanted(3, 2)],
      'wrong-number-of-view-changes': [wanted(0, 2), wanted(3, 2)],
    }
    for (const [code, viewChanges] of Object.entries(offers)) {
      const newView = leader.newView(view(2), viewChanges)
      expect(cluster.inject(2, 1, { kind: 'new-view', newView })).toBe(code)
    }
    const others = pens[1] ?? none()
    const stolen = others.newView(view(2), [wanted(0, 2), wanted(1, 2), wanted(3, 2)])
    expect(cluster.inject(1, 3, { kind: 'new-view', newView: stolen })).toBe('not-the-leader')
    const good = leader.newView(view(2), [wanted(0, 2), wanted(1, 2), wanted(3, 2)])
    expect(cluster.inject(2, 1, { kind: 'new-view', newView: good })).toBeUndefined()
    expect(cluster.status(1)).toMatchObject({ view: 2, phase: 'active' })
  })

  it('refuses a NewView that leaves a prepared value out, or puts a no-op over it (P10, P11)', () => {
    for (const lie of ['drop', 'noop']) {
      const cluster = miniCluster({ epoch, liars: { 1: `bad-new-view:${lie}` } })
      cluster.run(50)
      cluster.filter = noAccepts
      cluster.submit(ALL, 'a')
      cluster.run(100)
      cluster.crash(0)
      cluster.run(3000)
      expect(at(cluster, 2).refused).toContain('blame wrong-selection from 1')
      expect(commands(at(cluster, 2))).toEqual(['a'])
      expect(safetyFault(cluster)).toBeUndefined()
    }
  })

  it.each([0b0110, 0b1010, 0b1000, 0b1101])(
    'fills exactly the gaps below the last prepared slot (pattern %i; P11)',
    (bits) => {
      const cluster = miniCluster({ epoch })
      cluster.run(50)
      const isPrepared = (number: number) => ((bits >> (number - cluster.slot(1))) & 1) === 1
      cluster.filter = (_, __, message) =>
        !isVote(message, 'accept') &&
        !(message.kind === 'vote' && isVote(message, 'prepare') && !isPrepared(message.vote.statement.slot))
      for (const text of ['a', 'b', 'c', 'd']) {
        cluster.submit([0], text)
        cluster.settle()
      }
      cluster.crash(0)
      cluster.submit([1, 2, 3], 'next')
      cluster.run(3000)
      const last = 32 - Math.clz32(bits)
      const kinds = at(cluster, 1)
        .executed.slice(0, last)
        .map((entry) => entry.header.kind)
      expect(kinds).toEqual(
        Array.from({ length: last }, (_, i) => (isPrepared(cluster.slot(i + 1)) ? 'batch' : 'noop')),
      )
      expect(at(cluster, 1).executed[last]?.requests).toHaveLength(1)
      expect(safetyFault(cluster)).toBeUndefined()
    },
  )

  it('finds the body that only q - b replicas hold, and puts no no-op in its place (P12, S03)', () => {
    // The liar gives the body to 1 and 2 alone; 3 sees the votes. Then it stops; view 1, 2, ... may be led by who lacks it.
    const cluster = miniCluster({ epoch, liars: { 0: 'withhold-body:3' } })
    cluster.run(50)
    cluster.filter = (from, to, message) => noAccepts(from, to, message) && message.kind !== 'bodies'
    cluster.submit([0, 1, 2], 'a')
    cluster.run(100)
    cluster.crash(0)
    // The leaders of views 1 and 2 get nothing across, so that replica 3 leads.
    cluster.filter = (from, to, message) =>
      noAccepts(from, to, message) && !(message.kind === 'new-view' && message.newView.view < 3)
    cluster.run(6000)
    expect(cluster.status(3).view % 4).toBe(3)
    for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual(['a'])
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it('starts from the highest of the checkpoints, whoever lags (P13)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (from, to) => from !== 3 && to !== 3
    const texts = load(cluster, 20)
    cluster.crash(0)
    cluster.filter = () => true
    cluster.submit([1, 2, 3], 'x')
    cluster.run(6000)
    for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual([...texts, 'x'])
    cluster.restart(0)
    cluster.run(3000)
    expect(missing(cluster, [...texts, 'x'])).toEqual([])
  })

  it('is entered by the NewView alone: nobody needs the ViewChanges themselves (P14)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (_, to, message) => !(to === 3 && message.kind === 'view-change')
    cluster.crash(0)
    cluster.submit([1, 2, 3], 'a')
    cluster.run(2000)
    expect(cluster.status(3)).toMatchObject({ view: 1, phase: 'active' })
    expect(commands(at(cluster, 3))).toEqual(['a'])
  })

  it('is found again by who missed its NewView, from anyone (P14)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (from, to, message) => !(to === 3 && (from === 1 || message.kind === 'view-change'))
    cluster.crash(0)
    cluster.submit([1, 2], 'a')
    cluster.run(4000)
    for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual(['a'])
  })

  it('is not blocked by an Accept: four replicas, no faults, delays alone (P16, S07)', () => {
    // r2 accepts in view 0; view 1 begins, r3 accepts in it; r0 and r1 head for view 2.
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.filter = (from, to, message) =>
      !isVote(message, 'accept') && !(to !== 2 && isVote(message, 'prepare')) && from >= 0
    cluster.submit(ALL, 'a')
    cluster.run(100)
    expect(at(cluster, 2).state.slots.get(cluster.slot(1))?.ownAccept).toBeDefined()
    cluster.filter = (_, to, message) => !isVote(message, 'accept') && !(to !== 3 && isVote(message, 'prepare'))
    cluster.run(900)
    cluster.filter = (_, __, message) => message.kind === 'heartbeat'
    cluster.run(1500)
    cluster.filter = noAccepts
    cluster.run(9000)
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual(['a'])
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it('carries a value over although nobody would vote for it any more: its time is long past (P20)', () => {
    const cluster = prepared(epoch, 'a', noAccepts)
    cluster.filter = () => false
    cluster.crash(0)
    cluster.run(20_000)
    cluster.filter = noAccepts
    cluster.run(15_000)
    for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual(['a'])
  })

  it('frees a lock that one replica alone holds, by what it reports (P23: hidden lock)', () => {
    // Only replica 3 has the certificate of view 0; the first NewView is built without its ViewChange.
    const cluster = prepared(epoch, 'a', (_, to, message) => !(isVote(message, 'prepare') && to !== 3))
    expect(at(cluster, 3).state.slots.get(cluster.slot(1))?.prepared).toBeDefined()
    expect(at(cluster, 1).state.slots.get(cluster.slot(1))?.prepared).toBeUndefined()
    cluster.filter = (from, to, message) =>
      !(message.kind === 'view-change' && (from === 3 || to === 3)) && !(isVote(message, 'prepare') && to !== 3)
    cluster.submit([1, 2], 'b')
    const texts = ['a', 'b']
    runUntilDone(cluster, texts)
    expect(cluster.status(1).view).toBeGreaterThan(0)
    cluster.filter = () => true
    runUntilDone(cluster, texts)
    expect(missing(cluster, texts)).toEqual([])
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it('while entries are fetched delivers each slot once (P21)', () => {
    for (let moment = 0; moment < 8; moment++) {
      const cluster = miniCluster({ epoch })
      cluster.run(50)
      cluster.filter = (from, to) => from !== 3 && to !== 3
      const texts = load(cluster, 12)
      cluster.crash(0)
      cluster.filter = () => true
      cluster.submit([1, 2, 3], 'x')
      cluster.run(75 * moment)
      cluster.crash(3)
      cluster.restart(3)
      cluster.run(8000)
      expect(safetyFault(cluster)).toBeUndefined()
      for (const i of [1, 2, 3]) expect(commands(at(cluster, i))).toEqual([...texts, 'x'])
    }
  })

  it('with an older proposal again offered by a liar keeps the one certified in the higher view (P10)', () => {
    const cluster = prepared(epoch, 'a', noAccepts)
    const pen = liarOf(cluster, 1)
    const other = batchEntry(cluster.slot(1), cluster.context.membership.epoch, 1_000_400, [
      request(cluster.context.membership.clusterId, 'other', 9),
    ])
    cluster.crash(0)
    cluster.run(700)
    expect(cluster.status(2)).toMatchObject({ view: 1, phase: 'active' })
    const { justification } = at(cluster, 2).state
    const vote = pen.vote('prepare', { slot: cluster.slot(1), digest: other.digest, view: view(1), justification })
    cluster.inject(1, 2, { kind: 'propose', vote, entry: other })
    cluster.run(2000)
    expect(commands(at(cluster, 2))).toEqual(['a'])
  })
})

describe.each(EPOCHS)('quorums $name', (epoch) => {
  it('with n=5, b=1 an equivocating leader that votes twice gets nothing certified twice (S09, P01)', () => {
    const cluster = miniCluster({ epoch, replicas: 5, byzantine: 1, liars: { 0: 'equivocate' } })
    cluster.run(50)
    const texts = load(cluster, 5)
    runUntilDone(cluster, texts)
    expect(cluster.context.membership.quorums.quorum).toBe(4)
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, texts)).toEqual([])
    expect(accusations(cluster)).toContain('two-votes 0')
  })

  it.each([0, 1, 2, 3, 4, 5])(
    'with n=6, b=1, c=1 a liar and a crash at step %i leave it safe and live (S10)',
    (moment) => {
      const cluster = miniCluster({ epoch, replicas: 6, byzantine: 1, crash: 1, liars: { 0: 'equivocate' } })
      cluster.run(50)
      const steps = ['propose', 'prepare', 'accept', 'view-change', 'new-view', 'checkpoint']
      let cut = false
      cluster.filter = (from, _, message) => {
        const kind = message.kind === 'vote' ? message.vote.statement.kind : message.kind
        if (from === 1 && kind === steps[moment]) cut = true
        return !(cut && from === 1)
      }
      const texts = load(cluster, 10)
      cluster.crash(1)
      cluster.filter = () => true
      const alive = [2, 3, 4, 5]
      cluster.submit(alive, ...texts.slice(-1))
      cluster.run(10_000)
      for (const i of alive) for (const text of texts) expect(commands(at(cluster, i))).toContain(text)
      cluster.restart(1)
      cluster.run(3000)
      expect(safetyFault(cluster)).toBeUndefined()
      expect(missing(cluster, texts)).toEqual([])
    },
  )

  it('a no-op is no empty batch: their digests differ for every slot (P11)', () => {
    const cluster = miniCluster({ epoch })
    const named = cluster.context.membership.epoch
    for (let number = 1; number < 50; number++) {
      const at = cluster.slot(number)
      expect(hex(noopEntry(at, named).digest)).not.toBe(hex(batchEntry(at, named, 0, []).digest))
    }
  })
})

/** One request proposed in view 0 under a filter, and given time to get as far as that allows. */
function prepared(epoch: TestEpoch, text: string, filter: MiniCluster['filter']): MiniCluster {
  const cluster = miniCluster({ epoch })
  cluster.run(50)
  cluster.filter = filter
  cluster.submit(ALL, text)
  cluster.run(100)
  return cluster
}

function at(cluster: MiniCluster, index: number): MiniReplica {
  return cluster.replicas[index] ?? none()
}

function none(): never {
  throw new Error('no such replica')
}

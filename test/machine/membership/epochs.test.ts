import { describe, expect, it } from 'vitest'
import { memberId, slot, utf8 } from '../../../crypto/index.ts'
import { decodeCharter, encodeCharter, lastSlotAfter, membershipOf } from '../../../keys/charter/index.ts'
import {
  CHARTER_STATE_KEY,
  type Executor,
  FIRST_PATH,
  MapRestoration,
  resumeExecutor,
  type StateSnapshot,
  verifyStateProof,
} from '../../../src/machine/index.ts'
import { INTERVAL, OPTIONS, PARAMETERS, Town } from './town.ts'

function restored(state: StateSnapshot): Executor {
  const restoration = new MapRestoration(state.root)
  for (let from: Uint8Array | undefined = FIRST_PATH; from !== undefined; from = restoration.next) {
    const taken = restoration.offer(state.chunk(from).bytes)
    if (!taken.ok) throw new Error(taken.fault)
  }
  return resumeExecutor(OPTIONS, restoration.finish())
}

/** The same executor out of a snapshot of its state. */
function copyOf(executor: Executor): Executor {
  const state = executor.snapshot()
  const copy = restored(state)
  state.close()
  return copy
}

describe('an epoch', () => {
  it('begins with the genesis, whose charter stands in the state of slot 0', () => {
    const town = new Town()
    const root = town.executor.stateRoot()
    town.stateAt((state) => {
      const value = state.get(CHARTER_STATE_KEY) ?? new Uint8Array()
      expect(decodeCharter(value)).toEqual(town.charter)
      expect(verifyStateProof(root, CHARTER_STATE_KEY, value, state.prove(CHARTER_STATE_KEY))).toBe(true)
      const other = encodeCharter({ ...town.charter, admins: { threshold: 9 } })
      expect(verifyStateProof(root, CHARTER_STATE_KEY, other, state.prove(CHARTER_STATE_KEY))).toBe(false)
    })
    expect(membershipOf(town.charter, town.genesis.clusterId).digest).toEqual(town.genesis.membership.digest)
    expect(town.executor.succession()).toBeUndefined()
  })

  it.each([1, 2, 3, 4, 5, 8])('ends with the slot that follows from that of its change: slot %i', (change) => {
    const town = new Town().goTo(change - 1)
    const { charter } = town
    const edits = [town.rotation(3, 'three')]
    const reply = town.send('ada', town.change({ edits }))
    const lastSlot = lastSlotAfter(slot(change), charter)
    expect(reply).toMatchObject({ kind: 'accepted', lastSlot })
    for (let at = change; at < lastSlot; at++) {
      town.goTo(at)
      expect(town.executor.succession()).toMatchObject({ lastSlot, charter: { epoch: 1, start: lastSlot } })
      expect(town.charter).toBe(charter)
    }
    town.goTo(lastSlot)
    expect(town.charter).toMatchObject({ epoch: 1, start: lastSlot })
    expect(town.executor.succession()).toMatchObject({ lastSlot, charter: { epoch: 1 }, membership: town.base })
    town.goTo(lastSlot + 1)
    expect(town.executor.succession()).toBeUndefined()
  })

  it('takes no change in its last slot, and the next one takes one in its first', () => {
    const town = new Town()
    town.send('ada', town.change({ edits: [town.rotation(3, 'three')] }))
    town.goTo(2 * INTERVAL - 1)
    expect(town.send('ada', town.change({ edits: [town.rotation(2, 'two')] }))).toBe('change-in-flight')
    expect(town.charter.epoch).toBe(1)
    expect(town.send('ada', town.change({ edits: [town.rotation(2, 'two')] }))).toMatchObject({
      kind: 'accepted',
      lastSlot: 4 * INTERVAL,
    })
  })

  it('ends at a boundary of its own interval where the one before had another', () => {
    const town = new Town()
    town.send('ada', town.change({ parameters: { ...PARAMETERS, checkpointInterval: 5 } }))
    town.endEpoch()
    expect(town.executor.slot).toBe(8)
    expect(town.send('ada', town.change({ parameters: PARAMETERS }))).toMatchObject({ kind: 'accepted', lastSlot: 15 })
  })

  it('is the same in every copy of the state, before, at and after its last slot', () => {
    const town = new Town(2)
    const change = town.change({ edits: [{ op: 'replace', id: memberId(1), member: town.newcomer('new') }] })
    town.send('ada', change)
    for (let at = 2; at <= 2 * INTERVAL + 2; at++) {
      const copy = copyOf(town.executor)
      expect(copy.charter()).toEqual(town.charter)
      expect(copy.succession()).toEqual(town.executor.succession())
      expect(copy.stateRoot()).toEqual(town.executor.stateRoot())
      // Everything from here on is executed by the copy.
      town.executor = copy
      if (at === 2) town.send('bob', change)
      else town.goTo(at)
    }
    expect(town.ids()).toEqual([0, 4, 2, 3])
    expect(town.send('ada', { kind: 'approve', proposal: town.base })).toBe('no-such-proposal')
  })

  it('has its members in a state that says of which cluster it is', () => {
    const [one, other] = [new Town(), new Town(2)]
    expect(one.executor.stateRoot()).not.toEqual(other.executor.stateRoot())
    one.stateAt((state) => expect(state.get(Uint8Array.of(4, ...utf8('cluster')))).toHaveLength(32 + 'town'.length))
  })
})

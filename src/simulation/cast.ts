// Who is ever a member in a scenario, and under which keys. An identity is a member's id: those of the first epoch are numbered by
// their positions, and those that join on from there, in the order in which the changes name them.

import { bytesKey, type PublicKey, type Signer } from '../../crypto/index.ts'
import type { ProtocolParameters } from '../consensus/index.ts'
import type { MembershipChange, Scenario } from './scenario.ts'
import type { SignatureSuite } from './signatures.ts'

/** A consensus key, and whose it is. */
export interface CastKey {
  readonly identity: number
  /** What the suite makes its signers from. */
  readonly label: string
  readonly signer: Signer
}

/** How many join with a change: those that are added, then those that take another's place. */
export function arrivalsIn({ add, replace = [] }: Pick<MembershipChange, 'add' | 'replace'>): number {
  return add + replace.length
}

/** How many identities there are. */
export function identitiesIn({ group, changes }: Pick<Scenario, 'group' | 'changes'>): number {
  return changes.reduce((sum, change) => sum + arrivalsIn(change), group.replicas)
}

/** The identity that the first of those gets who join with this change. */
export function firstArrivalOf({ group, changes }: Pick<Scenario, 'group' | 'changes'>, change: number): number {
  return identitiesIn({ group, changes: changes.slice(0, change) })
}

/** The members of each epoch in the order of their positions, if all changes are made. */
export function membersByEpoch({
  group,
  changes,
}: Pick<Scenario, 'group' | 'changes'>): readonly (readonly number[])[] {
  let members = Array.from({ length: group.replicas }, (_, i) => i)
  const epochs = [members]
  for (const [i, { add, replace = [], remove }] of changes.entries()) {
    const first = firstArrivalOf({ group, changes }, i)
    const added = Array.from({ length: add }, (_, j) => first + j)
    const placed = members.map((each) => (replace.includes(each) ? first + add + replace.indexOf(each) : each))
    members = [...placed, ...added].filter((each) => !remove.includes(each))
    epochs.push(members)
  }
  return epochs
}

/** The parameters of each epoch, if all changes are made. */
export function parametersByEpoch({ parameters, changes }: Pick<Scenario, 'parameters' | 'changes'>) {
  const epochs: ProtocolParameters[] = [parameters]
  for (const change of changes) epochs.push({ ...(epochs.at(-1) ?? parameters), ...change.parameters })
  return epochs
}

export class Cast {
  private readonly suite: SignatureSuite
  private readonly replicas: number
  private readonly keys = new Map<string, CastKey>()

  constructor({ group, changes }: Pick<Scenario, 'group' | 'changes'>, suite: SignatureSuite) {
    this.suite = suite
    this.replicas = group.replicas
    for (let identity = 0; identity < identitiesIn({ group, changes }); identity++)
      this.list(identity, this.name(identity))
    for (const [i, { rotate = [] }] of changes.entries())
      for (const identity of rotate) this.list(identity, this.rotatedLabel(identity, i))
  }

  /** That with which an identity begins. */
  signer(identity: number): Signer {
    return this.suite.signer(this.name(identity))
  }

  transport(identity: number): Signer {
    return this.suite.signer(`transport of ${this.name(identity)}`)
  }

  /** That to which an identity goes over with a change. */
  rotated(identity: number, change: number): Signer {
    return this.suite.signer(this.rotatedLabel(identity, change))
  }

  /** Every key that ever signs for a member. */
  get all(): readonly CastKey[] {
    return [...this.keys.values()]
  }

  /** Whose key this is. @throws {Error} where it is nobody's. */
  of(key: PublicKey): CastKey {
    const known = this.keys.get(bytesKey(key))
    if (known === undefined) throw new Error('no member ever has this key')
    return known
  }

  private list(identity: number, label: string): void {
    const signer = this.suite.signer(label)
    this.keys.set(bytesKey(signer.publicKey), { identity, label, signer })
  }

  private name(identity: number): string {
    return identity < this.replicas ? `replica ${identity}` : `candidate ${identity - this.replicas}`
  }

  private rotatedLabel(identity: number, change: number): string {
    return `${this.name(identity)} after change ${change}`
  }
}

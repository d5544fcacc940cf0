// Whom to ask first. Each replica says in its replies which view it is in, and nobody vouches for one of them: so the view that t
// replicas have reached is taken, which at least one honest replica has, and no b liars can name a later one.

import { leaderOf, type ReplicaIndex, type View } from '../../crypto/index.ts'
import type { ClusterView } from './cluster-view.ts'

export class LeaderGuess {
  private readonly view: ClusterView
  private readonly views: (View | undefined)[] = []
  /** Asked and not heard from since: until something settles everybody is asked. */
  private silent = false

  constructor(view: ClusterView) {
    this.view = view
  }

  hear(from: ReplicaIndex, view: View): void {
    this.views[from] = view
  }

  /** The views are those of another epoch now. */
  moved(): void {
    this.views.length = 0
    this.silent = false
  }

  suspect(): void {
    this.silent = true
  }

  settle(): void {
    this.silent = false
  }

  /** The leader, or undefined where everybody is to be asked. */
  get(): ReplicaIndex | undefined {
    if (this.silent) return undefined
    const known = this.views.filter((view) => view !== undefined).sort((a, b) => b - a)
    const { membership } = this.view
    const view = known[membership.quorums.trust - 1]
    return view === undefined ? undefined : leaderOf(membership, view)
  }
}

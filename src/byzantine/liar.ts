// One liar at work: what it knows of the run, and everything that its key can sign. Its lies are well formed as far as that key
// reaches, so that they get past verification and the protocol has to deal with them.

import {
  type Certificate,
  type Digest,
  leaderOf,
  type Slot,
  sha256,
  signVote,
  statementBytes,
  utf8,
  type Verified,
  type View,
  type Vote,
  type VoteKind,
  type VoteStatement,
  view,
} from '../../crypto/index.ts'
import type { Succession } from '../../keys/charter/index.ts'
import {
  batchEntry,
  type CheckpointVote,
  checkpointBytes,
  type Effect,
  type Entry,
  type HandOver,
  type Input,
  type Message,
  type NewView,
  newViewDigest,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
  select,
  type ViewChange,
  viewChangeDigest,
} from '../consensus/index.ts'
import { type BehaviourContext, peersOf } from './behaviour.ts'

/** Messages that a liar keeps to send again. */
const ARCHIVE_MESSAGES = 1024

export class Liar {
  readonly context: BehaviourContext
  /** Monotonic milliseconds of the last tick. */
  nowMs = 0
  /** The view that the core inside is in, or wants. */
  view: View = view(0)
  /** Digest of the NewView that began {@link view}; in view 0 of what opened the epoch. */
  justification: Digest
  executed: Slot
  stable: Slot
  /** The last stable checkpoint seen with its proof. */
  known: StableCheckpoint | undefined
  /** The last messages sent and received, whoever signed them. */
  readonly archive: Message[] = []
  /** ViewChanges seen for the view that is being changed to, by signer. */
  readonly viewChanges = new Map<number, ViewChange>()
  /** How the epoch ends, once its end is agreed. */
  succession: Succession | undefined
  /** What ended it, once that is on disk. */
  handOver: HandOver | undefined
  private archived = 0
  private justified: View = view(0)

  constructor(context: BehaviourContext) {
    const { start } = context
    this.context = context
    this.justification = start.justification
    this.executed = start.slot
    this.stable = start.slot
  }

  get leads(): boolean {
    return leaderOf(this.context.membership, this.view) === this.context.self
  }

  /** Takes note of one step of the core inside. */
  observe(effects: readonly Effect[], input: Input | undefined): void {
    if (input?.kind === 'tick') this.nowMs = Math.max(this.nowMs, input.nowMs)
    if (input?.kind === 'message') this.note(input.message)
    if ((input?.kind === 'executed' || input?.kind === 'installed') && input.succession !== undefined) {
      const ends = input.succession.charter.epoch > this.context.membership.epoch
      if (ends) this.succession = input.succession
    }
    for (const effect of effects) {
      if (effect.kind === 'send' || effect.kind === 'broadcast') this.note(effect.message)
      else if (effect.kind === 'view') this.view = effect.view
      else if (effect.kind === 'hand-over') this.handOver = effect.handOver
      else if (effect.kind === 'execute') this.executed = effect.entry.header.slot
      else if (effect.kind === 'stabilize') {
        this.stable = effect.checkpoint.slot
        this.known = effect.checkpoint
      }
    }
  }

  /** A statement of this cluster under the liar's signature: of its current view unless told otherwise. */
  vote(kind: VoteKind, said: Pick<VoteStatement, 'slot' | 'digest'> & Partial<VoteStatement>): Verified<Vote> {
    const { membership, self, signer } = this.context
    const { view: inView, justification } = this
    const basis = { clusterId: membership.clusterId, membership: membership.digest, view: inView, justification }
    return signVote({ kind, ...basis, ...said }, self, signer)
  }

  /** The same vote with parts of its statement changed, signed anew. */
  changed(vote: Vote, change: Partial<VoteStatement>): Vote {
    const { self, signer } = this.context
    return signVote({ ...vote.statement, ...change }, self, signer)
  }

  /** A ViewChange that reports nothing prepared; undefined while no stable checkpoint is known. */
  emptyViewChange(at: View): ViewChange | undefined {
    const { known: stable } = this
    if (stable === undefined) return undefined
    const body = { view: at, stable, prepared: [] }
    return { ...body, vote: this.vote('view-change', { view: at, slot: stable.slot, digest: viewChangeDigest(body) }) }
  }

  /** A ViewChange with the given parts; the rest as in `like`. */
  viewChange(like: ViewChange, change: Partial<Pick<ViewChange, 'view' | 'stable' | 'prepared'>>): ViewChange {
    const body = { view: like.view, stable: like.stable, prepared: like.prepared, ...change }
    const said = { view: body.view, slot: body.stable.slot, digest: viewChangeDigest(body) }
    return { ...body, vote: this.changed(like.vote, said) }
  }

  /** A NewView over these ViewChanges; its proposals are what they justify, unless told otherwise. */
  newView(
    at: View,
    viewChanges: readonly ViewChange[],
    choose: (values: ReturnType<typeof select>['values']) => readonly { slot: Slot; digest: Digest }[] = (all) => all,
  ): NewView {
    const { membership } = this.context
    const justification = newViewDigest(at, viewChanges)
    const { start, values } = select(viewChanges, membership.epoch)
    const vote = this.vote('new-view', { view: at, slot: start.slot, digest: justification })
    const proposals = choose(values).map(({ slot: number, digest }) =>
      this.vote('prepare', { view: at, slot: number, digest, justification }),
    )
    return { view: at, viewChanges, vote, proposals }
  }

  checkpoint(
    said: Pick<CheckpointVote, 'slot' | 'logRoot' | 'stateRoot'> & { readonly next?: Digest | undefined },
  ): CheckpointVote {
    const { membership, clusterName, self, signer } = this.context
    const { slot: at, logRoot, stateRoot, next } = said
    const content = { slot: at, logRoot, stateRoot, next }
    return { ...content, replica: self, signature: signer.sign(checkpointBytes(content, membership, clusterName)) }
  }

  /** A request of a client that nobody listed: the liar's own key. */
  request(sequence: number): SignedRequest {
    const { signer, membership } = this.context
    const request = { client: signer.publicKey, sequence, command: utf8(`request ${sequence} of a liar`) }
    const id = requestId(request)
    const said = { client: signer.publicKey, clusterId: membership.clusterId, count: 1, root: id } as const
    const bytes = signer.sign(statementBytes({ kind: 'bundle', ...said }))
    return { request, id, proof: { index: 0, count: 1, root: id, path: [], signature: bytes } }
  }

  /** Another entry for the slot of this one, as good as it: without its last request, or a moment later. */
  twin(entry: Entry): Entry {
    const { slot: at, epoch, timestampMs } = entry.header
    const requests = entry.requests.slice(0, -1)
    return batchEntry(at, epoch, timestampMs + (entry.requests.length === 0 ? 1 : 0), requests)
  }

  /** A proposal of `entry` in the current view. */
  propose(entry: Entry): Message {
    const vote = this.vote('prepare', { slot: entry.header.slot, digest: entry.digest })
    return { kind: 'propose', vote, entry }
  }

  /** A certificate of the right shape: one good signature, the liar's own, and otherwise invented ones. */
  forged(statement: VoteStatement): Certificate {
    const { membership, self, signer } = this.context
    const good = signer.sign(statementBytes(statement))
    const invented = signer.sign(statement.digest)
    const others = peersOf(this.context).slice(0, membership.quorums.quorum - 1)
    const signatures = [self, ...others]
      .sort((a, b) => a - b)
      .map((replica) => ({ replica, signature: replica === self ? good : invented }))
    return { statement, signatures }
  }

  private note(message: Message): void {
    this.archive[this.archived % ARCHIVE_MESSAGES] = message
    this.archived += 1
    if (message.kind === 'new-view' && message.newView.view >= this.justified) {
      this.justified = message.newView.view
      this.justification = message.newView.vote.statement.digest
    } else if (message.kind === 'view-change') {
      const { vote, stable } = message.viewChange
      this.known ??= stable
      const known = this.viewChanges.get(vote.replica)
      if (known === undefined || known.view < message.viewChange.view) {
        this.viewChanges.set(vote.replica, message.viewChange)
      }
    }
  }
}

/** 32 bytes that stand for nothing. */
export function nonsense(label: string): Digest {
  return sha256(utf8(`nonsense ${label}`))
}

// Executes the commands of the system, and ends epochs. A command is judged first and then written as a whole, so a refusal
// leaves nothing behind.

import {
  equalBytes,
  failure,
  type MemberId,
  type Result,
  type SignatureVerifier,
  success,
} from '../../../crypto/index.ts'
import type { Succession } from '../../../keys/charter/index.ts'
import { addressFault } from '../../../keys/genesis/index.ts'
import type { AuthenticatedMap } from '../authenticated-map/index.ts'
import { clientOf, roleOf } from '../clients.ts'
import { encodeSystemAnswer, type SystemAnswer } from './answer.ts'
import type { ChangeCommand, ClientCommand, SystemCommand } from './command.ts'
import { decodeSystemCommand } from './command-codec.ts'
import { type ChangeContext, judgeChange } from './judge-change.ts'
import { concernsAdmins, countAdmins, judgeClient } from './judge-client.ts'
import { MAX_PROPOSALS } from './limits.ts'
import {
  openProposals,
  type Proposal,
  proposalId,
  proposalKey,
  proposalOf,
  proposalValue,
  standing,
} from './proposals.ts'
import { addressesWrite, handOverWrites, type MembershipRecords, successorWrites, type Writes } from './records.ts'
import type { Refusal } from './refusal.ts'

/** Who sent a command, and in which slot it stands. */
export interface SystemContext {
  readonly slot: number
  readonly client: Uint8Array
}

/** What a command does: nothing of it stands before all of it was judged. */
interface Decision {
  readonly writes: Writes
  readonly answer: SystemAnswer
}

type Proposable = ChangeCommand | ClientCommand

export class SystemCommands {
  private readonly map: AuthenticatedMap
  private readonly records: MembershipRecords
  private readonly verifier: SignatureVerifier

  constructor(map: AuthenticatedMap, records: MembershipRecords, verifier: SignatureVerifier) {
    this.map = map
    this.records = records
    this.verifier = verifier
  }

  /** The bytes to answer with, or why not. Requires a client that the state knows. */
  execute(bytes: Uint8Array, context: SystemContext): Result<Uint8Array, Refusal> {
    const decided = this.decide(bytes, context)
    if (!decided.ok) return decided
    const { writes, answer } = decided.value
    const result = encodeSystemAnswer(answer)
    this.write(writes)
    return success(result)
  }

  /** To be called after all requests of a slot: where it is the epoch's last, the next one's charter takes office. */
  conclude(slot: number): void {
    if (this.records.lastSlot !== slot) return
    const { successor, office } = this.records
    if (successor === undefined) return
    // A change that is still open begins from a membership that goes out of office.
    const stale = openProposals(this.map).filter(({ command }) => decodeSystemCommand(command)?.kind === 'change')
    this.write([
      ...handOverWrites(office.charter, successor),
      ...stale.map(({ id }) => [proposalKey(id), undefined] as const),
    ])
  }

  /** The end of the epoch, while it is to come and right after its last slot; a function of the state after `slot`. */
  succession(slot: number): Succession | undefined {
    const { successor } = this.records
    if (successor !== undefined) return successor
    const { charter, membership } = this.records.office
    return slot > 0 && charter.start === slot
      ? { lastSlot: charter.start, charter, membership: membership.digest }
      : undefined
  }

  private decide(bytes: Uint8Array, context: SystemContext): Result<Decision, Refusal> {
    const command = decodeSystemCommand(bytes)
    const admin = roleOf(this.map, context.client) === 'admin'
    const alone = command !== undefined && this.isOwnMember(command, context.client)
    if (!admin && !alone) return failure('not-an-admin')
    if (command === undefined) return failure('malformed')
    switch (command.kind) {
      case 'change':
      case 'client':
        return this.propose(command, bytes, context, alone ? 1 : this.needed(command))
      case 'approve':
        return this.approve(command.proposal, context)
      case 'withdraw':
        return this.withdraw(command.proposal, context.client)
      case 'addresses':
        return this.move(command.member, command.addresses)
    }
  }

  /**
   * True where the command is about the one member that `client` operates, and nothing else: its operator decides already what that
   * member does, so it gains no power over others.
   */
  private isOwnMember(command: SystemCommand, client: Uint8Array): boolean {
    const id = command.kind === 'addresses' ? command.member : soleMember(command)
    const member = this.records.office.charter.members.find((each) => each.id === id)
    return member?.operator !== undefined && equalBytes(member.operator, client)
  }

  private needed(command: Proposable): number {
    const { threshold } = this.records.office.charter.admins
    return command.kind === 'change' || concernsAdmins(command, this.map) ? threshold : 1
  }

  /** Does the command where enough approve of it, and keeps it for the others otherwise. */
  private propose(
    command: Proposable,
    bytes: Uint8Array,
    { slot, client }: SystemContext,
    needed: number,
  ): Result<Decision, Refusal> {
    const judged = this.judge(command, slot)
    if (!judged.ok) return judged
    const id = proposalId(bytes)
    const open = proposalOf(this.map, id)
    const before = open === undefined ? [] : standing(this.map, open)
    const approvals = [...before, ...(before.some((key) => equalBytes(key, client)) ? [] : [client])]
    if (approvals.length >= needed) {
      const { writes, answer } = judged.value
      return success({ writes: open === undefined ? writes : [...writes, [proposalKey(id), undefined]], answer })
    }
    if (approvals.length === before.length) return failure('unchanged')
    const room = open === undefined ? this.roomForProposal() : []
    if (room === undefined) return failure('proposals-full')
    const value = proposalValue({ command: bytes, slot: open?.slot ?? slot, approvals })
    const answer = { kind: 'proposed', proposal: id, approvals: approvals.length, needed } as const
    return success({ writes: [...room, [proposalKey(id), value]], answer })
  }

  private approve(id: Proposal['id'], context: SystemContext): Result<Decision, Refusal> {
    const proposal = proposalOf(this.map, id)
    const command = proposal && decodeSystemCommand(proposal.command)
    if (proposal === undefined || (command?.kind !== 'change' && command?.kind !== 'client')) {
      return failure('no-such-proposal')
    }
    return this.propose(command, proposal.command, context, this.needed(command))
  }

  private withdraw(id: Proposal['id'], client: Uint8Array): Result<Decision, Refusal> {
    const proposal = proposalOf(this.map, id)
    if (proposal === undefined) return failure('no-such-proposal')
    const approvals = proposal.approvals.filter((key) => !equalBytes(key, client))
    if (approvals.length === proposal.approvals.length) return failure('unchanged')
    const left = standing(this.map, { approvals })
    const value = left.length === 0 ? undefined : proposalValue({ ...proposal, approvals: left })
    return success({ writes: [[proposalKey(id), value]], answer: { kind: 'done' } })
  }

  private move(id: MemberId, addresses: readonly string[]): Result<Decision, Refusal> {
    const { office, successor } = this.records
    const members = [...office.charter.members, ...(successor?.charter.members ?? [])]
    if (!members.some((member) => member.id === id)) return failure('no-such-member')
    const others = new Set(
      members.filter((member) => member.id !== id).flatMap((member) => this.records.addressesOf(member.id)),
    )
    const repeated = new Set(addresses).size < addresses.length || addresses.some((text) => others.has(text))
    if (addresses.length === 0 || repeated || addresses.some((text) => addressFault(text) !== undefined)) {
      return failure('bad-address')
    }
    const before = this.records.addressesOf(id)
    if (before.length === addresses.length && before.every((text, i) => text === addresses[i]))
      return failure('unchanged')
    return success({ writes: [addressesWrite(id, addresses)], answer: { kind: 'done' } })
  }

  private judge(command: Proposable, slot: number): Result<Decision, Refusal> {
    const { map, records, verifier } = this
    if (command.kind === 'client') {
      const judged = judgeClient(command, { map, records, verifier })
      return judged.ok ? success({ writes: judged.value, answer: { kind: 'done' } }) : judged
    }
    const context: ChangeContext = {
      ...{ records, slot, verifier },
      isClient: (key) => clientOf(map, key) !== undefined,
      admins: () => countAdmins(map),
    }
    const judged = judgeChange(command, context)
    if (!judged.ok) return judged
    const { lastSlot, charter, nextId, addresses } = judged.value
    const writes = successorWrites({ lastSlot, charter }, nextId, addresses)
    return success({ writes, answer: { kind: 'accepted', lastSlot, charter } })
  }

  /** What makes room for one more: those that no admin stands for any more go. Undefined where there is none. */
  private roomForProposal(): Writes | undefined {
    const open = openProposals(this.map)
    if (open.length < MAX_PROPOSALS) return []
    const dead = open.filter((proposal) => standing(this.map, proposal).length === 0)
    return dead.length === 0 ? undefined : dead.map(({ id }) => [proposalKey(id), undefined])
  }

  private write(writes: Writes): void {
    for (const [key, value] of writes) this.map.set(key, value)
  }
}

/** The member that a change replaces, or gives another key, where it does that and nothing else. */
function soleMember(command: SystemCommand): MemberId | undefined {
  if (command.kind !== 'change') return undefined
  const { edits, quorum, parameters, threshold } = command
  const [edit] = edits
  if (edits.length !== 1 || quorum !== undefined || parameters !== undefined || threshold !== undefined)
    return undefined
  return edit?.op === 'replace' || edit?.op === 'rotate-key' ? edit.id : undefined
}

// A slow, obvious twin of the commands of the system: plain objects, names in the place of keys, and no proofs, since everything
// that the test sends is well signed.

import { largestByzantine } from '../../../crypto/index.ts'
import { INTERVAL } from './town.ts'

export interface TwinMember {
  readonly id: number
  readonly consensus: string
  readonly transport: string
  readonly operator: string | undefined
}

export type TwinEdit =
  | { readonly op: 'add'; readonly name: string; readonly operator: string | undefined }
  | { readonly op: 'remove'; readonly id: number }
  | { readonly op: 'replace'; readonly id: number; readonly name: string; readonly operator: string | undefined }
  | { readonly op: 'rotate-key'; readonly id: number; readonly name: string }
  | { readonly op: 'operator'; readonly id: number; readonly operator: string | undefined }

export interface TwinChange {
  readonly kind: 'change'
  readonly base: number
  readonly edits: readonly TwinEdit[]
  readonly byzantine: number | undefined
  readonly threshold: number | undefined
  /** The slot whose state its newcomers hold. */
  readonly held: number
}

export type TwinRole = 'reader' | 'writer' | 'admin'

export type TwinCommand =
  | TwinChange
  | { readonly kind: 'add-client'; readonly name: string; readonly role: TwinRole }
  | { readonly kind: 'remove-client'; readonly name: string }
  | { readonly kind: 'role'; readonly name: string; readonly role: TwinRole }

export interface TwinTerms {
  readonly members: readonly TwinMember[]
  readonly byzantine: number
  readonly threshold: number
}

interface TwinProposal {
  readonly command: TwinCommand
  readonly approvals: Set<string>
}

export class Twin {
  slot = 0
  epoch = 0
  terms: TwinTerms
  next: { readonly lastSlot: number; readonly terms: TwinTerms; readonly nextId: number } | undefined
  nextId: number
  readonly clients: Map<string, TwinRole>
  readonly retired = new Set<string>()
  /** By whatever the test calls them. */
  readonly proposals = new Map<string, TwinProposal>()
  private start = 0

  constructor(terms: TwinTerms, clients: ReadonlyMap<string, TwinRole>) {
    this.terms = terms
    this.nextId = terms.members.length
    this.clients = new Map(clients)
  }

  /** One entry with one command, or with none. */
  execute(
    client?: string,
    call?: { readonly name: string; readonly command: TwinCommand } | { readonly approve: string },
  ): string {
    this.slot++
    const reply = client === undefined || call === undefined ? 'nothing' : this.reply(client, call)
    if (this.next?.lastSlot === this.slot) this.handOver()
    return reply
  }

  private reply(
    client: string,
    call: { readonly name: string; readonly command: TwinCommand } | { readonly approve: string },
  ): string {
    if (!this.clients.has(client)) return 'unknown-client'
    const admin = this.clients.get(client) === 'admin'
    const alone = 'command' in call && this.isOwn(client, call.command)
    if (!admin && !alone) return 'not-an-admin'
    const name = 'approve' in call ? call.approve : call.name
    const open = this.proposals.get(name)
    const command = 'approve' in call ? open?.command : call.command
    if (command === undefined) return 'no-such-proposal'
    const fault = this.fault(command)
    if (fault !== undefined) return fault
    const before = [...(open?.approvals ?? [])].filter((each) => this.clients.get(each) === 'admin')
    const approvals = new Set([...before, client])
    if (approvals.size >= (alone ? 1 : this.needed(command))) {
      this.proposals.delete(name)
      this.apply(command)
      return command.kind === 'change' ? 'accepted' : 'done'
    }
    if (before.includes(client)) return 'unchanged'
    if (open === undefined && !this.hasRoom()) return 'proposals-full'
    this.proposals.set(name, { command, approvals })
    return 'proposed'
  }

  private hasRoom(): boolean {
    if (this.proposals.size < 16) return true
    const stands = ({ approvals }: TwinProposal) => [...approvals].some((each) => this.clients.get(each) === 'admin')
    for (const [name, proposal] of this.proposals) if (!stands(proposal)) this.proposals.delete(name)
    return this.proposals.size < 16
  }

  private isOwn(client: string, command: TwinCommand): boolean {
    if (command.kind !== 'change' || command.byzantine !== undefined || command.threshold !== undefined) return false
    const [edit, ...more] = command.edits
    if (more.length > 0 || (edit?.op !== 'replace' && edit?.op !== 'rotate-key')) return false
    return this.terms.members.some(({ id, operator }) => id === edit.id && operator === client)
  }

  private needed(command: TwinCommand): number {
    if (command.kind === 'change') return this.terms.threshold
    const before = this.clients.get(command.name) === 'admin'
    const after = command.kind !== 'remove-client' && command.role === 'admin'
    return before || after ? this.terms.threshold : 1
  }

  private fault(command: TwinCommand): string | undefined {
    if (command.kind === 'change') return this.changeFault(command)
    const role = this.clients.get(command.name)
    if (command.kind === 'add-client') return role === undefined ? undefined : 'key-in-use'
    if (role === undefined) return 'no-such-client'
    const after = command.kind === 'role' ? command.role : undefined
    if (role === after) return 'unchanged'
    const needed = Math.max(this.terms.threshold, this.next?.terms.threshold ?? 1)
    return role === 'admin' && this.admins() - 1 < needed ? 'last-admin' : undefined
  }

  private changeFault(command: TwinChange): string | undefined {
    if (this.next !== undefined) return 'change-in-flight'
    if (command.base !== this.epoch) return 'stale-base'
    const { edits, byzantine, threshold } = command
    const planned = this.planned(edits)
    if (planned === undefined) return 'no-such-member'
    const operators = new Set(this.terms.members.map(({ operator }) => operator))
    if (
      planned.some(({ operator }) => operator !== undefined && !operators.has(operator) && !this.clients.has(operator))
    ) {
      return 'no-such-client'
    }
    if (edits.length === 0 && byzantine === undefined && threshold === undefined) return 'no-edits'
    const used = new Set(this.terms.members.flatMap(({ consensus, transport }) => [consensus, transport]))
    for (const edit of edits) {
      const keys =
        'name' in edit
          ? [`${edit.name} consensus`, ...(edit.op === 'rotate-key' ? [] : [`${edit.name} transport`])]
          : []
      for (const key of keys) {
        if (used.has(key) || this.retired.has(key)) return 'key-in-use'
        used.add(key)
      }
    }
    const joins = edits.some(({ op }) => op === 'add' || op === 'replace')
    if (joins && command.held < this.slot - 16 * INTERVAL) return 'join-too-old'
    if (planned.length === 0 || (byzantine ?? this.terms.byzantine) > largestByzantine(planned.length))
      return 'quorum-rule'
    const agreeing = threshold ?? this.terms.threshold
    if (agreeing < 1 || (agreeing > this.terms.threshold && agreeing > this.admins())) return 'threshold'
    const same = { members: planned, byzantine: byzantine ?? this.terms.byzantine, threshold: agreeing }
    return JSON.stringify(same) === JSON.stringify(this.terms) ? 'unchanged' : undefined
  }

  private planned(edits: readonly TwinEdit[]): TwinMember[] | undefined {
    let { nextId } = this
    let members = [...this.terms.members]
    for (const edit of edits) {
      const arriving = (name: string, operator: string | undefined) => {
        return { id: nextId++, consensus: `${name} consensus`, transport: `${name} transport`, operator }
      }
      if (edit.op === 'add') members.push(arriving(edit.name, edit.operator))
      else if (!members.some(({ id }) => id === edit.id)) return undefined
      else {
        members = members.flatMap((member) => {
          if (member.id !== edit.id) return [member]
          if (edit.op === 'remove') return []
          if (edit.op === 'replace') return [arriving(edit.name, edit.operator)]
          if (edit.op === 'operator') return [{ ...member, operator: edit.operator }]
          return [{ ...member, consensus: `${edit.name} consensus` }]
        })
      }
    }
    return members
  }

  private apply(command: TwinCommand): void {
    if (command.kind === 'remove-client') this.clients.delete(command.name)
    else if (command.kind !== 'change') this.clients.set(command.name, command.role)
    else {
      const members = this.planned(command.edits) ?? []
      const arriving = command.edits.filter(({ op }) => op === 'add' || op === 'replace').length
      this.next = {
        // The second boundary above the change: every interval here is the same, and every epoch begins at a boundary.
        lastSlot: (Math.ceil(this.slot / INTERVAL) + 1) * INTERVAL,
        terms: {
          members,
          byzantine: command.byzantine ?? this.terms.byzantine,
          threshold: command.threshold ?? this.terms.threshold,
        },
        nextId: this.nextId + arriving,
      }
    }
  }

  private handOver(): void {
    if (this.next === undefined) return
    const { terms, nextId } = this.next
    const keysOf = ({ members }: TwinTerms) => members.flatMap(({ consensus, transport }) => [consensus, transport])
    const stay = new Set(keysOf(terms))
    for (const key of keysOf(this.terms)) if (!stay.has(key)) this.retired.add(key)
    for (const [name, { command }] of this.proposals) if (command.kind === 'change') this.proposals.delete(name)
    this.terms = terms
    this.nextId = nextId
    this.start = this.slot
    this.epoch++
    this.next = undefined
  }

  /** The newest slot whose state a newcomer may show in this epoch. */
  get newest(): number {
    return Math.max(this.start, this.slot - (this.slot % INTERVAL))
  }

  private admins(): number {
    return [...this.clients.values()].filter((role) => role === 'admin').length
  }
}

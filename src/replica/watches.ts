// The watches of clients. What a slot changed goes through an index to those whose ranges it touches; they are served at the end
// of the turn, as far as their credit goes. All others cost nothing until a tick tells them how far the log has come.

import { hex, slot } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import { toText } from '../machine/index.ts'
import { encodeReplicaFrame, type WatchCredit, type WatchEndCode, type WatchRequest } from '../wire/index.ts'
import type { ChangeLog } from './change-log.ts'
import { WATCH_CREDIT_MOST, WATCH_PROGRESS_MS, WATCH_SLICE_MS, WATCHES, WATCHES_PER_CLIENT } from './limits.ts'
import { RangeIndex } from './range-index.ts'
import { WatchMail } from './watch-mail.ts'
import { scan, type Watch } from './watch-scan.ts'

export interface WatchesOptions {
  readonly log: ChangeLog
  /** Whether this client is known: any role may watch. */
  readonly knows: (client: Uint8Array) => boolean
  /** True once so many milliseconds have passed. */
  readonly within: (ms: number) => () => boolean
}

export class Watches {
  private readonly options: WatchesOptions
  private readonly byLink = new Map<ClientLink, Map<number, Watch>>()
  /** By client key: how many watches. */
  private readonly counts = new Map<string, number>()
  private readonly index = new RangeIndex<Watch>()
  /** Those for which the log has something that they were not told, or have to be told. */
  private readonly behind = new Set<Watch>()
  /** Of these, those that something can be done for; the others wait for credit. */
  private readonly ready = new Set<Watch>()
  private readonly mail = new WatchMail({
    over: (watch) => this.remove(watch),
    undone: (watch) => {
      watch.live = false
      this.revive(watch)
    },
  })
  /** The slot up to which changes went through the index. */
  private head: number
  private progressAt = 0
  private total = 0

  constructor(options: WatchesOptions) {
    this.options = options
    this.head = options.log.last
  }

  get size(): number {
    return this.total
  }

  /** False where no honest client asks so: the number is in use. */
  open(link: ClientLink, request: WatchRequest): boolean {
    const { id, after, credit, single } = request
    const own = this.byLink.get(link) ?? new Map<number, Watch>()
    if (own.has(id)) return false
    const code = this.refusal(link)
    if (code !== undefined) {
      link.send(encodeReplicaFrame({ kind: 'watched', updates: [{ kind: 'ended', id, code, firstSlot: slot(0) }] }))
      return true
    }
    const range = { start: toText(request.start), end: request.end && toText(request.end) }
    const watch: Watch = {
      ...{ ...range, id, link, single, credit: Math.min(credit, WATCH_CREDIT_MOST), told: after, seen: after },
      ...{ live: after >= this.head, answered: false, ending: undefined },
    }
    this.byLink.set(link, own.set(id, watch))
    this.count(link, 1)
    this.index.add(watch)
    this.revive(watch)
    return true
  }

  credit(link: ClientLink, credits: readonly WatchCredit[]): void {
    const own = this.byLink.get(link)
    for (const { id, more } of credits) {
      const watch = own?.get(id)
      // One that ended meanwhile is not known any more.
      if (watch === undefined) continue
      watch.credit = Math.min(watch.credit + more, WATCH_CREDIT_MOST)
      if (this.behind.has(watch)) this.ready.add(watch)
    }
  }

  close(link: ClientLink, id: number): void {
    const watch = this.byLink.get(link)?.get(id)
    if (watch !== undefined) this.remove(watch)
  }

  down(link: ClientLink): void {
    for (const watch of [...(this.byLink.get(link)?.values() ?? [])]) this.remove(watch)
    this.mail.forget(link)
  }

  /** How far the log has come is told to those that nothing else was told; those that fell behind are found. */
  tick(nowMs: number): void {
    this.mail.retry()
    for (const watch of this.behind) if (this.isLost(watch)) this.ready.add(watch)
    if (nowMs - this.progressAt < WATCH_PROGRESS_MS) return
    this.progressAt = nowMs
    this.advance()
    for (const own of this.byLink.values()) {
      for (const watch of own.values()) {
        if (watch.live) watch.seen = Math.max(watch.seen, this.head)
        if (watch.told < watch.seen && !this.behind.has(watch)) this.revive(watch)
      }
    }
  }

  /** Serves those that something happened for; true where there is more to do at once. */
  flush(): boolean {
    this.advance()
    if (this.ready.size === 0) return false
    const over = this.options.within(WATCH_SLICE_MS)
    let more = false
    for (const watch of [...this.ready]) {
      if (this.mail.isFull(watch.link)) continue
      if (this.serve(watch, over)) more = true
      if (over()) {
        more = true
        break
      }
    }
    this.mail.flush()
    return more
  }

  private advance(): void {
    const { log } = this.options
    // The machine may have gone back to a checkpoint, and executes anew from there.
    this.head = Math.min(this.head, log.last)
    if (this.total > 0) {
      if (log.first > this.head + 1) this.skip()
      for (const changed of log.after(this.head)) {
        const at = changed.slot
        for (const { key } of changed.changes) this.index.visit(key, (watch) => this.hit(watch, at))
      }
    }
    this.head = log.last
  }

  private hit(watch: Watch, at: number): void {
    if (!watch.live || at <= watch.seen) return
    watch.live = false
    watch.seen = at - 1
    this.revive(watch)
  }

  /** Slots went by of which nothing is known. */
  private skip(): void {
    for (const own of this.byLink.values()) {
      for (const watch of own.values()) {
        if (!watch.live) continue
        watch.live = false
        watch.seen = Math.max(watch.seen, this.head)
        this.revive(watch)
      }
    }
  }

  private isLost({ live, seen }: Watch): boolean {
    return !live && this.options.log.first > seen + 1
  }

  /** True where this watch has more to be told at once. */
  private serve(watch: Watch, over: () => boolean): boolean {
    const { log } = this.options
    if (this.isLost(watch)) watch.ending = 'fell-behind'
    if (watch.ending !== undefined) {
      const ended = { kind: 'ended', id: watch.id, code: watch.ending, firstSlot: slot(log.first) } as const
      this.mail.add(watch, ended, 0)
      this.ready.delete(watch)
      return false
    }
    const { slots, cost, stopped } = watch.live ? NOTHING_NEW : scan(watch, log, over)
    this.ready.delete(watch)
    // At the end of the set, so that the others come first next time.
    if (stopped === 'for-now') this.ready.add(watch)
    if (stopped === 'at-the-end') {
      watch.live = true
      this.behind.delete(watch)
    }
    // News of the way through slots that do not matter is left to the tick.
    if (slots.length > 0 || !watch.answered || (watch.live && watch.told < watch.seen)) {
      const [after, upTo] = [slot(watch.told), slot(watch.seen)]
      this.mail.add(watch, { kind: 'batch', id: watch.id, after, upTo, slots }, cost)
    }
    return stopped === 'for-now'
  }

  private revive(watch: Watch): void {
    this.behind.add(watch)
    this.ready.add(watch)
  }

  private refusal(link: ClientLink): WatchEndCode | undefined {
    if (!this.options.knows(link.key)) return 'not-allowed'
    if ((this.counts.get(hex(link.key)) ?? 0) >= WATCHES_PER_CLIENT) return 'too-many'
    return this.total >= WATCHES ? 'busy' : undefined
  }

  private remove(watch: Watch): void {
    const { link, id } = watch
    const own = this.byLink.get(link)
    if (own?.get(id) !== watch) return
    own.delete(id)
    if (own.size === 0) this.byLink.delete(link)
    this.count(link, -1)
    this.index.delete(watch)
    this.behind.delete(watch)
    this.ready.delete(watch)
  }

  private count({ key }: ClientLink, by: number): void {
    const name = hex(key)
    const count = (this.counts.get(name) ?? 0) + by
    this.total += by
    if (count === 0) this.counts.delete(name)
    else this.counts.set(name, count)
  }
}

const NOTHING_NEW = { slots: [], cost: 0, stopped: 'at-the-end' } as const

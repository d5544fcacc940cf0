// What watches are told in one turn: for each link one frame, or a few. A link whose queue is full is left alone until it is opened
// again; what it did not take counts as never told.

import type { ClientLink } from '../../net/index.ts'
import { encodeReplicaFrame, type WatchUpdate } from '../wire/index.ts'
import { WATCH_FRAME_COST, WATCH_FRAME_UPDATES } from './limits.ts'
import type { Watch } from './watch-scan.ts'

interface Letter {
  readonly watch: Watch
  readonly update: WatchUpdate
  readonly cost: number
  readonly first: boolean
}

interface Envelope {
  letters: Letter[]
  cost: number
}

export interface WatchMailOptions {
  /** The watch's end was told. */
  readonly over: (watch: Watch) => void
  /** What the watch was told did not fit; it stands where it stood before. */
  readonly undone: (watch: Watch) => void
}

export class WatchMail {
  private readonly options: WatchMailOptions
  private readonly open = new Map<ClientLink, Envelope>()
  private readonly full = new Set<ClientLink>()

  constructor(options: WatchMailOptions) {
    this.options = options
  }

  isFull(link: ClientLink): boolean {
    return this.full.has(link)
  }

  /** Links are tried again. */
  retry(): void {
    this.full.clear()
  }

  forget(link: ClientLink): void {
    this.full.delete(link)
  }

  /** Tells a watch; it moves on at once, and back where the link does not take it. */
  add(watch: Watch, update: WatchUpdate, cost: number): void {
    const { link } = watch
    let envelope = this.open.get(link)
    const fits = envelope === undefined || envelope.cost + cost <= WATCH_FRAME_COST
    if (envelope !== undefined && (!fits || envelope.letters.length >= WATCH_FRAME_UPDATES)) {
      this.send(link, envelope)
      envelope = undefined
    }
    if (envelope === undefined) {
      envelope = { letters: [], cost: 0 }
      this.open.set(link, envelope)
    }
    envelope.letters.push({ watch, update, cost, first: !watch.answered })
    envelope.cost += cost
    watch.answered = true
    watch.credit -= cost
    if (update.kind === 'batch') watch.told = update.upTo
  }

  /** Everything leaves. */
  flush(): void {
    for (const [link, envelope] of this.open) this.send(link, envelope)
    this.open.clear()
  }

  private send(link: ClientLink, { letters }: Envelope): void {
    const updates = letters.map(({ update }) => update)
    if (!this.full.has(link) && link.send(encodeReplicaFrame({ kind: 'watched', updates }))) {
      for (const { watch, update } of letters) if (update.kind === 'ended') this.options.over(watch)
      return
    }
    this.full.add(link)
    for (const letter of letters) this.undo(letter)
  }

  private undo({ watch, update, cost, first }: Letter): void {
    watch.answered = !first
    watch.credit += cost
    if (update.kind === 'batch') {
      watch.told = update.after
      watch.seen = update.after
    }
    this.options.undone(watch)
  }
}

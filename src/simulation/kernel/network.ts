// Simulated links: each ordered pair of addresses has its own delays, losses and copies, and can be cut or clogged alone, so
// that partitions may be one-way and non-transitive. A cut link loses what is sent; a clogged one keeps it until it opens.
//
// An address is a number: replicas from 0, then their twins, then clients.

import type { Random } from './random.ts'

export interface NetworkSettings {
  readonly minDelayUs: number
  /** Mean of what is added to the least delay. */
  readonly meanExtraUs: number
  /** Chance of a delay of another {@link slowUs}, and its mean. */
  readonly slowProbability: number
  readonly slowUs: number
  readonly lossProbability: number
  readonly duplicateProbability: number
  /** True: a link keeps the order of what is sent, as TCP does. */
  readonly ordered: boolean
}

/** Messages that meet none of these are delivered after a delay. */
export interface NetworkCounts {
  sent: number
  lost: number
  duplicated: number
  cut: number
  clogged: number
}

interface Link {
  readonly random: Random
  /** How many faults hold it cut, and how many clogged. */
  cuts: number
  clogs: number
  readonly held: (() => void)[]
  /** Time at which the last one sent arrives. */
  lastUs: number
}

/** Schedules `arrive` at a time. */
export type Schedule = (atUs: number, arrive: () => void) => void

export class Network {
  readonly counts: NetworkCounts = { sent: 0, lost: 0, duplicated: 0, cut: 0, clogged: 0 }
  private readonly settings: NetworkSettings
  private readonly random: Random
  private readonly schedule: Schedule
  private readonly links = new Map<number, Link>()
  private lossy = true

  constructor(settings: NetworkSettings, random: Random, schedule: Schedule) {
    this.settings = settings
    this.random = random
    this.schedule = schedule
  }

  /** Sends from one address to another; `arrive` runs once for each copy that gets through. */
  send(from: number, to: number, nowUs: number, arrive: () => void): void {
    const link = this.link(from, to)
    this.counts.sent++
    if (link.cuts > 0) {
      this.counts.cut++
      return
    }
    if (this.lossy && link.random.chance(this.settings.lossProbability)) {
      this.counts.lost++
      return
    }
    this.deliver(link, nowUs, arrive)
    if (this.lossy && link.random.chance(this.settings.duplicateProbability)) {
      this.counts.duplicated++
      this.deliver(link, nowUs, arrive)
    }
  }

  cut(from: number, to: number): void {
    this.link(from, to).cuts++
  }

  mend(from: number, to: number): void {
    const link = this.link(from, to)
    link.cuts = Math.max(0, link.cuts - 1)
  }

  clog(from: number, to: number): void {
    this.link(from, to).clogs++
  }

  /** Opens a clogged link; what it held arrives after a delay. */
  unclog(from: number, to: number, nowUs: number): void {
    const link = this.link(from, to)
    link.clogs = Math.max(0, link.clogs - 1)
    if (link.clogs > 0) return
    for (const arrive of link.held.splice(0)) this.deliver(link, nowUs, arrive)
  }

  /** From here on nothing is cut, clogged, lost or doubled any more. */
  heal(nowUs: number): void {
    this.lossy = false
    for (const link of this.links.values()) {
      link.cuts = 0
      link.clogs = 0
      for (const arrive of link.held.splice(0)) this.deliver(link, nowUs, arrive)
    }
  }

  private deliver(link: Link, nowUs: number, arrive: () => void): void {
    if (link.clogs > 0) {
      this.counts.clogged++
      link.held.push(arrive)
      return
    }
    const { minDelayUs, meanExtraUs, slowProbability, slowUs, ordered } = this.settings
    const slow = link.random.chance(slowProbability) ? link.random.exponential(slowUs) : 0
    const atUs = nowUs + minDelayUs + link.random.exponential(meanExtraUs) + slow
    link.lastUs = Math.max(link.lastUs, atUs)
    this.schedule(ordered ? link.lastUs : atUs, arrive)
  }

  private link(from: number, to: number): Link {
    const key = from * 65_536 + to
    let link = this.links.get(key)
    if (link === undefined) {
      link = { random: this.random.fork(`${from}>${to}`), cuts: 0, clogs: 0, held: [], lastUs: 0 }
      this.links.set(key, link)
    }
    return link
  }
}

// How the tour tells what it does: numbered steps, one line each with what was shown; a step whose claim does not hold ends it.

import type { Context } from '../command.ts'

/** What a step showed: one sentence with figures, and the same for programs. */
export interface Shown {
  readonly text: string
  readonly facts: object
  /** Lines below it. */
  readonly more?: readonly string[]
}

/** A claim of the tour that did not hold; the message says which and what was seen instead. */
export class ClaimFailed extends Error {
  override readonly name = 'ClaimFailed'
}

/** @throws {ClaimFailed} with `sentence` unless `holds`. */
export function claim(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new ClaimFailed(sentence)
}

const TITLE_WIDTH = 30
const BAR_WIDTH = 24

export class Story {
  private readonly context: Context
  private number = 0

  constructor(context: Context) {
    this.context = context
  }

  /** Tells the heading, for people. */
  open(title: string, detail: string): void {
    const { json, print, paint } = this.context.stage
    if (!json) print(`\n${paint('bold', title)}\n${paint('dim', detail)}\n`)
  }

  /** Runs one step and tells it. @throws what the step throws, after telling that it failed. */
  async step(title: string, act: (progress: Progress) => Promise<Shown>): Promise<void> {
    const { json, print, paint } = this.context.stage
    const number = ++this.number
    const begun = performance.now()
    const head = `${String(number).padStart(2)}  ${title.padEnd(TITLE_WIDTH)}`
    const progress: Progress = (share, text) => this.context.progress(`${head}  ${bar(share)} ${text}`)
    progress(0, '')
    try {
      const { text, facts, more = [] } = await act(progress)
      const seconds = (performance.now() - begun) / 1000
      if (json) print(JSON.stringify({ step: number, title, held: true, seconds: rounded(seconds), text, ...facts }))
      else print(`${paint('green', String(number).padStart(2))}  ${paint('bold', title.padEnd(TITLE_WIDTH))}  ${text}`)
      if (!json) for (const line of more) print(paint('dim', `${' '.repeat(4)}${line}`))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (json) print(JSON.stringify({ step: number, title, held: false, reason }))
      else print(`${paint('red', head)}  ${paint('red', reason)}`)
      throw error
    }
  }

  close(text: string): void {
    const { json, print } = this.context.stage
    if (!json) print(`\n${text}`)
  }
}

/** Shows how far a step is: a share from 0 to 1, and a few words. */
export type Progress = (share: number, text: string) => void

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

export function counted(count: number): string {
  return count.toLocaleString('en-US')
}

function bar(share: number): string {
  const filled = Math.round(BAR_WIDTH * Math.min(1, Math.max(0, share)))
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

// Where a watch begins that is not told where: at a slot that t of q replicas say they have executed. At least one of the t is honest,
// so it was executed; and at least t of the q are, so liars cannot make it older than what t honest replicas have.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterView } from '../cluster-view.ts'
import { WATCH_START_MS } from '../limits.ts'
import type { Questions } from '../questions.ts'

export class Starts {
  private readonly view: ClusterView
  private readonly questions: Questions
  private next: Promise<number> | undefined

  constructor(view: ClusterView, questions: Questions) {
    this.view = view
    this.questions = questions
  }

  /** Those who ask in one turn share the answer. @throws {ClientError} once the client is closed. */
  now(): Promise<number> {
    this.next ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.next = undefined
        this.find().then(resolve, reject)
      })
    })
    return this.next
  }

  private async find(): Promise<number> {
    for (;;) {
      const found = await this.ask()
      if (found !== undefined) return found
      await sleep(WATCH_START_MS)
    }
  }

  /** Undefined where too few answer. @throws {ClientError} once the client is closed. */
  private async ask(): Promise<number | undefined> {
    const { members, membership, epoch } = this.view
    const { quorum, trust } = membership.quorums
    const [answers, enough]: [number[], AbortController] = [[], new AbortController()]
    let closed: unknown
    const asked = members.map(async (replica) => {
      try {
        const [answer] = await this.questions.ask(replica, { kind: 'status' }, { signal: enough.signal })
        if (answer?.status.epoch === epoch.charter.epoch) answers.push(answer.status.executed)
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'closed') closed = error
      }
      if (answers.length >= quorum) enough.abort(new Error('enough'))
    })
    await Promise.all(asked)
    if (closed !== undefined) throw closed
    if (this.view.epoch !== epoch) return undefined
    return answers.length < quorum ? undefined : answers.sort((a, b) => b - a)[trust - 1]
  }
}

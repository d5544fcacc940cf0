// The loader as seen from the process that measures.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { BenchError } from '../errors.ts'
import { type Job, type LoaderCommand, type LoaderMessage, loaderMessageOf, type Measured } from './messages.ts'

const PROGRAM = fileURLToPath(new URL('./loader-process.ts', import.meta.url))

export class Loader {
  private readonly child: ChildProcess
  private readonly messages: LoaderMessage[] = []
  private wake = () => {}
  private ended = false

  constructor(job: Job) {
    // A group of its own: Ctrl-C is heard by whoever started it, which ends it in turn.
    this.child = spawn(process.execPath, [PROGRAM, JSON.stringify(job)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
    })
    this.child.on('message', (value) => {
      this.messages.push(loaderMessageOf(value))
      this.wake()
    })
    const end = () => {
      this.ended = true
      this.wake()
    }
    this.child.once('close', end)
    this.child.once('error', end)
  }

  /** Resolves when the load runs and the code is warm. @throws {BenchError} */
  async ready(): Promise<void> {
    await this.expect('ready')
  }

  /** @throws {BenchError} */
  async measure(seconds: number): Promise<Measured> {
    this.tell({ kind: 'measure', seconds })
    return this.expect('measured')
  }

  /** Ends the load and the loader; resolves with how many values were read back and found right. @throws {BenchError} */
  async finish(): Promise<number> {
    this.tell({ kind: 'finish' })
    const { checked, wrong } = await this.expect('finished')
    if (wrong.length > 0) throw new BenchError(wrong.join('; '))
    return checked
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  private tell(command: LoaderCommand): void {
    if (this.child.connected) this.child.send(command)
  }

  private async expect<Kind extends LoaderMessage['kind']>(
    kind: Kind,
  ): Promise<Extract<LoaderMessage, { readonly kind: Kind }>> {
    for (;;) {
      const message = this.messages.shift()
      if (message?.kind === 'failed') throw new BenchError(`the loader failed: ${message.reason}`)
      if (message !== undefined && isOf(message, kind)) return message
      if (message === undefined && this.ended) throw new BenchError(`the loader ended before it was ${kind}`)
      if (message === undefined) {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    }
  }
}

function isOf<Kind extends LoaderMessage['kind']>(
  message: LoaderMessage,
  kind: Kind,
): message is Extract<LoaderMessage, { readonly kind: Kind }> {
  return message.kind === kind
}

// What both ends of the network have in common: a start that may be called again, be given up, or fail, and a stop that waits for it.

export interface Stoppable {
  stop(): Promise<void>
}

/** At most one run at a time, from a start to the next stop. */
export class OneRun<Run extends Stoppable> {
  #starting: Promise<Run> | undefined
  #run: Run | undefined

  /** The run, once it has started; undefined before and after. */
  get current(): Run | undefined {
    return this.#run
  }

  /**
   * Begins where nothing runs, and joins a start that is under way. Rejects with why it could not start, or with the signal's reason
   * once that is aborted.
   */
  async start(begin: () => Promise<Run>, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    this.#starting ??= begin()
    const starting = this.#starting
    try {
      const run = await starting
      if (this.#starting === starting) this.#run = run
    } catch (error) {
      if (this.#starting === starting) this.#starting = undefined
      throw error
    }
    if (signal?.aborted === true) {
      await this.stop()
      signal.throwIfAborted()
    }
  }

  async stop(): Promise<void> {
    const starting = this.#starting
    this.#starting = this.#run = undefined
    // Where it could not start there is nothing to stop, and whoever started it was told why.
    const run = await starting?.catch(() => undefined)
    await run?.stop()
  }
}

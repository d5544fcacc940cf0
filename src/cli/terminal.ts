// The terminal of this process: its streams, its signals, and the process that launched it.

import { styleText } from 'node:util'
import type { Paint, Parent } from './command.ts'
import type { Terminal } from './main.ts'

/** What {@link processTerminal} takes hold of, and gives back. */
export interface ProcessTerminal extends Terminal {
  close(): void
}

/** A first SIGINT or SIGTERM aborts the signal; a second one ends the process at once. */
export function processTerminal(): ProcessTerminal {
  const interrupt = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (interrupt.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143)
    interrupt.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  // Whoever reads our output may stop early (`| head`); that is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  let shown = ''
  const progress = (text: string) => {
    if (process.stderr.isTTY && text !== shown) process.stderr.write(`\r\x1b[K${text}`)
    shown = text
  }
  return {
    environment: process.env,
    signal: interrupt.signal,
    progress,
    out(text) {
      progress('')
      process.stdout.write(text)
    },
    error(text) {
      progress('')
      process.stderr.write(text)
    },
    live: {
      paint: paintFor(process.stdout),
      paintError: paintFor(process.stderr),
      ...(process.stdout.isTTY && { redraw: redrawOn(process.stdout) }),
    },
    parent: parentOf(),
    close() {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
      if (process.connected) process.disconnect()
    },
  }
}

/** `styleText` knows what the stream can show, and NO_COLOR and FORCE_COLOR. */
function paintFor(stream: NodeJS.WriteStream): Paint {
  return (colour, text) => styleText(colour, text, { stream })
}

function redrawOn(stream: NodeJS.WriteStream): (lines: readonly string[]) => void {
  let height = 0
  return (lines) => {
    // A line that wraps would take two rows, and the next redraw would go up too few.
    const cut = lines.map((line) => fitted(line, stream.columns ?? 80))
    stream.write(`${height > 0 ? `\x1b[${height}A` : ''}\x1b[J${cut.map((line) => `${line}\n`).join('')}`)
    height = cut.length
  }
}

/** The line with at most `columns` characters shown; escape sequences take no room. */
export function fitted(line: string, columns: number): string {
  let room = columns
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return line.replace(/\x1b\[[0-9;]*m|[^\x1b]/gu, (part) => (part.length > 2 || room-- > 0 ? part : ''))
}

function parentOf(): Parent | undefined {
  if (process.send === undefined) return undefined
  const gone = new AbortController()
  process.once('disconnect', () => gone.abort())
  // A parent that is killed while a message is on its way is told by `disconnect`.
  return { send: (message) => process.connected && process.send?.(message, undefined, {}, () => {}), gone: gone.signal }
}

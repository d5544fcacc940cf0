// The tour as `npm start` runs it: every claim holds, and nothing is left behind, however it ends.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const BIN = join(import.meta.dirname, '../../src/cli/quorate.js')

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'quorate-tour-test-'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Runs the tour with its temporary folder below `root`. */
function tour(...args: string[]) {
  const child = spawn(process.execPath, [BIN, 'tour', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: root },
  })
  const lines: string[] = []
  const [listeners, errors]: [((line: string) => void)[], string[]] = [[], []]
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    for (const listener of listeners) listener(line)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  return { child, lines, ended, errors, onLine: (listener: (line: string) => void) => listeners.push(listener) }
}

function processesLeft(): string[] {
  return execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(root))
}

interface Step {
  readonly step: number
  readonly title: string
  readonly held: boolean
}

describe('the tour', () => {
  it('shows that every claim holds, ends with 0, and leaves nothing behind', async () => {
    const { lines, ended, errors } = tour('--json')
    const code = await ended
    const steps = lines.map((line): Step => JSON.parse(line))
    expect({ code, failed: steps.filter(({ held }) => !held), errors }).toEqual({ code: 0, failed: [], errors: [] })
    expect(steps.map(({ title }) => title)).toEqual([
      ...['Four keys, four processes', 'They agree on an order', 'kill -9 of the leader', 'It comes back'],
      ...['One becomes a liar', 'The liar leads', 'Nothing was lost or doubled', 'A write and its receipt'],
      ...['Export for auditors', 'Audit it offline', 'Change one byte of it', 'Who lied?', 'Check the receipt'],
    ])
    expect(steps[11]).toMatchObject({
      proof: { statements: [{ title: expect.any(String) }, { title: expect.any(String) }] },
    })
    expect(readdirSync(root)).toEqual([])
    expect(processesLeft()).toEqual([])
  })

  it('ends with 1 and says which claim failed when more break than it allows for', async () => {
    const { onLine, lines, ended } = tour('--json')
    onLine((line) => {
      if (JSON.parse(line).step !== 1) return
      // Two of four are more than b = 1: nothing is answered any more.
      for (const replica of processesLeft().filter((each) => /--index [12]/.test(each))) {
        process.kill(Number.parseInt(replica, 10), 'SIGSTOP')
      }
    })
    expect(await ended).toBe(1)
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      held: false,
      reason: expect.stringContaining('were answered'),
    })
    expect(readdirSync(root)).toEqual([])
    expect(processesLeft()).toEqual([])
  })

  it('leaves nothing behind when it is interrupted', async () => {
    const { child, onLine, ended } = tour('--json')
    onLine((line) => {
      if (JSON.parse(line).step === 1) child.kill('SIGINT')
    })
    expect(await ended).toBe(130)
    expect(readdirSync(root)).toEqual([])
    expect(processesLeft()).toEqual([])
  })
})

// npm run bench -- smoke: everything that is measured, once and briefly, each as the command that a user would type. What counts is that
// it ends as it should and that every value read back is the one that was written; no time does.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { z } from 'zod'
import { BenchError } from './errors.ts'
import { SUITES } from './suites.ts'

export interface Step {
  readonly name: string
  readonly args: readonly string[]
  readonly exitCode: number
  /** What is wrong with what it printed; undefined where nothing is. */
  readonly fault: (output: string) => string | undefined
}

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
/** Little of everything: two clients, few keys, a second. */
const BRIEF = ['load', '--json', '--runs', '1', '--warm-up', '0', '--clients', '2', '--keys', '32']
const FLOOR_BRIEF = ['--outstanding', '8', '--runs', '1', '--warm-up', '0', '--seconds', '1', '--json']

const READS_ORDERED = ['--operation', 'get', '--read', 'ordered']
/** A stable checkpoint comes soon. */
const OFTEN = ['--parameter', 'checkpointInterval=16', 'window=16']

const suiteReport = z.object({ figures: z.array(z.object({ median: z.number() })).min(1) })
const loadReport = z.object({
  points: z
    .array(
      z.object({
        figures: z.array(z.object({ name: z.string(), median: z.number().nullable() })).min(1),
        runs: z
          .array(
            z.object({
              operations: z.number(),
              failures: z.record(z.string(), z.number()),
              counters: z.record(z.string(), z.number()),
              checked: z.number(),
            }),
          )
          .min(1),
      }),
    )
    .min(1),
})

export const STEPS: readonly Step[] = [
  ...Object.keys(SUITES).map((name) => ({
    ...{ name: `${name} --quick`, args: [name, '--quick', '--json'], exitCode: 0 },
    fault: (output: string) => (suiteReport.safeParse(parsed(output)).success ? undefined : 'printed no figures'),
  })),
  // Few clusters that try several things each: starting one takes most of the time.
  cluster('n = 4, puts, the leader killed', '--outstanding', '8', '--kill', 'leader', '--seconds', '4'),
  cluster('n = 3, crash mode, lease reads', '--crash', '--durability', 'os', ...reads('lease')),
  cluster('n = 4, a follower down, quorum reads', '--kill', 'follower', ...reads('quorum')),
  cluster('n = 4, stale reads', '--durability', 'memory', ...reads('stale'), ...OFTEN),
  cluster('n = 4, one liar, ordered reads in an open loop', '--liar', '3=equivocate', '--rate', '40', ...READS_ORDERED),
  {
    name: 'floor, crash mode, three clients',
    args: ['floor', '--crash', '--clients', '3', ...FLOOR_BRIEF],
    exitCode: 0,
    fault: (output) => {
      const reports = z.array(suiteReport).length(1).safeParse(parsed(output))
      return reports.success && reports.data.every(hasAll) ? undefined : 'printed no figures, or one that is none'
    },
  },
  {
    ...{ name: 'restart', args: ['restart', '--keys', '3000', '--runs', '1', '--json'], exitCode: 0 },
    fault: (output) => {
      const report = suiteReport.safeParse(parsed(output))
      return report.success && hasAll(report.data) ? undefined : 'printed no figures, or one that is none'
    },
  },
  {
    ...{ name: 'a mistake of the user', args: ['load', '--replicas', 'many'], exitCode: 2 },
    fault: (output) => (output === '' ? undefined : 'printed a report'),
  },
]

function hasAll({ figures }: z.infer<typeof suiteReport>): boolean {
  return figures.every(({ median }) => median > 0)
}

export function addSmoke(program: Command): void {
  program
    .command('smoke')
    .description('run everything once and briefly: shows that it works, asserts no time')
    .action(smoke)
}

async function smoke(): Promise<void> {
  const failed: string[] = []
  for (const step of STEPS) {
    const startMs = performance.now()
    const ended = await runStep(step.args)
    const fault = faultOf(step, ended)
    if (fault !== undefined) failed.push(step.name)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
    console.log(`${fault === undefined ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s)`)
    if (fault !== undefined)
      console.log(`       ${fault}\n       npm run bench -- ${step.args.join(' ')}\n${ended.errors}`)
  }
  if (failed.length > 0) throw new BenchError(`${failed.length} of ${STEPS.length} failed: ${failed.join('; ')}`)
  console.log(`all ${STEPS.length} passed`)
}

/** What is wrong with how a step ended; undefined where nothing is. */
export function faultOf({ exitCode, fault }: Step, { code, output }: Ended): string | undefined {
  if (code !== exitCode) return `exit code ${code}, not ${exitCode}`
  return fault(output)
}

/** What is wrong with the report of a load; undefined where nothing is. */
export function loadFault(output: string): string | undefined {
  const report = loadReport.safeParse(parsed(output))
  if (!report.success) return 'printed no report of a load'
  for (const { runs } of report.data.points) {
    for (const { operations, failures, checked } of runs) {
      const names = Object.keys(failures)
      if (operations === 0) return 'nothing was answered'
      if (names.length > 0) return `operations failed: ${names.join(', ')}`
      if (checked === 0) return 'nothing was read back'
    }
  }
  return undefined
}

function reads(mode: string): string[] {
  return ['--outstanding', '4', '--operation', 'get', '--read', mode]
}

function cluster(name: string, ...args: readonly string[]): Step {
  return { name: `load: ${name}`, args: [...BRIEF, '--seconds', '1', ...args], exitCode: 0, fault: loadFault }
}

function runStep(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, errors] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output, errors }))
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

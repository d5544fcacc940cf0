// What `quorate sim` runs: seeds over several threads or one scenario, what they reached, and the first failure made small.

import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { MAX_REPLICAS, quorumFault } from '../../../crypto/index.ts'
import { BehaviourError } from '../../byzantine/index.ts'
import {
  addResult,
  type DrawOptions,
  drawScenario,
  emptySummary,
  FAST_REPLICAS,
  hashOf,
  PROFILES,
  type ProfileName,
  type RunReport,
  runScenario,
  type Scenario,
  ScenarioError,
  type SeedResult,
  type Shrunk,
  scenarioOf,
  shrink,
} from '../../simulation/index.ts'
import { type Context, type Input, type Outcome, UsageError } from '../command.ts'
import { DEFAULT_SEEDS } from '../commands/sim.ts'
import { fileFault } from '../file-error.ts'
import { liarOf } from '../liars.ts'
import { runSeeds } from './pool.ts'
import { realSuite } from './real-suite.ts'
import { type FailureReport, failureText, summaryText } from './report.ts'

const MOST_SEEDS = 1_000_000_000
const MOST_SEED = 2 ** 48
const MOST_THREADS = 256
/** Failures after which it stops. */
const MOST_FAILURES = 5
/** Runs that the shrinker may take. */
const SHRINK_RUNS = 150

/** Runs what the options of `quorate sim` ask for. */
export function runSim(input: Input, context: Context): Promise<Outcome> {
  const file = input.text('scenario')
  return file === undefined ? runDrawn(input, context) : runFile(file)
}

async function runDrawn(input: Input, { signal, progress }: Context): Promise<Outcome> {
  const given = input.integer('seed', 0, MOST_SEED)
  const first = given ?? randomInt(1_000_000_000)
  const count = input.integer('seeds', 1, MOST_SEEDS) ?? (given === undefined ? DEFAULT_SEEDS : 1)
  const threads = input.integer('threads', 1, MOST_THREADS) ?? availableParallelism()
  const draw = drawOptions(input)
  const summary = emptySummary(first)
  const failed: SeedResult[] = []
  const start = performance.now()
  const onResult = (result: SeedResult): boolean => {
    addResult(summary, result)
    if (result.report.failure !== undefined) failed.push(result)
    progress(
      `seed ${first} and on: ${bar(summary.seeds / count)} ${summary.seeds} of ${count}, ${failed.length} failed`,
    )
    return failed.length < MOST_FAILURES
  }
  await runSeeds({ first, count, draw, threads, signal, onResult })
  const seconds = (performance.now() - start) / 1000
  const hash = hashOf(summary)
  const failures = failed
    .sort((a, b) => a.seed - b.seed)
    .map(({ seed, report }, i) =>
      failureOf(`seed ${seed} of profile ${draw.profile}`, report, i === 0, progress, {
        scenario: drawScenario(seed, draw),
        repeat: repeatLine(seed, draw),
      }),
    )
  const { hash: _, early: __, nextSeed: ___, ...totals } = summary
  return {
    status: failures.length === 0 ? 'done' : 'refused',
    value: { profile: draw.profile, first, count, hash, seconds, ...totals, failures: failures.map(forPrograms) },
    text: [
      `Seeds ${first} to ${first + count - 1} of profile ${draw.profile}`,
      summaryText(summary, seconds, hash),
      ...failures.map((failure) => `\n${failureText(failure)}`),
    ].join('\n'),
  }
}

async function runFile(file: string): Promise<Outcome> {
  const scenario = await readScenario(file)
  const report = runScenario(scenario, { realSuite })
  const failure = failureOf(file, report, true, () => {}, { scenario, repeat: `quorate sim --scenario ${file}` })
  const { failure: found, hash, simulatedMs, operations, witnesses, faults } = report
  const text = `${scenario.about || file}: ${operations.answered} of ${operations.asked} requests answered in ${simulatedMs} ms of simulated time; every invariant held\nhash ${hash}`
  return {
    status: found === undefined ? 'done' : 'refused',
    value: {
      file,
      about: scenario.about,
      hash,
      simulatedMs,
      operations,
      witnesses,
      faults,
      failure: forPrograms(failure),
    },
    text: found === undefined ? text : failureText(failure),
  }
}

function drawOptions(input: Input): DrawOptions {
  const profile = profileOf(input.text('profile') ?? 'fast')
  const replicas = input.integer('replicas', 1, MAX_REPLICAS)
  const byzantine = input.integer('byzantine', 0, MAX_REPLICAS)
  const crash = input.integer('crash', 0, MAX_REPLICAS)
  if (input.texts('liar').length > 0 && replicas === undefined && profile !== 'fast') {
    throw new UsageError(`--liar needs --replicas with profile ${profile}, since otherwise n is drawn`)
  }
  const liars = input.texts('liar').map((text) => liarOf(text, replicas ?? FAST_REPLICAS))
  const draw: DrawOptions = {
    profile,
    ...(replicas !== undefined && { replicas }),
    ...(byzantine !== undefined && { byzantine }),
    ...(crash !== undefined && { crash }),
    ...(liars.length > 0 && { liars }),
  }
  const fits = (replicas !== undefined || byzantine !== undefined || crash !== undefined) && groupFault(draw)
  if (fits) throw new UsageError(fits)
  return draw
}

function groupFault({ replicas, byzantine, crash }: DrawOptions): string | undefined {
  if (replicas === undefined) return '--byzantine and --crash need --replicas, since otherwise n is drawn'
  return quorumFault({ replicas, byzantine: byzantine ?? 0, crash: crash ?? 0 })
}

function profileOf(text: string): ProfileName {
  const found = PROFILES.find((name) => name === text)
  if (found === undefined)
    throw new UsageError(`--profile must be one of ${PROFILES.join(', ')}, not ${JSON.stringify(text)}`)
  return found
}

async function readScenario(file: string): Promise<Scenario> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileFault(file, 'read', error)
  })
  try {
    return scenarioOf(JSON.parse(text))
  } catch (error) {
    if (error instanceof ScenarioError || error instanceof SyntaxError || error instanceof BehaviourError) {
      throw new UsageError(`${file} is no scenario: ${error.message}`)
    }
    throw error
  }
}

interface Source {
  readonly scenario: Scenario
  readonly repeat: string
}

/** Shrinks the first failure alone: it takes many runs. */
function failureOf(
  what: string,
  report: RunReport,
  shrinks: boolean,
  progress: Context['progress'],
  { scenario, repeat }: Source,
): FailureReport {
  const { failure } = report
  let shrunk: Shrunk | undefined
  if (failure !== undefined && shrinks) {
    let runs = 0
    shrunk = shrink(
      scenario,
      failure,
      (candidate) => {
        progress(`${what} failed; making it smaller: run ${++runs} of at most ${SHRINK_RUNS}`)
        return runScenario(candidate, { realSuite }).failure
      },
      SHRINK_RUNS,
    )
  }
  return { what, report, repeat, commit: failure === undefined ? '' : commitText(), shrunk }
}

function forPrograms({ what, report, repeat, commit, shrunk }: FailureReport): object | null {
  const { failure, hash } = report
  return failure === undefined ? null : { what, ...failure, hash, repeat, commit, scenario: shrunk?.scenario ?? null }
}

function repeatLine(seed: number, { profile, replicas, byzantine, crash, liars = [] }: DrawOptions): string {
  const numbers = Object.entries({ replicas, byzantine, crash }).filter(([, value]) => value !== undefined)
  const options = [
    ...numbers.map(([name, value]) => `--${name} ${value}`),
    ...liars.map(({ replica, behaviour }) => `--liar ${replica}=${behaviour}`),
  ]
  return ['quorate sim', `--profile ${profile}`, `--seed ${seed}`, ...options].join(' ')
}

function commitText(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' } as const
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], options).trim()
    const changed = execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], options).trim() !== ''
    return changed ? `${commit}, with changes` : commit
  } catch {
    return 'unknown: not in a checkout'
  }
}

function bar(share: number): string {
  const filled = Math.round(20 * share)
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}]`
}

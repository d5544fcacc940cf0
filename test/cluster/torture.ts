// Round after round of random faults on real processes: `npm run torture -- --minutes 30 --seed 7 --replicas 4`. Each round is a new
// cluster whose faults are drawn from one number, so a round that fails is run again by its seed alone (the timing of a real machine
// differs, so it may take several). Two rounds of three stay within the fault budget, members change in the midst of them, and everything
// must finish; the third goes beyond it, with replicas down at will, and only safety is asserted. With `--steady` nothing goes wrong, and one cluster's disks must stay bounded.

import { parseArgs } from 'node:util'
import { toleranceOf } from '../../keys/index.ts'
import { BEHAVIOURS } from '../../src/byzantine/index.ts'
import { chance } from '../../src/cli/tour/load.ts'
import { Harness } from './harness.ts'
import { runSteady } from './steady.ts'
import { changeMembers, type Office, officeOf } from './torture-changes.ts'

interface Plan {
  readonly seed: number
  readonly replicas: number
  /** Within the budget: at most b + c replicas are faulty at any time, liars among them. */
  readonly within: boolean
  readonly liars: Readonly<Record<number, string>>
  readonly links: readonly (readonly [number, number])[]
  readonly faults: number
}

interface Outcome {
  readonly requests: number
  readonly unknown: number
  readonly faults: readonly string[]
}

const MOST_FAULTS = 4
/** The share of faults within the budget that are a change of the members. */
const CHANGES = 0.4
/** Milliseconds that a fault lasts, at least and at most. */
const FAULT_MS = [200, 4_000] as const

type Random = () => number
const below = (random: Random, bound: number): number => Math.floor(random() * bound)
const between = (random: Random, [least, most]: readonly [number, number]) => least + below(random, most - least)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function planOf(seed: number, replicas: number): Plan {
  const random = chance(seed)
  const { byzantine } = toleranceOf(replicas, {})
  const within = seed % 3 !== 2
  const liars: Record<number, string> = {}
  if (byzantine > 0 && random() < 0.5) {
    const names = Object.keys(BEHAVIOURS)
    liars[below(random, replicas)] = names[below(random, names.length)] ?? 'mute'
  }
  const a = below(random, replicas)
  const b = (a + 1 + below(random, replicas - 1)) % replicas
  return { seed, replicas, within, liars, links: [[a, b]], faults: 1 + below(random, MOST_FAULTS) }
}

async function runRound(plan: Plan): Promise<Outcome> {
  const random = chance(plan.seed ^ 0x5eed)
  const harness = await Harness.start({ replicas: plan.replicas, clients: 2, liars: plan.liars, links: plan.links })
  const told: string[] = []
  try {
    // Changes of the members are asked for under the admin's key, and two clients with one key would number their requests alike.
    const client = await harness.connect('writer-1')
    const load = await harness.load({ client, seed: plan.seed, timeoutMs: plan.within ? 60_000 : 8_000 })
    for (let i = 0; i < plan.faults; i++) {
      await harness.answered(load, 20).catch((error) => {
        if (plan.within) throw error
      })
      const office = await officeOf(harness, Object.keys(plan.liars).map(Number))
      const change = plan.within && random() < CHANGES
      told.push(await (change ? changeMembers(harness, office, random) : strike(harness, plan, office, random)))
    }
    if (plan.within) await harness.verdict()
    else await harness.safe()
    const operations = harness.operations()
    const unknown = operations.filter(({ outcome }) => outcome === 'unknown').length
    return { requests: operations.length, unknown, faults: told }
  } finally {
    await harness.dispose()
  }
}

/** One fault, from its beginning to its end. Within the budget it strikes as many as the liars leave room for, beyond it any number. */
async function strike(harness: Harness, plan: Plan, office: Office, random: Random): Promise<string> {
  const { cluster } = harness
  const { honest, room } = office
  const most = plan.within ? room : honest.length
  const lastsMs = between(random, FAULT_MS)
  const [link] = plan.links
  if (link !== undefined && (most === 0 || random() < 0.2)) {
    harness.link(...link).cut()
    await pause(lastsMs)
    harness.link(...link).join()
    return `cut ${link.join('-')}`
  }
  const victims = honest
    .map((index) => ({ index, place: random() }))
    .sort((x, y) => x.place - y.place)
    .slice(0, 1 + below(random, most))
    .map(({ index }) => index)
  const kind = (['kill', 'pause', 'stop'] as const)[below(random, 3)] ?? 'kill'
  if (kind === 'pause') {
    for (const index of victims) cluster.pause(index)
    await pause(lastsMs)
    for (const index of victims) cluster.resume(index)
  } else {
    await Promise.all(victims.map((index) => (kind === 'kill' ? cluster.kill(index) : cluster.stop(index))))
    await pause(lastsMs)
    await Promise.all(victims.map((index) => cluster.start(index)))
  }
  return `${kind} ${victims.join(',')}`
}

const USAGE = `Usage: npm run torture -- [--minutes M] [--seed S] [--replicas N]
       npm run torture -- --steady [--minutes M] [--seed S]
Example: npm run torture -- --minutes 30 --seed 7      # round after round of random faults on real processes
         npm run torture -- --steady --minutes 8       # one cluster of four, whose disks must stay under a bound`

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '1' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        replicas: { type: 'string', default: '4' },
        steady: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    return values
  } catch (error) {
    return error instanceof TypeError ? error.message : String(error)
  }
}

async function main(): Promise<number> {
  const values = readOptions()
  if (typeof values === 'string') {
    console.error(`torture: ${values}\n${USAGE}`)
    return 2
  }
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [minutes, first, replicas] = [Number(values.minutes), Number(values.seed), Number(values.replicas)]
  if (![minutes, first, replicas].every((number) => Number.isFinite(number) && number >= 0)) {
    console.error('torture: --minutes, --seed and --replicas take numbers')
    return 2
  }
  if (values.steady) return steady(minutes, first)
  console.log(`torture: ${replicas} replicas, ${minutes} minutes, seed ${first}`)
  const totals = {
    rounds: 0,
    within: 0,
    requests: 0,
    unknown: 0,
    faults: new Map<string, number>(),
    liars: new Map<string, number>(),
  }
  const end = performance.now() + minutes * 60_000
  for (let round = 0; round === 0 || performance.now() < end; round++) {
    const plan = planOf(first + round, replicas)
    const lies = Object.entries(plan.liars).map(([index, behaviour]) => `${index} ${behaviour}`)
    const title = `seed ${plan.seed} ${plan.within ? 'within' : 'beyond'} the budget, liar ${lies.join(', ') || 'none'}`
    try {
      const { requests, unknown, faults } = await runRound(plan)
      console.log(`  ${title}: ${faults.join('; ')}: ${requests} requests, ${unknown} unknown`)
      totals.rounds++
      totals.within += plan.within ? 1 : 0
      totals.requests += requests
      totals.unknown += unknown
      for (const fault of faults) count(totals.faults, fault.split(' ')[0] ?? '')
      for (const behaviour of Object.values(plan.liars)) count(totals.liars, behaviour)
    } catch (error) {
      console.error(`  ${title}: FAILED`)
      console.error(error)
      console.error(`repeat it: npm run torture -- --minutes 0 --seed ${plan.seed} --replicas ${replicas}`)
      return 1
    }
  }
  const { rounds, within, requests, unknown } = totals
  console.log(
    `${rounds} rounds (${within} within the budget, all finished), ${requests} requests, ${unknown} of unknown outcome`,
  )
  console.log(
    `faults: ${counts(totals.faults)}; liars: ${counts(totals.liars)}; every history linearizable, nobody honest blamed`,
  )
  return 0
}

/** A line every so many looks. */
const TOLD_SAMPLES = 15

async function steady(minutes: number, seed: number): Promise<number> {
  console.log(`torture: steady, 4 replicas, ${minutes} minutes, seed ${seed}`)
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
  let looks = 0
  try {
    const report = await runSteady({
      ...{ minutes, seed },
      onSample(samples, acknowledgedBytes) {
        if (looks++ % TOLD_SAMPLES !== 0) return
        const each = samples.map(({ diskBytes, rssBytes }) => `${mib(diskBytes)}, RSS ${mib(rssBytes)}`)
        console.log(`  ${mib(acknowledgedBytes)} acknowledged; ${each.join('; ')}`)
      },
    })
    const { slots, requests, acknowledgedBytes, boundBytes, replicas } = report
    console.log(
      `${requests} requests in ${slots} slots, ${mib(acknowledgedBytes)} of values; at most ${mib(boundBytes)} on disk allowed`,
    )
    if (acknowledgedBytes < boundBytes) console.log('  less than that was written: a longer run says more')
    for (const [index, { maxDiskBytes, truncations, rssFirstBytes, rssMaxBytes, rssLastBytes }] of replicas.entries()) {
      const rss = `RSS ${mib(rssFirstBytes)}, at most ${mib(rssMaxBytes)}, ${mib(rssLastBytes)} at the end`
      console.log(`  ${index}: at most ${mib(maxDiskBytes)} on disk, ${truncations} truncations; ${rss}`)
    }
    return 0
  } catch (error) {
    console.error(error)
    console.error(`repeat it: npm run torture -- --steady --minutes ${minutes} --seed ${seed}`)
    return 1
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function counts(of: ReadonlyMap<string, number>): string {
  return [...of].map(([name, number]) => `${name} ${number}`).join(', ') || 'none'
}

process.exitCode = await main()

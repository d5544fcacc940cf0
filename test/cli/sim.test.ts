import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { drawScenario, scenarioOf } from '../../src/simulation/index.ts'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-sim-'))
})

afterAll(() => rm(root, { recursive: true, force: true }))

async function sim(...args: string[]): Promise<{ code: number; out: string; error: string; shown: string[] }> {
  const [out, error, shown]: [string[], string[], string[]] = [[], [], []]
  const code = await main(['sim', ...args], {
    environment: {},
    signal: new AbortController().signal,
    out: (text) => out.push(text),
    error: (text) => error.push(text),
    progress: (text) => shown.push(text),
  })
  return { code, out: out.join(''), error: error.join(''), shown }
}

async function fileWith(name: string, content: unknown): Promise<string> {
  const path = join(root, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

describe('quorate sim', () => {
  it('runs seeds and tells what they reached, with the same hash each time', async () => {
    const args = ['--seed', '1', '--seeds', '2', '--threads', '1']
    const first = await sim(...args)
    expect(first).toMatchObject({ code: 0, error: '' })
    expect(first.out).toMatch(/seeds +2, of which 0 failed/)
    expect(first.out).toMatch(/checkpoint stable +\d+/)
    expect(first.shown.some((text) => text.includes('2 of 2, 0 failed'))).toBe(true)
    expect(hashIn((await sim(...args)).out)).toBe(hashIn(first.out))
  })

  it('gives the same as JSON, and the same over several threads', async () => {
    const [one, two] = await Promise.all(
      [1, 2].map((n) => sim('--seed', '1', '--seeds', '3', '--threads', `${n}`, '--json')),
    )
    const [a, b] = [one, two].map((run) => JSON.parse(run?.out ?? ''))
    expect(a).toMatchObject({ profile: 'fast', first: 1, seeds: 3, failed: 0, failures: [] })
    expect(b.hash).toBe(a.hash)
    expect(b.witnesses).toEqual(a.witnesses)
  })

  it('repeats one seed of any profile, with a group and a liar of the user', async () => {
    const run = await sim('--profile', 'swarm', '--seed', '3', '--replicas', '4', '--liar', '0=mute', '--json')
    expect(run.code).toBe(0)
    expect(JSON.parse(run.out).witnesses['view changed']).toBeGreaterThan(0)
  })

  it('shows a failure with how to repeat it and a smaller schedule that fails alike', async () => {
    const scenario = drawScenario(1, { profile: 'swarm', replicas: 4, defects: ['send-before-durable'] })
    const file = await fileWith('broken.json', scenario)
    const run = await sim('--scenario', file)
    expect(run).toMatchObject({ code: 1, error: '' })
    expect(run.out).toMatch(/breaks I11 durable before sent at [\d.]+ ms/)
    expect(run.out).toContain(`repeat it: quorate sim --scenario ${file}`)
    expect(run.out).toMatch(/commit: +[0-9a-f]{40}/)
    expect(run.out).toMatch(/Shrunk in \d+ runs/)
    const small = run.out.trimEnd().split('\n').at(-1) ?? ''
    expect(scenarioOf(JSON.parse(small)).faults.length).toBeLessThanOrEqual(scenario.faults.length)
    expect((await sim('--scenario', await fileWith('small.json', small), '--json')).code).toBe(1)
  })

  it('runs a scenario from a file', async () => {
    const run = await sim('--scenario', await fileWith('calm.json', { about: 'nothing goes wrong' }))
    expect(run.code).toBe(0)
    expect(run.out).toMatch(/nothing goes wrong: 40 of 40 requests answered/)
  })

  it.each<[string, string[], RegExp]>([
    ['an unknown profile', ['--profile', 'slow'], /--profile must be one of fast, swarm, crash, twins, membership/],
    ['a group that cannot be', ['--replicas', '3', '--byzantine', '1'], /needs n >= 3b/],
    ['b without n', ['--byzantine', '1'], /need --replicas/],
    ['a liar without a behaviour', ['--liar', '1'], /write I=BEHAVIOUR/],
    ['a liar that is no replica', ['--liar', '4=mute'], /no replica 4/],
    ['an unknown behaviour', ['--liar', '0=nice'], /nice/],
    ['a liar in a group that is drawn', ['--profile', 'swarm', '--liar', '0=mute'], /needs --replicas/],
    ['no seeds', ['--seeds', '0'], /--seeds must be a whole number/],
    ['a missing file', ['--scenario', '/nowhere.json'], /can't be read/],
  ])('refuses %s with one sentence', async (_, args, sentence) => {
    const run = await sim(...args)
    expect(run).toMatchObject({ code: 2, out: '' })
    expect(run.error).toMatch(sentence)
  })

  it('refuses a file that is no scenario', async () => {
    for (const content of ['{', '[]', { faults: [{ do: 'explode' }] }]) {
      const run = await sim('--scenario', await fileWith('bad.json', content))
      expect(run).toMatchObject({ code: 2, out: '' })
      expect(run.error).toMatch(/bad\.json is no scenario/)
    }
  })
})

function hashIn(text: string): string | undefined {
  return /hash +([0-9a-f]{16})/.exec(text)?.[1]
}

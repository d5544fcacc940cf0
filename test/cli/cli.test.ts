import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { genesisText, loadGenesis } from '../../keys/index.ts'
import { wholeNumber } from '../../src/cli/command.ts'
import { allCommands, commandsFor } from '../../src/cli/commands/index.ts'
import { main } from '../../src/cli/main.ts'
import { table } from '../../src/cli/table.ts'
import { memberDraft, sample } from '../keys/sample.ts'

const commands = await allCommands()

interface Run {
  readonly code: number
  readonly out: string
  readonly error: string
}

async function quorate(
  args: readonly string[],
  more: { environment?: Record<string, string>; signal?: AbortSignal } = {},
) {
  const [out, error]: [string[], string[]] = [[], []]
  let progress: string | undefined
  const code = await main(args, {
    environment: more.environment ?? {},
    signal: more.signal ?? new AbortController().signal,
    out: (text) => out.push(text),
    error: (text) => error.push(text),
    progress: (text) => {
      progress = text
    },
  })
  expect(progress, 'what a terminal shows of the progress in the end').toBe('')
  const run: Run = { code, out: out.join(''), error: error.join('') }
  return run
}

let root: string
let cluster: string
let genesisFile: string
let made: Run

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-cli-'))
  cluster = join(root, 'cluster')
  genesisFile = join(cluster, 'genesis.json')
  made = await quorate(['keygen', cluster, '--replicas', '4', '--clients', '2', '--name', 'demo'])
})

afterAll(() => rm(root, { recursive: true, force: true }))

/** Where a test may put a new keyset. */
async function place(): Promise<string> {
  return join(await mkdtemp(join(root, 'scratch-')), 'c')
}

describe('quorate keygen', () => {
  it('writes a keyset and says what to give to whom', async () => {
    expect(made).toMatchObject({ code: 0, error: '' })
    const { label } = await loadGenesis(genesisFile)
    const lines = made.out.split('\n')
    expect(lines[0]).toMatch(new RegExp(`^Cluster ${label} \\(id [0-9a-f]{64}\\)$`))
    expect(lines[1]).toBe('4 replicas: up to 1 may lie, none more may stop; 3 decide.')
    expect(made.out).toContain('genesis.json      public: give it to every replica, client and auditor')
    expect(made.out).toContain('replica-3/        secret: for replica 3 alone, at /ip4/127.0.0.1/tcp/7403')
    expect(made.out).toContain('client-writer-1/  secret: for client writer-1 alone (role writer)')
    expect(made.out).toContain('The secret keys are not encrypted')
  })

  it('takes the options into the genesis', async () => {
    const folder = await place()
    const settings = [
      'window=64',
      'rotation=every:256',
      'signedVotes=false',
      'maxBatchBytes=4096',
      'maxRequestBytes=512',
    ]
    const run = await quorate([
      ...[
        'keygen',
        folder,
        '--replicas',
        '5',
        '--byzantine',
        '0',
        '--crash',
        '1',
        '--host',
        '::1',
        '--base-port',
        '9000',
      ],
      ...settings.flatMap((setting) => ['--set', setting]),
    ])
    expect(run).toMatchObject({ code: 0, error: '' })
    const genesis = await loadGenesis(join(folder, 'genesis.json'))
    expect(genesis.membership.quorums).toMatchObject({ replicas: 5, byzantine: 0, crash: 1, quorum: 3 })
    expect(genesis.members.map(({ addresses }) => addresses)).toEqual(
      [9000, 9001, 9002, 9003, 9004].map((port) => [`/ip6/::1/tcp/${port}`]),
    )
    expect(genesis.parameters).toMatchObject({
      window: 64,
      rotation: { policy: 'every', slots: 256 },
      signedVotes: false,
      maxBatchBytes: 4096,
      maxRequestBytes: 512,
    })
  })

  it('takes addresses from a file, and the passphrase from a file or the environment', async () => {
    const folder = await place()
    const addresses = join(folder, '..', 'addresses')
    await writeFile(addresses, '/dns/a.example/tcp/1\n/dns/b.example/tcp/1\n')
    const args = ['keygen', folder, '--replicas', '2', '--addresses', addresses, '--json']
    const run = await quorate(args, { environment: { QUORATE_PASSPHRASE: 'correct horse' } })
    expect(JSON.parse(run.out)).toMatchObject({
      encrypted: true,
      n: 2,
      b: 0,
      c: 0,
      q: 2,
      t: 1,
      replicas: [{ index: 0, addresses: ['/dns/a.example/tcp/1'] }, { addresses: ['/dns/b.example/tcp/1'] }],
      clients: [{ name: 'admin', role: 'admin', folder: join(folder, 'client-admin') }],
    })
    expect(await readFile(join(folder, 'replica-0', 'consensus.pem'), 'utf8')).toContain('ENCRYPTED PRIVATE KEY')
  })

  it('lists so many admins, of whom so many must agree, and a client that operates each replica', async () => {
    const folder = await place()
    const run = await quorate([
      'keygen',
      folder,
      '--replicas',
      '4',
      '--admins',
      '2-of-3',
      '--operators',
      '--clients',
      '2',
    ])
    expect(run).toMatchObject({ code: 0, error: '' })
    const genesis = await loadGenesis(join(folder, 'genesis.json'))
    expect(genesis.admins).toEqual({ threshold: 2 })
    const roles = genesis.clients.map(({ name, role }) => `${name} ${role}`)
    const operators = [0, 1, 2, 3].map((i) => `operator-${i} reader`)
    expect(roles).toEqual(['admin admin', 'admin-2 admin', 'admin-3 admin', 'writer-1 writer', ...operators])
    const keys = new Map(genesis.clients.map(({ name, key }) => [name, key]))
    expect(genesis.members.map(({ operator }) => operator)).toEqual([0, 1, 2, 3].map((i) => keys.get(`operator-${i}`)))
  })

  it.each([
    [['--replicas', '4', '--byzantine', '2'], '4 replicas cannot bear 2 liars: needs n >= 3b + 2c + 1 = 7'],
    [['--replicas', '3', '--crash', '2'], '3 replicas cannot bear 2 crashes: needs n >= 3b + 2c + 1 = 5'],
    [['--replicas', 'four'], '--replicas must be a whole number from 1 to 100, not "four"'],
    [['--replicas', '0'], '--replicas must be a whole number from 1 to 100, not "0"'],
    [['--replicas', '101'], '--replicas must be a whole number from 1 to 100, not "101"'],
    [['--replicas', '4.0'], '--replicas must be a whole number'],
    [['--replicas', '4', '--clients', '0'], '--clients must be a whole number from 1 to 1000, not "0"'],
    [['--replicas', '4', '--byzantine', '-1'], '--byzantine must be a whole number from 0 to 100, not "-1"'],
    [[], "required option '--replicas <n>' not specified"],
    [['--replicas', '4', '--base-port', '65533'], '--base-port must be a whole number from 1 to 65532, not "65533"'],
    [['--replicas', '4', '--host', '0.0.0.0'], '--host "0.0.0.0": "0.0.0.0" means "any address": nobody can dial it'],
    [['--replicas', '4', '--host', 'a_b'], '--host "a_b": "a_b" is not a host name in lower case'],
    [['--replicas', '4', '--name', 'My Cluster'], 'name: must be a DNS label'],
    [['--replicas', '4', '--admins', '2'], '--admins must be M-of-K with M at most K, such as 2-of-3, not "2"'],
    [['--replicas', '4', '--admins', '3-of-2'], '--admins must be M-of-K with M at most K'],
    [['--replicas', '4', '--set', 'window'], '--set "window": write NAME=VALUE, where NAME is one of window,'],
    [['--replicas', '4', '--set', 'colour=red'], '--set "colour=red": write NAME=VALUE'],
    [['--replicas', '4', '--set', 'window=0'], '--set window must be a whole number from 1 to 1024, not "0"'],
    [['--replicas', '4', '--set', 'signedVotes=no'], '--set signedVotes must be true or false, not "no"'],
    [['--replicas', '4', '--set', 'signedVotes=false'], 'parameters.signedVotes: may be false in crash mode'],
    [['--replicas', '4', '--set', 'rotation=daily'], '--set rotation must be sticky, every:SLOTS or lowest-alive'],
    [['--replicas', '4', '--set', 'rotation=every:x'], '--set rotation=every:SLOTS must be a whole number'],
    [['--replicas', '4', '--addresses', 'x', '--host', 'y'], 'leave --host and --base-port out'],
    [['--replicas', '4', '--addresses', '/nowhere/at-all'], '/nowhere/at-all does not exist'],
    [['--replicas', '4', '--passphrase-file', '/nowhere/at-all'], '/nowhere/at-all does not exist'],
    [['--replicas', '4', '--bizantine', '1'], "unknown option '--bizantine'"],
    [['--replicas', '4', 'two', 'places'], "too many arguments for 'keygen'"],
  ])('refuses %j with a sentence, exit code 2, and nothing written', async (args, sentence) => {
    const folder = await place()
    const run = await quorate(['keygen', folder, ...args])
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
    expect(run.error).toMatch(/^quorate: /)
    expect(run.error).not.toMatch(/\n\s+at /)
    expect(await readdir(join(folder, '..'))).toEqual([])
  })

  it('refuses to overwrite, with exit code 1', async () => {
    const before = await readFile(genesisFile, 'utf8')
    const run = await quorate(['keygen', cluster, '--replicas', '4'])
    expect(run).toMatchObject({ code: 1, out: '', error: expect.stringContaining('exists and is not overwritten') })
    expect(await readFile(genesisFile, 'utf8')).toBe(before)
  })

  it('stops when interrupted, with exit code 130 and nothing written', async () => {
    const folder = await place()
    const run = await quorate(['keygen', folder, '--replicas', '4'], { signal: AbortSignal.abort() })
    expect(run).toEqual({ code: 130, out: '', error: 'quorate: interrupted; nothing was written\n' })
    expect(await readdir(join(folder, '..'))).toEqual([])
  })
})

describe('quorate genesis show', () => {
  it('prints members, thresholds, ids, parameters and checkpoint keys', async () => {
    const genesis = await loadGenesis(genesisFile)
    const { code, out } = await quorate(['genesis', 'show', genesisFile])
    expect(code).toBe(0)
    expect(out).toContain('n = 4, b = 1, c = 0: q = 3 votes decide, t = 2 vouch')
    expect(out).toContain(`origin      ${genesis.origin}\n`)
    expect(out).toContain('window              32 slots')
    for (const [index, { peerId, addresses }] of genesis.members.entries()) {
      expect(out).toContain(peerId)
      expect(out).toContain(addresses[0])
      expect(out).toMatch(new RegExp(`^  ${genesis.origin}/r${index}\\+[0-9a-f]{8}\\+A[A-Za-z0-9+/=]{43}$`, 'm'))
    }
    expect(out).not.toMatch(/undefined|\[object|[ \t]$/m)
  })

  it('gives the same to programs', async () => {
    const genesis = await loadGenesis(genesisFile)
    const { out } = await quorate(['genesis', 'show', genesisFile, '--json'])
    expect(JSON.parse(out)).toMatchObject({
      name: 'demo',
      origin: genesis.origin,
      ...{ n: 4, b: 1, c: 0, q: 3, t: 2 },
      members: genesis.members.map(({ peerId, addresses }, index) => ({ index, peerId, addresses })),
      clients: [
        { name: 'admin', role: 'admin' },
        { name: 'writer-1', role: 'writer' },
      ],
      parameters: genesis.parameters,
      vkeys: [0, 1, 2, 3].map((i) => expect.stringContaining(`${genesis.origin}/r${i}+`)),
    })
  })

  it('says how many admins must agree, and whose operator is who', async () => {
    const [first, second] = [memberDraft(0), memberDraft(1)]
    const contents = sample({ members: [first, { ...second, operator: 'writer-1' }], admins: { threshold: 1 } })
    const file = join(root, 'second-format.json')
    await writeFile(file, genesisText(contents))
    const { out } = await quorate(['genesis', 'show', file])
    expect(out).toContain('one admin decides')
    expect(out).toMatch(/7401 +writer-1$/m)
    const { out: json } = await quorate(['genesis', 'show', file, '--json'])
    expect(JSON.parse(json)).toMatchObject({
      admins: { threshold: 1 },
      members: [{ operator: null }, { operator: 'writer-1' }],
    })
  })
})

describe('quorate genesis check', () => {
  it('takes a good file', async () => {
    const { code, out } = await quorate(['genesis', 'check', genesisFile])
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/genesis\.json is good: cluster demo-[0-9a-f]{8}, id [0-9a-f]{64}\n$/),
    })
  })

  it('lists every fault on standard output, with exit code 1', async () => {
    const file = await place()
    const text = await readFile(genesisFile, 'utf8')
    await writeFile(file, text.replace('"byzantine": 1', '"byzantine": 2').replace('tcp/7401', 'tcp/7400'))
    const lines = [
      'quorum: 4 replicas cannot bear 2 liars: needs n >= 3b + 2c + 1 = 7',
      'members[1].addresses[0]: repeats members[0].addresses[0]',
      'the file was changed after its keys signed it: no proof of possession is for this genesis',
    ]
    const run = await quorate(['genesis', 'check', file])
    expect(run).toEqual({ code: 1, error: '', out: `${file} has 3 faults:\n  ${lines.join('\n  ')}\n` })
    const json = await quorate(['genesis', 'check', file, '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, faults: [{ path: 'quorum' }, {}, { path: '' }] })
    expect((await quorate(['genesis', 'show', file])).code).toBe(1)
  })

  it.each([
    ['a missing file', '/nowhere/genesis.json', '/nowhere/genesis.json does not exist'],
    ['a folder', tmpdir(), 'is a folder; name the file in it'],
    ['a path through a file', join(import.meta.filename, 'x'), 'a part of this path is a file'],
  ])('calls %s a mistake of usage', async (_, file, sentence) => {
    const run = await quorate(['genesis', 'check', file])
    expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining(sentence) })
  })
})

describe('of a command line', () => {
  it.each(commands.map(({ name }) => name))('only the command is loaded that it names: %s', async (name) => {
    const loaded = await commandsFor([...name.split(' '), 'show', '--json'])
    expect(loaded.map((command) => command.name)).toEqual([name])
  })

  it.each([[[]], [['--help']], [['genesis']], [['genesis', 'shw']], [['toString']], [['--json', 'get']]])(
    'all commands are loaded where it names none: %j',
    async (args) => {
      expect(await commandsFor(args)).toEqual(commands)
    },
  )
})

describe('the command line', () => {
  it.each(commands.map((command) => [command.name, command] as const))(
    'has help with an example for %s',
    async (name, command) => {
      const { code, out, error } = await quorate([...name.split(' '), '--help'])
      expect({ code, error }).toEqual({ code: 0, error: '' })
      expect(out).toContain(command.describe.slice(0, 40))
      expect(out).toContain('--json')
      expect(command.examples.length).toBeGreaterThan(0)
      for (const [line] of command.examples) {
        expect(line).toContain(`quorate ${name}`)
        expect(out).toContain(line)
      }
    },
  )

  it('has examples whose options exist', () => {
    for (const { examples, options, name } of commands) {
      const known = options.map(({ flags }) => flags.split(' ')[0])
      for (const [line] of examples) {
        for (const option of line.split(' | ')[0]?.match(/--[a-z0-9-]+/g) ?? []) {
          expect([...known, '--json'], `${name}: ${option}`).toContain(option)
        }
      }
    }
  })

  it('prints its version', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'))
    expect(await quorate(['--version'])).toEqual({ code: 0, out: `${version}\n`, error: '' })
  })

  it.each([[[]], [['genesis']]])(
    'shows help on standard error, exit code 2, when no command is named: %j',
    async (args) => {
      const run = await quorate(args)
      expect(run).toMatchObject({ code: 2, out: '', error: expect.stringContaining('Usage: quorate') })
    },
  )

  it('suggests what may have been meant', async () => {
    expect((await quorate(['genesis', 'chek', 'x'])).error).toContain('Did you mean check?')
  })

  it.each([
    [['keygen', '--json'], 'usage', 2],
    [['genesis', 'show', '/nowhere', '--json'], 'not-found', 2],
    [['nosuch', '--json'], 'usage', 2],
  ])('with --json puts one JSON error on standard error: %j', async (args, code, exit) => {
    const run = await quorate(args)
    expect(run).toMatchObject({ code: exit, out: '' })
    expect(JSON.parse(run.error)).toEqual({ error: { code, message: expect.any(String) } })
  })

  it('prints the stack of a bug, and exit code 70', async () => {
    const throwIfAborted = () => {
      throw new TypeError('oops')
    }
    const signal = Object.assign(new AbortController().signal, { throwIfAborted })
    const run = await quorate(['keygen', await place(), '--replicas', '1'], { signal })
    expect(run).toMatchObject({
      code: 70,
      out: '',
      error: expect.stringMatching(/this is a bug in quorate.*\nTypeError: oops\n +at /s),
    })
  })
})

describe('the helpers', () => {
  it('align tables without trailing blanks', () => {
    expect(
      table(
        [
          ['a', 'bb', ''],
          ['ccc', 'd', 'e'],
        ],
        '  ',
      ),
    ).toBe('  a    bb\n  ccc  d   e')
  })

  it.each(['', ' 1', '1 ', '01', '+1', '1e3', '0x1', '1.0', '-1', '99999999999999999999'])(
    'read no number from %j',
    (text) => {
      expect(() => wholeNumber('n', text, 0, Number.MAX_SAFE_INTEGER)).toThrow('n must be a whole number')
    },
  )
})

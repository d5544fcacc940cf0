import { readdirSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { replicaIndex, utf8 } from '../../crypto/index.ts'
import {
  clientFolder,
  consensusFiles,
  DEFAULT_PARAMETERS,
  defaultClients,
  type Genesis,
  generateKeyset,
  generateReplicaKeys,
  type KeysetPlan,
  loadClientKey,
  loadGenesis,
  loadReplicaKeys,
  nextConsensusKey,
  readAddressList,
  readPassphrase,
  replicaFolder,
  toleranceOf,
} from '../../keys/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'

const PLAN: KeysetPlan = {
  name: 'demo',
  quorum: { byzantine: 0, crash: 0 },
  addresses: [['/ip4/127.0.0.1/tcp/7400'], ['/ip4/127.0.0.1/tcp/7401']],
  clients: defaultClients(2),
  parameters: DEFAULT_PARAMETERS,
}

let root: string
let cluster: string
let genesis: Genesis

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-keys-'))
  cluster = join(root, 'cluster')
  genesis = await generateKeyset(cluster, PLAN)
})

afterAll(() => rm(root, { recursive: true, force: true }))

/** A fresh folder below the test's own. */
function scratch(): Promise<string> {
  return mkdtemp(join(root, 'scratch-'))
}

/** A folder with private copies of key files, each under the name that it is given. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await scratch()
  for (const [name, from] of Object.entries(files)) {
    await copyFile(join(cluster, from), join(folder, name))
    await chmod(join(folder, name), 0o600)
  }
  return folder
}

describe('a new keyset', () => {
  it('has the genesis for everybody, and each secret in a folder for its owner', async () => {
    const modes: Record<string, string> = {}
    for (const path of ['.', ...(await readdir(cluster, { recursive: true }))]) {
      modes[path] = ((await stat(join(cluster, path))).mode & 0o777).toString(8)
    }
    expect(modes).toEqual({
      '.': '755',
      'genesis.json': '644',
      'replica-0': '700',
      'replica-0/consensus.pem': '600',
      'replica-0/transport.pem': '600',
      'replica-1': '700',
      'replica-1/consensus.pem': '600',
      'replica-1/transport.pem': '600',
      'client-admin': '700',
      'client-admin/key.pem': '600',
      'client-writer-1': '700',
      'client-writer-1/key.pem': '600',
    })
  })

  it('loads: the genesis that was returned, and every key as the one that it lists', async () => {
    expect(await loadGenesis(join(cluster, 'genesis.json'))).toEqual(genesis)
    for (const index of [0, 1]) {
      const keys = await loadReplicaKeys(replicaFolder(cluster, index), genesis, { index: replicaIndex(index) })
      expect(keys.index).toBe(index)
      expect(keys.consensus.publicKey).toEqual(genesis.members[index]?.consensusKey)
      expect(keys.transport.peerId).toBe(genesis.members[index]?.peerId)
      expect(keys.transport.seed).toHaveLength(32)
      expect(keys.consensus.publicKey).not.toEqual(keys.transport.publicKey)
      const message = utf8('hello')
      expect(nativeVerifier.verify(keys.consensus.publicKey, message, keys.consensus.sign(message))).toBe(true)
    }
    for (const { name, role, key } of genesis.clients) {
      const client = await loadClientKey(clientFolder(cluster, name), genesis, { name })
      expect(client).toMatchObject({ name, role })
      expect(client.signer.publicKey).toEqual(key)
    }
  })

  it('has other keys than the one made before', async () => {
    const other = await generateKeyset(join(await scratch(), 'other'), PLAN)
    expect(other.clusterId).not.toEqual(genesis.clusterId)
  })

  it('reports its progress, a step for each replica and client', async () => {
    const steps: string[] = []
    await generateKeyset(join(await scratch(), 'c'), PLAN, {
      onProgress: (done, total) => steps.push(`${done}/${total}`),
    })
    expect(steps).toEqual(['1/4', '2/4', '3/4', '4/4'])
  })

  it('leaves nothing beside itself', async () => {
    const parent = await scratch()
    await generateKeyset(join(parent, 'c'), PLAN)
    expect(await readdir(parent)).toEqual(['c'])
  })
})

describe('no keyset is written', () => {
  it.each(['folder', 'file', 'dangling link'])('over an existing %s', async (kind) => {
    const parent = await scratch()
    const target = join(parent, 'c')
    if (kind === 'folder') await mkdir(target)
    else if (kind === 'file') await writeFile(target, 'precious')
    else await symlink(join(parent, 'nowhere'), target)
    await expect(generateKeyset(target, PLAN)).rejects.toMatchObject({
      code: 'exists',
      message: `${target} exists and is not overwritten; name another folder, or move this one away`,
    })
    expect(await readdir(parent)).toEqual(['c'])
    if (kind === 'file') expect(await readFile(target, 'utf8')).toBe('precious')
  })

  it('into a folder that does not exist', async () => {
    const target = join(root, 'nowhere', 'c')
    await expect(generateKeyset(target, PLAN)).rejects.toMatchObject({ code: 'not-found' })
  })

  it('for a plan that makes no good genesis; every fault is named, and nothing is left', async () => {
    const parent = await scratch()
    const plan = { ...PLAN, name: 'Demo', quorum: { byzantine: 0, crash: 1000 }, clients: [] }
    await expect(generateKeyset(join(parent, 'c'), plan)).rejects.toMatchObject({
      code: 'invalid-genesis',
      faults: [{ path: 'name' }, { path: 'quorum.crash' }, { path: 'clients' }],
    })
    expect(await readdir(parent)).toEqual([])
  })

  it('outside its folder by the name of a client', async () => {
    const parent = await scratch()
    const plan = { ...PLAN, clients: [{ name: '../../evil', role: 'admin' as const }] }
    await expect(generateKeyset(join(parent, 'c'), plan)).rejects.toMatchObject({
      faults: [{ path: 'clients[0].name' }],
    })
    expect(await readdir(parent)).toEqual([])
  })

  it('when interrupted while making keys; nothing is left', async () => {
    const parent = await scratch()
    const interrupt = new AbortController()
    const made = generateKeyset(join(parent, 'c'), PLAN, {
      signal: interrupt.signal,
      onProgress: (done) => done === 2 && interrupt.abort(),
    })
    await expect(made).rejects.toThrow('aborted')
    expect(await readdir(parent)).toEqual([])
  })

  it('when somebody else takes the place in the meantime; nothing else is left', async () => {
    const parent = await scratch()
    const target = join(parent, 'c')
    let taken: Promise<unknown> = Promise.resolve()
    const made = generateKeyset(target, PLAN, {
      onProgress: (done) => {
        if (done === 1) taken = mkdir(target)
      },
    })
    await expect(made).rejects.toMatchObject({ code: 'exists' })
    await taken
    expect(await readdir(parent)).toEqual(['c'])
  })

  it('half: until all is written it grows beside its place, and a failure leaves nothing', async () => {
    const parent = await scratch()
    const seen: string[] = []
    let files = 0
    const plan = {
      ...PLAN,
      // Read before each secret file is written.
      get passphrase(): undefined {
        files += 1
        if (files < 5) return undefined
        seen.push(...readdirSync(parent, { recursive: true }).map((path) => String(path).replace(/tmp-\w+/, 'tmp')))
        throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC', syscall: 'write' })
      },
    }
    await expect(generateKeyset(join(parent, 'c'), plan)).rejects.toMatchObject({
      code: 'unreadable',
      message: `${join(parent, 'c')}: the system answered ENOSPC`,
    })
    expect(seen).toContain('.c.tmp/replica-1/transport.pem')
    expect(seen).not.toContain('c')
    expect(await readdir(parent)).toEqual([])
  })
})

describe('secrets are refused', () => {
  it.each([0o640, 0o604, 0o620, 0o610, 0o644])('when others may touch them (mode %o)', async (mode) => {
    const folder = await folderOf({ 'key.pem': 'client-admin/key.pem' })
    const path = join(folder, 'key.pem')
    await chmod(path, mode)
    await expect(loadClientKey(folder, genesis)).rejects.toMatchObject({
      code: 'too-open',
      message: `${path} is open to other users (mode 0${mode.toString(8)}); run: chmod 600 ${path}`,
    })
  })

  it('when a file behind a link is open to others', async () => {
    const from = await folderOf({ 'key.pem': 'client-admin/key.pem' })
    await chmod(join(from, 'key.pem'), 0o644)
    const folder = await scratch()
    await symlink(join(from, 'key.pem'), join(folder, 'key.pem'))
    await expect(loadClientKey(folder, genesis)).rejects.toMatchObject({ code: 'too-open' })
  })

  const consensus = 'replica-0/consensus.pem'
  const transport = 'replica-0/transport.pem'
  it.each([
    [
      'the two files of a replica are swapped',
      { 'consensus.pem': transport, 'transport.pem': consensus },
      "consensus.pem should be a replica's consensus key of LABEL, but is the transport key of replica 0",
    ],
    [
      'the transport key is of another replica',
      { 'consensus.pem': consensus, 'transport.pem': 'replica-1/transport.pem' },
      'transport.pem should be the transport key of replica 0 of LABEL, but is the transport key of replica 1',
    ],
    [
      'one key is used for both',
      { 'consensus.pem': consensus, 'transport.pem': consensus },
      'transport.pem should be the transport key of replica 0 of LABEL, but is the consensus key of replica 0',
    ],
    [
      "a client's key is in the place of a replica's",
      { 'consensus.pem': 'client-admin/key.pem', 'transport.pem': transport },
      "consensus.pem should be a replica's consensus key of LABEL, but is the key of client admin",
    ],
  ])('when %s', async (_, files, sentence) => {
    const loaded = loadReplicaKeys(await folderOf(files), genesis)
    await expect(loaded).rejects.toThrow(sentence.replace('LABEL', genesis.label))
    await expect(loaded).rejects.toMatchObject({ code: 'wrong-key' })
  })

  it('when they are of another replica than asked for', async () => {
    await expect(loadReplicaKeys(replicaFolder(cluster, 1), genesis, { index: replicaIndex(0) })).rejects.toThrow(
      `should be the consensus key of replica 0 of ${genesis.label}, but is the consensus key of replica 1`,
    )
  })

  it('when they are of another client than asked for, or of a replica', async () => {
    await expect(loadClientKey(clientFolder(cluster, 'admin'), genesis, { name: 'writer-1' })).rejects.toThrow(
      `should be the key of client writer-1 of ${genesis.label}, but is the key of client admin`,
    )
    await expect(loadClientKey(await folderOf({ 'key.pem': consensus }), genesis)).rejects.toThrow(
      "should be a client's key",
    )
  })

  it('when they are of another cluster', async () => {
    const other = join(await scratch(), 'other')
    await generateKeyset(other, PLAN)
    await expect(loadReplicaKeys(replicaFolder(other, 0), genesis)).rejects.toThrow(
      'its genesis does not list this key',
    )
    await expect(loadClientKey(clientFolder(other, 'admin'), genesis)).rejects.toThrow('is it of another cluster?')
  })

  it('when a file is missing, too large, or a folder', async () => {
    const folder = await scratch()
    const path = join(folder, 'key.pem')
    await expect(loadClientKey(folder, genesis)).rejects.toMatchObject({ code: 'not-found' })
    await writeFile(path, 'x'.repeat(65_537), { mode: 0o600 })
    await expect(loadClientKey(folder, genesis)).rejects.toThrow('is too large to be a secret file')
    await rm(path)
    await mkdir(path, { mode: 0o700 })
    await expect(loadClientKey(folder, genesis)).rejects.toMatchObject({ code: 'unreadable' })
  })
})

describe('the consensus key of a replica that has started', () => {
  const files = { 'consensus.pem': 'replica-0/consensus.pem', 'transport.pem': 'replica-0/transport.pem' }

  it('may be one that the genesis does not list; that of a replica that has not may not', async () => {
    const folder = await folderOf(files)
    const next = await nextConsensusKey(folder)
    await consensusFiles(folder).replace(next.publicKey)
    const keys = await loadReplicaKeys(folder, genesis, { index: replicaIndex(0), started: true })
    expect(keys).toMatchObject({ index: 0, next: undefined })
    expect(keys.consensus.publicKey).toEqual(next.publicKey)
    await expect(loadReplicaKeys(folder, genesis, { index: replicaIndex(0) })).rejects.toThrow('does not list this key')
    const another = loadReplicaKeys(folder, genesis, { index: replicaIndex(1), started: true })
    await expect(another).rejects.toMatchObject({ code: 'wrong-key' })
  })

  it.each([
    ['overwritten', (path: string) => writeFile(path, new Uint8Array(119))],
    ['unlinked', (path: string) => rm(path)],
  ])('is the next one where the one before was %s and no more', async (_, erase) => {
    const folder = await folderOf(files)
    const next = await nextConsensusKey(folder)
    await erase(join(folder, 'consensus.pem'))
    const keys = await loadReplicaKeys(folder, genesis, { index: replicaIndex(0), started: true })
    expect(keys.consensus.publicKey).toEqual(next.publicKey)
    expect(keys.next?.publicKey).toEqual(next.publicKey)
  })

  it('is the one before as long as that is there, whatever was made for the next epoch', async () => {
    const folder = await folderOf(files)
    const next = await nextConsensusKey(folder)
    const keys = await loadReplicaKeys(folder, genesis, { index: replicaIndex(0), started: true })
    expect(keys.consensus.publicKey).toEqual(genesis.members[0]?.consensusKey)
    expect(keys.next?.publicKey).toEqual(next.publicKey)
  })
})

describe('an encrypted keyset', () => {
  it('loads with its passphrase, and says what is wrong without or with another', async () => {
    const folder = join(await scratch(), 'c')
    const made = await generateKeyset(folder, { ...PLAN, passphrase: 'correct horse' })
    for (const path of await readdir(folder, { recursive: true })) {
      if (path.endsWith('.pem')) expect(await readFile(join(folder, path), 'utf8')).toContain('ENCRYPTED PRIVATE KEY')
    }
    const load = (passphrase?: string) => loadReplicaKeys(replicaFolder(folder, 1), made, { passphrase })
    expect((await load('correct horse')).index).toBe(1)
    await expect(load('wrong')).rejects.toMatchObject({ code: 'wrong-passphrase' })
    await expect(load()).rejects.toMatchObject({ code: 'needs-passphrase' })
  })
})

describe('the genesis file', () => {
  it('is refused with every fault, each on its line', async () => {
    const path = join(await scratch(), 'genesis.json')
    const text = await readFile(join(cluster, 'genesis.json'), 'utf8')
    await writeFile(path, text.replace('"window": 32', '"window": 0').replace('"role": "writer"', '"role": "owner"'))
    await expect(loadGenesis(path)).rejects.toMatchObject({
      code: 'invalid-genesis',
      message: `${path} has 2 faults:
  clients[1].role: must be "reader", "writer" or "admin"
  parameters.window: must be a whole number from 1 to 1024 (slots)`,
      faults: [{ path: 'clients[1].role' }, { path: 'parameters.window' }],
    })
  })

  it('is refused where it is missing or too large', async () => {
    const path = join(await scratch(), 'genesis.json')
    await expect(loadGenesis(path)).rejects.toMatchObject({
      code: 'not-found',
      message: `${path} does not exist; check the path`,
    })
    await writeFile(path, ' '.repeat(2_000_000))
    await expect(loadGenesis(path)).rejects.toThrow('the file is larger than 1048576 bytes')
  })
})

describe('a passphrase', () => {
  const fileWith = async (text: string | Uint8Array, mode = 0o600): Promise<string> => {
    const path = join(await scratch(), 'passphrase')
    await writeFile(path, text, { mode })
    return path
  }

  it('is the line in the file, else the environment variable, else there is none', async () => {
    const environment = { QUORATE_PASSPHRASE: 'from outside' }
    expect(await readPassphrase({ file: await fileWith('two words\n'), environment })).toBe('two words')
    expect(await readPassphrase({ file: await fileWith(' blanks kept ') })).toBe(' blanks kept ')
    expect(await readPassphrase({ environment })).toBe('from outside')
    expect(await readPassphrase({ environment: {} })).toBeUndefined()
  })

  it.each([
    ['empty', '', 'is empty'],
    ['only a line break', '\n', 'is empty'],
    ['two lines', 'a\nb\n', 'has more than one line'],
    ['too long', 'x'.repeat(1025), 'is longer than 1024 bytes'],
    ['not text', Uint8Array.of(0xff), 'is not UTF-8 text'],
  ])('is refused where it is %s', async (_, text, sentence) => {
    await expect(readPassphrase({ file: await fileWith(text) })).rejects.toThrow(sentence)
  })

  it('is refused where others can read the file', async () => {
    await expect(readPassphrase({ file: await fileWith('secret', 0o644) })).rejects.toMatchObject({ code: 'too-open' })
  })

  it('is refused where the environment variable is empty', async () => {
    await expect(readPassphrase({ environment: { QUORATE_PASSPHRASE: '' } })).rejects.toThrow(
      'QUORATE_PASSPHRASE is empty',
    )
  })
})

describe('what keygen assumes', () => {
  it.each([
    [4, {}, { byzantine: 1, crash: 0 }],
    [1, {}, { byzantine: 0, crash: 0 }],
    [3, {}, { byzantine: 0, crash: 1 }],
    [6, {}, { byzantine: 1, crash: 1 }],
    [7, {}, { byzantine: 2, crash: 0 }],
    [7, { crash: 1 }, { byzantine: 1, crash: 1 }],
    [7, { byzantine: 0 }, { byzantine: 0, crash: 3 }],
    [7, { byzantine: 1 }, { byzantine: 1, crash: 1 }],
    [4, { byzantine: 1, crash: 0 }, { byzantine: 1, crash: 0 }],
    [4, { crash: 3 }, { byzantine: 0, crash: 3 }],
    [4, { byzantine: 2 }, { byzantine: 2, crash: 0 }],
  ])('%i replicas, given %j, bear %j', (replicas, given, expected) => {
    expect(toleranceOf(replicas, given)).toEqual(expected)
  })

  it('reads one line of addresses a replica', async () => {
    const path = join(await scratch(), 'addresses')
    await writeFile(path, '# ours\n/ip4/1.2.3.4/tcp/1  /dns/a.b/tcp/1 # two\n\n\t/ip4/1.2.3.5/tcp/1\r\n')
    expect(await readAddressList(path, 2)).toEqual([['/ip4/1.2.3.4/tcp/1', '/dns/a.b/tcp/1'], ['/ip4/1.2.3.5/tcp/1']])
    await expect(readAddressList(path, 3)).rejects.toThrow(`${path} has 2 lines of addresses for 3 replicas`)
  })
})

describe('the keys of a replica that is to join', () => {
  it('are in a new folder for its owner alone, and no two alike', async () => {
    const folder = join(await scratch(), 'replica-new')
    const { consensus, transport } = await generateReplicaKeys(folder)
    expect(consensus.publicKey).not.toEqual(transport.publicKey)
    expect(((await stat(folder)).mode & 0o777).toString(8)).toBe('700')
    expect((await readdir(folder)).sort()).toEqual(['consensus.pem', 'transport.pem'])
    await expect(generateReplicaKeys(folder)).rejects.toMatchObject({ code: 'exists' })
  })
})

describe('the key that a member changes to', () => {
  it('is made once, beside the one that it has, and found again', async () => {
    const folder = await folderOf({ 'consensus.pem': 'replica-0/consensus.pem' })
    const next = await nextConsensusKey(folder, { passphrase: 'correct horse' })
    expect(next.publicKey).not.toEqual(genesis.members[0]?.consensusKey)
    expect((await readdir(folder)).sort()).toEqual(['consensus.pem', 'next-consensus.pem'])
    const again = await nextConsensusKey(folder, { passphrase: 'correct horse' })
    expect(again.publicKey).toEqual(next.publicKey)
    await expect(nextConsensusKey(folder)).rejects.toMatchObject({ code: 'needs-passphrase' })
  })

  it('is whole, also after a try that ended in the middle', async () => {
    const folder = await folderOf({ 'consensus.pem': 'replica-0/consensus.pem' })
    await writeFile(join(folder, 'next-consensus.pem.tmp'), 'half a')
    await nextConsensusKey(folder)
    expect((await readdir(folder)).sort()).toEqual(['consensus.pem', 'next-consensus.pem'])
  })
})

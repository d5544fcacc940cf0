import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, portableVerifier, sha256, utf8 } from '../../../crypto/index.ts'
import {
  assembleGenesis,
  canonicalForm,
  clusterIdOf,
  DEFAULT_PARAMETERS,
  faultText,
  genesisText,
  MAX_GENESIS_BYTES,
  NUMBER_PARAMETERS,
  possessionBinding,
  readGenesis,
  vkeysOf,
} from '../../../keys/genesis/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import { golden } from '../../support/golden.ts'
import {
  faultsOf,
  genesisOf,
  impostor,
  leavesOf,
  memberDraft,
  objectsOf,
  pathText,
  sample,
  sampleDraft,
  signerNamed,
  valueAt,
  withValue,
} from '../sample.ts'

const GOOD = sample()

describe('a genesis', () => {
  it('is read back as it was assembled', () => {
    const genesis = genesisOf(GOOD)
    expect(genesis.contents).toEqual(GOOD)
    expect(genesis.label).toBe(`demo-${hex(genesis.clusterId).slice(0, 8)}`)
    expect(genesis.origin).toBe(`quorate/${genesis.label}`)
    expect(genesis.membership.clusterId).toEqual(genesis.clusterId)
    expect(genesis.membership.members).toHaveLength(2)
    expect(genesis.members.map(({ consensusKey }) => hex(consensusKey))).toEqual(
      GOOD.members.map(({ consensusKey }) => consensusKey),
    )
    expect(genesis.members[1]?.transportKey).toEqual(signerNamed('transport 1').publicKey)
    expect(genesis.clients.map(({ name, role }) => `${name}: ${role}`)).toEqual(['admin: admin', 'writer-1: writer'])
  })

  it('keeps its cluster id, its binding and its checkpoint keys for ever', () => {
    const genesis = genesisOf(GOOD)
    const made = {
      text: genesisText(GOOD),
      clusterId: hex(genesis.clusterId),
      possessionBinding: hex(possessionBinding(GOOD)),
      membershipDigest: hex(genesis.membership.digest),
      origin: genesis.origin,
      vkeys: vkeysOf(genesis),
    }
    expect(made).toEqual(golden('genesis', made))
    const page = readFileSync(new URL('../../../docs/genesis.md', import.meta.url), 'utf8')
    for (const documented of [made.clusterId, made.possessionBinding, made.origin]) expect(page).toContain(documented)
  })

  it('is taken by the portable verifier too', () => {
    const result = readGenesis(utf8(genesisText(GOOD)), portableVerifier)
    expect(result.ok && hex(result.value.clusterId)).toBe(hex(clusterIdOf(GOOD)))
  })
})

describe('the page about the genesis', () => {
  const page = readFileSync(new URL('../../../docs/genesis.md', import.meta.url), 'utf8')
  it.each(Object.entries(NUMBER_PARAMETERS))('has the default, bounds and unit of %s', (name, parameter) => {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? ''
    const [, , fallback, bounds, unit, meaning] = row.split('|').map((cell) => cell.trim())
    expect(bounds?.startsWith(`${parameter.least} to ${parameter.most}`)).toBe(true)
    expect([Number(fallback), unit, meaning]).toEqual([parameter.default, parameter.unit, parameter.meaning])
  })
})

describe('the cluster id', () => {
  it('is the SHA-256 of the sorted JSON without blanks', () => {
    expect(hex(clusterIdOf(GOOD))).toBe(hex(sha256(utf8(JSON.stringify(sorted(GOOD))))))
  })

  it('does not change when the file is reformatted or its names are reordered', () => {
    const id = hex(clusterIdOf(GOOD))
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), fc.constantFrom(undefined, 1, 4, '\t', '\r\n  '), (numbers, indent) => {
        const shuffled = reordered(GOOD, () => numbers.next().value)
        const text = JSON.stringify(shuffled, undefined, indent)
        const result = readGenesis(utf8(text), nativeVerifier)
        expect(result.ok && hex(result.value.clusterId)).toBe(id)
      }),
      { numRuns: 20 },
    )
  })

  it('does not change when characters are written as escapes', () => {
    const text = genesisText(GOOD).replaceAll('demo', '\\u0064emo').replaceAll('/', '\\/')
    const result = readGenesis(utf8(text), nativeVerifier)
    expect(result.ok && hex(result.value.clusterId)).toBe(hex(clusterIdOf(GOOD)))
  })

  const seen = new Set([hex(clusterIdOf(GOOD))])
  it.each(leavesOf(GOOD).map((path) => [pathText(path), path] as const))(
    'changes with %s, which alone is refused',
    (_, path) => {
      for (const other of othersOf(valueAt(GOOD, path))) {
        const changed = withValue(GOOD, path, other)
        const id = hex(sha256(canonicalForm(contentsLike(changed))))
        expect(seen.has(id)).toBe(false)
        seen.add(id)
        expect(faultsOf(changed)).not.toEqual([])
      }
    },
  )
})

describe('the shape of a genesis', () => {
  it.each(
    leavesOf(GOOD)
      .filter((path) => typeof path.at(-1) === 'string')
      .map((path) => [pathText(path), path] as const),
  )('needs %s', (text, path) => {
    expect(faultsOf(withValue(GOOD, path, undefined))).toEqual([{ path: text, message: 'is missing' }])
  })

  it.each(leavesOf(GOOD).map((path) => [pathText(path), path] as const))('refuses null for %s', (text, path) => {
    expect(faultsOf(withValue(GOOD, path, null)).map(({ path: where }) => where)).toEqual([text])
  })

  it.each(objectsOf(GOOD).map((path) => [pathText(path), path] as const))(
    'refuses unknown fields in "%s"',
    (_, path) => {
      for (const name of ['extra', '__proto__', 'toString', 'toJSON']) {
        const text = JSON.stringify(withValue(GOOD, [...path, 'PLACE'], 0)).replace('PLACE', name)
        const result = readGenesis(utf8(text), nativeVerifier)
        expect(result).toEqual({ ok: false, fault: [{ path: pathText([...path, name]), message: 'unknown field' }] })
      }
    },
  )

  it('is reported with every fault at once', () => {
    const faults = faultsOf({ ...GOOD, name: 'Demo', members: [], parameters: { ...DEFAULT_PARAMETERS, window: 0 } })
    expect(faults.map(faultText)).toEqual([
      'name: must be a DNS label: 1 to 63 lower-case letters, digits and inner hyphens',
      'members: must be a list of 1 to 100 members',
      'parameters.window: must be a whole number from 1 to 1024 (slots)',
    ])
  })

  it('is not reported with more than a hundred faults of shape', () => {
    const unknown = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`f${i}`, 0]))
    const faults = faultsOf({ ...GOOD, ...unknown })
    expect(faults).toHaveLength(101)
    expect(faults.at(-1)).toEqual({ path: '', message: 'has 49900 more faults' })
    expect(faultsOf({ ...GOOD, members: Array(100_000).fill(0) })).toHaveLength(1)
  })

  it('cannot put control characters into our sentences', () => {
    const faults = faultsOf({ ...GOOD, '\u001b[2J\u202e': 1 })
    expect(faults.map(faultText)).toEqual(['["\\u001b[2J\\u202e"]: unknown field'])
  })
})

describe('the faults of a file', () => {
  const text = genesisText(GOOD)
  it.each([
    ['nothing', '', 'the file is not JSON'],
    ['an array', '[]', 'the file must hold one JSON object'],
    ['half a file', text.slice(0, -10), 'the file is not JSON'],
    [
      'a repeated name',
      text.replace('{', '{ "name": "other",'),
      'the file is ambiguous at line 3, column 3: the name "name"',
    ],
    ['a rounded number', text.replace('32,', '32.00000000000000000001,'), 'is not a plain whole number'],
    ['too many bytes', text + ' '.repeat(MAX_GENESIS_BYTES), 'the file is larger than 1048576 bytes'],
  ])('include %s', (_, bytes, sentence) => {
    const result = readGenesis(utf8(bytes), nativeVerifier)
    expect(result.ok ? [] : result.fault.map(faultText)).toEqual([expect.stringContaining(sentence)])
  })

  it('include bytes that are not UTF-8', () => {
    const result = readGenesis(Uint8Array.of(0x7b, 0xff, 0x7d), nativeVerifier)
    expect(result).toEqual({ ok: false, fault: [{ path: '', message: 'is not UTF-8 text' }] })
  })
})

describe('the faults of what a genesis says', () => {
  const draft = sampleDraft()
  const [first, second] = [memberDraft(0), memberDraft(1)]
  const parameters = (changes: object) => sample({ parameters: { ...DEFAULT_PARAMETERS, ...changes } })

  it.each([
    [
      'too many liars',
      sample({ quorum: { byzantine: 1, crash: 0 } }),
      'quorum: 2 replicas cannot bear 1 liar: needs n >= 3b + 2c + 1 = 4',
    ],
    [
      'a consensus key twice',
      sample({ members: [first, { ...second, consensus: first.consensus }] }),
      'members[1].consensusKey: repeats members[0].consensusKey',
    ],
    [
      'one key for consensus and transport',
      sample({ members: [first, { ...second, transport: second.consensus }] }),
      'members[1].peerId: repeats members[1].consensusKey',
    ],
    [
      "a replica's key as a client's",
      sample({ clients: [{ name: 'admin', role: 'admin', key: first.transport }] }),
      'clients[0].key: repeats members[0].peerId',
    ],
    [
      'a client name twice',
      sample({ clients: [...draft.clients, { name: 'admin', role: 'reader', key: signerNamed('other') }] }),
      'clients[2].name: repeats clients[0].name',
    ],
    [
      'an address twice',
      sample({ members: [first, { ...second, addresses: first.addresses }] }),
      'members[1].addresses[0]: repeats members[0].addresses[0]',
    ],
    [
      'an address that cannot be dialled',
      sample({ members: [first, { ...second, addresses: ['/ip4/0.0.0.0/tcp/1'] }] }),
      'members[1].addresses[0]: "0.0.0.0" means "any address": nobody can dial it',
    ],
    [
      "somebody else's consensus key",
      sample({ members: [first, { ...second, consensus: impostor(signerNamed('victim').publicKey) }] }),
      'members[1].possession.consensus: is not a signature by members[1].consensusKey for this place in this genesis',
    ],
    [
      "somebody else's peer id",
      sample({ members: [first, { ...second, transport: impostor(signerNamed('victim').publicKey) }] }),
      'members[1].possession.transport: is not a signature by members[1].peerId for this place in this genesis',
    ],
    [
      "somebody else's client key",
      sample({ clients: [{ name: 'admin', role: 'admin', key: impostor(signerNamed('victim').publicKey) }] }),
      'clients[0].possession: is not a signature by clients[0].key for this place in this genesis',
    ],
    [
      'a checkpoint interval below the window',
      parameters({ window: 64, checkpointInterval: 63 }),
      'parameters.checkpointInterval: 63 slots must not be less than the window of 64',
    ],
    [
      'requests larger than batches',
      parameters({ maxBatchBytes: 1024, maxRequestBytes: 1025 }),
      'parameters.maxRequestBytes: 1025 bytes do not fit into a batch of maxBatchBytes = 1024',
    ],
    [
      'a timeout above its cap',
      parameters({ viewTimeoutMs: 600, viewTimeoutCapMs: 599 }),
      'parameters.viewTimeoutCapMs: 599 ms must not be less than viewTimeoutMs = 600',
    ],
    [
      'a handover between checkpoints',
      parameters({ rotation: { policy: 'every', slots: 129 } }),
      'parameters.rotation.slots: 129 must be a multiple of checkpointInterval = 128: leaders change there',
    ],
  ])('include %s', (_, contents, sentence) => {
    expect(faultsOf(contents).map(faultText)).toEqual([sentence])
  })

  const four = { quorum: { byzantine: 1, crash: 0 }, members: [0, 1, 2, 3].map(memberDraft) }
  it.each([
    [{ rotation: { policy: 'lowest-alive' } as const }, 'parameters.rotation.policy: "lowest-alive" is for crash mode'],
    [{ signedVotes: false }, 'parameters.signedVotes: may be false in crash mode'],
  ])('include %j beside liars, but not in crash mode', (changes, sentence) => {
    const changed = { ...DEFAULT_PARAMETERS, ...changes }
    expect(faultsOf(sample({ ...four, parameters: changed })).map(faultText)).toEqual([
      expect.stringContaining(sentence),
    ])
    expect(faultsOf(sample({ parameters: changed }))).toEqual([])
  })

  it.each([
    ['the identity', `01${'00'.repeat(31)}`],
    ['a point of order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['no point', `02${'00'.repeat(31)}`],
    ['y = p + 1', `ee${'ff'.repeat(30)}7f`],
  ])('include an inadmissible key: %s', (_, key) => {
    expect(faultsOf(withValue(GOOD, ['members', 1, 'consensusKey'], key)).map(faultText)).toEqual([
      'members[1].consensusKey: is not an admissible Ed25519 key (canonical encoding of a point of prime order)',
      'the file was changed after its keys signed it: no proof of possession is for this genesis',
    ])
  })

  it('include swapped proofs, each by its place', () => {
    const swapped = structuredClone(GOOD)
    const [a, b] = GOOD.members
    const contents = {
      ...swapped,
      members: [
        { ...a, possession: b?.possession },
        { ...b, possession: a?.possession },
      ],
    }
    expect(faultsOf(contents).map(({ path }) => path)).toEqual([
      'members[0].possession.consensus',
      'members[0].possession.transport',
      'members[1].possession.consensus',
      'members[1].possession.transport',
    ])
  })

  it('include a proof with a torsion point added, like any wrong signature', () => {
    const proof = `${'00'.repeat(32)}${GOOD.clients[0]?.possession.slice(64)}`
    expect(faultsOf(withValue(GOOD, ['clients', 0, 'possession'], proof)).map(({ path }) => path)).toEqual([
      'clients[0].possession',
    ])
  })

  it('are reported together', () => {
    const contents = sample({
      quorum: { byzantine: 1, crash: 0 },
      members: [first, { ...second, addresses: ['/ip4/1.2.3.4/udp/1'] }],
      parameters: { ...DEFAULT_PARAMETERS, checkpointInterval: 1, signedVotes: false },
    })
    expect(faultsOf(contents).map(({ path }) => path)).toEqual([
      'quorum',
      'members[1].addresses[0]',
      'parameters.checkpointInterval',
      'parameters.signedVotes',
    ])
  })
})

describe('the second format', () => {
  const [first, second] = [memberDraft(0), memberDraft(1)]
  const draft = {
    ...sampleDraft(),
    members: [first, { ...second, operator: 'writer-1' }],
    clients: [...sampleDraft().clients, { name: 'second', role: 'admin', key: signerNamed('client second') } as const],
    admins: { threshold: 2 },
  }
  const contents = assembleGenesis(draft)

  it('says how many admins must agree, and who may replace a member', () => {
    expect(contents.format).toBe('quorate-genesis-2')
    const genesis = genesisOf(contents)
    expect(genesis.contents).toEqual(contents)
    expect(genesis.admins).toEqual({ threshold: 2 })
    expect(genesis.members.map(({ operator }) => operator)).toEqual([
      undefined,
      signerNamed('client writer-1').publicKey,
    ])
  })

  it('is read back from its text, and keeps its cluster id for ever', () => {
    const text = genesisText(contents)
    const result = readGenesis(utf8(text), nativeVerifier)
    expect(result.ok && result.value.contents).toEqual(contents)
    const made = {
      text,
      clusterId: hex(clusterIdOf(contents)),
      possessionBinding: hex(possessionBinding(contents)),
      membershipDigest: hex(genesisOf(contents).membership.digest),
    }
    expect(made).toEqual(golden('genesis-2', made))
  })

  it('is written only where the first cannot say it', () => {
    expect(sample().format).toBe('quorate-genesis-1')
    expect(sample({ admins: { threshold: 1 } }).format).toBe('quorate-genesis-2')
    const operated = sample({ members: [{ ...first, operator: 'admin' }, second] })
    expect(operated).toMatchObject({ format: 'quorate-genesis-2', admins: { threshold: 1 } })
    expect(genesisOf(sample()).admins).toEqual({ threshold: 1 })
  })

  it('has the binding of the file without its proofs', () => {
    const unproven = structuredClone<unknown>(contents)
    for (const path of objectsOf(unproven)) {
      const owner = valueAt(unproven, path)
      if (typeof owner === 'object' && owner !== null) Reflect.deleteProperty(owner, 'possession')
    }
    expect(hex(possessionBinding(contents))).toBe(hex(sha256(utf8(JSON.stringify(sorted(unproven))))))
  })

  const seen = new Set([hex(clusterIdOf(contents))])
  it.each(leavesOf(contents).map((path) => [pathText(path), path] as const))(
    'has another cluster id with another %s, which alone is refused',
    (_, path) => {
      for (const other of othersOf(valueAt(contents, path))) {
        const changed = withValue(contents, path, other)
        const id = hex(sha256(canonicalForm(contentsLike(changed))))
        expect(seen.has(id)).toBe(false)
        seen.add(id)
        expect(faultsOf(changed)).not.toEqual([])
      }
    },
  )

  it.each([
    [
      'more admins than are listed',
      assembleGenesis({ ...draft, admins: { threshold: 3 } }),
      'admins.threshold: 3 admins must agree, and 2 are listed',
    ],
    [
      'an operator that is nobody',
      assembleGenesis({ ...draft, members: [first, { ...second, operator: 'writer-2' }] }),
      'members[1].operator: "writer-2" is not the name of a client',
    ],
    [
      'nobody who must agree',
      assembleGenesis({ ...draft, admins: { threshold: 0 } }),
      'admins.threshold: must be a whole number from 1 to 1000 (admins)',
    ],
    ['no word on admins', withValue(contents, ['admins'], undefined), 'admins: is missing'],
    ['an unknown field', withValue(contents, ['admins', 'extra'], 1), 'admins.extra: unknown field'],
    [
      'an operator in the first format',
      withValue(GOOD, ['members', 0, 'operator'], 'admin'),
      'members[0].operator: unknown field',
    ],
    ['admins in the first format', withValue(GOOD, ['admins'], { threshold: 1 }), 'admins: unknown field'],
    [
      'a third format',
      withValue(GOOD, ['format'], 'quorate-genesis-3'),
      'format: must be "quorate-genesis-1" or "quorate-genesis-2", the formats that this program reads',
    ],
  ])('is refused with %s', (_, changed, sentence) => {
    expect(faultsOf(changed).map(faultText)).toEqual([sentence])
  })

  it('is refused with an operator taken away or put in after the keys signed', () => {
    for (const changed of [
      withValue(contents, ['members', 1, 'operator'], undefined),
      withValue(contents, ['members', 0, 'operator'], 'writer-1'),
      withValue(contents, ['admins', 'threshold'], 1),
    ]) {
      expect(faultsOf(changed).map(faultText)).toEqual([
        'the file was changed after its keys signed it: no proof of possession is for this genesis',
      ])
    }
  })
})

describe('proofs of possession', () => {
  it('are not valid in a genesis that differs in one value', () => {
    const other = assembleGenesis({ ...sampleDraft(), name: 'other' })
    const contents = { ...other, members: GOOD.members, clients: GOOD.clients }
    expect(faultsOf(contents).map(faultText)).toEqual([
      'the file was changed after its keys signed it: no proof of possession is for this genesis',
    ])
  })

  it('are not part of what they sign', () => {
    expect(possessionBinding(GOOD)).toEqual(
      possessionBinding(contentsLike(withValue(GOOD, ['clients', 0, 'possession'], 'ff'))),
    )
  })
})

/** Other values of the same kind, near `value`. */
function othersOf(value: unknown): unknown[] {
  if (typeof value === 'number') return [value + 1]
  if (typeof value === 'boolean') return [!value]
  const text = String(value)
  const flipped = text.at(-1) === '0' ? '1' : '0'
  return [`${text.slice(0, -1)}${flipped}`, `${text}0`]
}

/** The same value, as the type that the pure functions take; they only read it. */
function contentsLike(value: unknown): typeof GOOD {
  return { ...GOOD, ...(typeof value === 'object' ? value : {}) }
}

function sorted(value: unknown): unknown {
  return reordered(value, undefined)
}

/** Names in sorted order, or shuffled by `random`. */
function reordered(value: unknown, random: (() => number) | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => reordered(item, random))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  const keyed = entries.map(([name, inner]) => [random?.() ?? 0, [name, reordered(inner, random)] as const] as const)
  return Object.fromEntries(keyed.sort(([a], [b]) => a - b).map(([, entry]) => entry))
}

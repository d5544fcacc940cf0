// A genesis file, read and checked: the one thing that a replica, a client and an auditor all start from. In order:
//
//   G1  at most 1 MiB of UTF-8, strict JSON (strict-json.ts)
//   G2  the shape of the format, every field and nothing else (format.ts)
//   G3  n, b and c obey the quorum rule
//   G4  keys are admitted (K1-K4 of crypto/ed25519.ts), peer ids are canonical
//   G5  no key, client name or address is listed twice, whatever it is for
//   G6  addresses can be dialled
//   G7  parameters fit one another and the mode
//   G8  every key proves its possession for this place in this genesis
//   G9  as many admins as a change takes are listed, and operators are clients (format 2)
//
// Faults of G3-G9 are reported together; G8 looks only at keys that passed G4. Checking costs two key admissions and
// two signature checks a member, one of each a client.

import {
  type AdmittedKey,
  admitKey,
  checkpointOrigin,
  type Digest,
  epoch,
  failure,
  fromHex,
  fromUtf8,
  hex,
  type KeyPurpose,
  type Member,
  type Membership,
  membership,
  quorumFault,
  quorumSystem,
  type Result,
  type SignatureVerifier,
  signature,
  success,
} from '../../crypto/index.ts'
import { addressFault } from './address.ts'
import { clusterIdOf, clusterLabel, possessionBinding, possessionBytes } from './canonical.ts'
import type { GenesisFault } from './fault.ts'
import { contentsOf, GENESIS_FORMAT_2, type GenesisContents, MAX_GENESIS_BYTES, type Role } from './format.ts'
import { type Parameters, parameterFaults } from './parameters.ts'
import { keyOfPeerId } from './peer-id.ts'
import { parseStrictJson } from './strict-json.ts'
import { quoted } from './text.ts'

export interface GenesisMember extends Member {
  readonly transportKey: AdmittedKey
  readonly peerId: string
  readonly addresses: readonly string[]
  /** The client who may replace this member and its keys without the admins. */
  readonly operator: AdmittedKey | undefined
}

export interface GenesisClient {
  readonly name: string
  readonly role: Role
  readonly key: AdmittedKey
}

/** A genesis that passed every check. */
export interface Genesis {
  readonly contents: GenesisContents
  readonly clusterId: Digest
  /** `<name>-<8 digits>`, for people. */
  readonly label: string
  /** Of checkpoint notes: `quorate/<name>-<8 digits>`. */
  readonly origin: string
  /** Of epoch 0. */
  readonly membership: Membership
  readonly members: readonly GenesisMember[]
  readonly clients: readonly GenesisClient[]
  readonly parameters: Parameters
  /** How many admins must agree on a change of the membership. */
  readonly admins: { readonly threshold: number }
}

/** One declared key: where, for what, and its proof. `key` is undefined where it was refused. */
interface DeclaredKey {
  readonly path: string
  readonly purpose: KeyPurpose
  readonly index: number
  readonly key: AdmittedKey | undefined
  readonly proofPath: string
  readonly proof: string
}

/** The genesis in the bytes of a file, or every fault found. Never throws. */
export function readGenesis(bytes: Uint8Array, verifier: SignatureVerifier): Result<Genesis, readonly GenesisFault[]> {
  if (bytes.length > MAX_GENESIS_BYTES)
    return failure([{ path: '', message: `is larger than ${MAX_GENESIS_BYTES} bytes` }])
  const text = fromUtf8(bytes)
  if (text === undefined) return failure([{ path: '', message: 'is not UTF-8 text' }])
  const json = parseStrictJson(text)
  if (!json.ok) return failure([{ path: '', message: json.fault }])
  const contents = contentsOf(json.value)
  return 'format' in contents ? checkContents(contents, verifier) : failure(contents)
}

function checkContents(
  contents: GenesisContents,
  verifier: SignatureVerifier,
): Result<Genesis, readonly GenesisFault[]> {
  const quorum = { replicas: contents.members.length, ...contents.quorum }
  const unfit = quorumFault(quorum)
  const keys = declaredKeys(contents)
  const faults = [
    ...(unfit === undefined ? [] : [{ path: 'quorum', message: unfit }]),
    ...keyFaults(keys),
    ...repeated(keys.flatMap(({ path, key }) => (key === undefined ? [] : [{ path, value: hex(key) }]))),
    ...repeated(contents.clients.map(({ name }, i) => ({ path: `clients[${i}].name`, value: name }))),
    ...addressFaults(contents),
    ...parameterFaults(contents.parameters, contents.quorum.byzantine === 0),
    ...possessionFaults(keys, possessionBinding(contents), verifier),
    ...adminFaults(contents),
  ]
  if (faults.length > 0) return failure(faults)

  const admitted = (purpose: KeyPurpose) => keys.filter((key) => key.purpose === purpose).map(({ key }) => key)
  const [consensusKeys, transportKeys, clientKeys] = [admitted('consensus'), admitted('transport'), admitted('client')]
  const clients = contents.clients.map(({ name, role }, i) => ({ name, role, key: present(clientKeys[i]) }))
  const operators = operatorsOf(contents)
  const members = contents.members.map(({ peerId, addresses }, i) => ({
    consensusKey: present(consensusKeys[i]),
    transportKey: present(transportKeys[i]),
    peerId,
    addresses,
    operator: clients.find(({ name }) => name === operators[i])?.key,
  }))
  const clusterId = clusterIdOf(contents)
  const label = clusterLabel(contents.name, clusterId)
  return success({
    contents,
    clusterId,
    label,
    origin: checkpointOrigin(contents.name, clusterId),
    membership: membership(clusterId, epoch(0), members, quorumSystem(quorum)),
    members,
    clients,
    parameters: contents.parameters,
    admins: { threshold: contents.format === GENESIS_FORMAT_2 ? contents.admins.threshold : 1 },
  })
}

function declaredKeys(contents: GenesisContents): DeclaredKey[] {
  const ofMembers = contents.members.flatMap((member, index): DeclaredKey[] => {
    const path = `members[${index}]`
    const transportKey = keyOfPeerId(member.peerId)
    return [
      {
        path: `${path}.consensusKey`,
        purpose: 'consensus',
        index,
        key: admitKey(fromHex(member.consensusKey) ?? new Uint8Array()),
        proofPath: `${path}.possession.consensus`,
        proof: member.possession.consensus,
      },
      {
        path: `${path}.peerId`,
        purpose: 'transport',
        index,
        key: transportKey && admitKey(transportKey),
        proofPath: `${path}.possession.transport`,
        proof: member.possession.transport,
      },
    ]
  })
  const ofClients = contents.clients.map(
    (client, index): DeclaredKey => ({
      path: `clients[${index}].key`,
      purpose: 'client',
      index,
      key: admitKey(fromHex(client.key) ?? new Uint8Array()),
      proofPath: `clients[${index}].possession`,
      proof: client.possession,
    }),
  )
  return [...ofMembers, ...ofClients]
}

function keyFaults(keys: readonly DeclaredKey[]): GenesisFault[] {
  return keys
    .filter(({ key }) => key === undefined)
    .map(({ path, purpose }) => ({
      path,
      message:
        purpose === 'transport'
          ? 'is not the canonical peer id of an admissible Ed25519 key'
          : 'is not an admissible Ed25519 key (canonical encoding of a point of prime order)',
    }))
}

function repeated(values: readonly { path: string; value: string }[]): GenesisFault[] {
  const first = new Map<string, string>()
  return values.flatMap(({ path, value }) => {
    const before = first.get(value)
    if (before !== undefined) return [{ path, message: `repeats ${before}` }]
    first.set(value, path)
    return []
  })
}

function addressFaults(contents: GenesisContents): GenesisFault[] {
  const all = contents.members.flatMap(({ addresses }, member) =>
    addresses.map((value, i) => ({ path: `members[${member}].addresses[${i}]`, value })),
  )
  const wrong = all.flatMap(({ path, value }) => {
    const message = addressFault(value)
    return message === undefined ? [] : [{ path, message }]
  })
  return [...wrong, ...repeated(all)]
}

function possessionFaults(keys: readonly DeclaredKey[], binding: Digest, verifier: SignatureVerifier): GenesisFault[] {
  const candidates = keys.filter(({ key }) => key !== undefined)
  const failed = candidates.filter(({ key, purpose, index, proof }) => {
    const message = possessionBytes(binding, purpose, index, present(key))
    return !verifier.verify(present(key), message, signature(fromHex(proof) ?? new Uint8Array()))
  })
  if (failed.length > 1 && failed.length === candidates.length) {
    return [{ path: '', message: 'was changed after its keys signed it: no proof of possession is for this genesis' }]
  }
  return failed.map(({ proofPath, path }) => ({
    path: proofPath,
    message: `is not a signature by ${path} for this place in this genesis`,
  }))
}

function adminFaults(contents: GenesisContents): GenesisFault[] {
  if (contents.format !== GENESIS_FORMAT_2) return []
  const { threshold } = contents.admins
  const admins = contents.clients.filter(({ role }) => role === 'admin').length
  const names = new Set(contents.clients.map(({ name }) => name))
  const tooMany = { path: 'admins.threshold', message: `${threshold} admins must agree, and ${admins} are listed` }
  const unknown = operatorsOf(contents).flatMap((name, i) => {
    if (name === undefined || names.has(name)) return []
    return [{ path: `members[${i}].operator`, message: `${quoted(name)} is not the name of a client` }]
  })
  return threshold > admins ? [tooMany, ...unknown] : unknown
}

/** The operators' names, by position. */
function operatorsOf(contents: GenesisContents): (string | undefined)[] {
  return contents.format === GENESIS_FORMAT_2 ? contents.members.map(({ operator }) => operator) : []
}

/** @throws {Error} for undefined: its callers found no fault, so every key was admitted. */
function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('unreachable: a key without a fault is missing')
  return value
}

// A small genesis of fixed keys for the tests.

import { createHash } from 'node:crypto'
import { admitKey, type Signer, utf8 } from '../../crypto/index.ts'
import {
  assembleGenesis,
  DEFAULT_PARAMETERS,
  type Genesis,
  type GenesisContents,
  type GenesisDraft,
  type GenesisFault,
  readGenesis,
} from '../../keys/genesis/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'

/** The seed that the tests call `name`. */
export function seedNamed(name: string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(`test seed ${name}`).digest())
}

const signers = new Map<string, Signer>()

export function signerNamed(name: string): Signer {
  const known = signers.get(name)
  if (known !== undefined) return known
  const made = nativeSigner(seedNamed(name))
  signers.set(name, made)
  return made
}

export function memberDraft(index: number): GenesisDraft['members'][number] {
  return {
    consensus: signerNamed(`consensus ${index}`),
    transport: signerNamed(`transport ${index}`),
    addresses: [`/ip4/127.0.0.1/tcp/${7400 + index}`],
  }
}

const BASE: GenesisDraft = {
  name: 'demo',
  quorum: { byzantine: 0, crash: 0 },
  members: [memberDraft(0), memberDraft(1)],
  clients: [
    { name: 'admin', role: 'admin', key: signerNamed('client admin') },
    { name: 'writer-1', role: 'writer', key: signerNamed('client writer-1') },
  ],
  parameters: DEFAULT_PARAMETERS,
}

/** Two replicas and two clients, changed by `changes` before the keys sign. */
export function sample(changes: Partial<GenesisDraft> = {}): GenesisContents {
  return assembleGenesis({ ...BASE, ...changes })
}

export function sampleDraft(): GenesisDraft {
  return BASE
}

export function read(contents: unknown) {
  return readGenesis(utf8(JSON.stringify(contents)), nativeVerifier)
}

export function faultsOf(contents: unknown): readonly GenesisFault[] {
  const result = read(contents)
  return result.ok ? [] : result.fault
}

export function genesisOf(contents: unknown): Genesis {
  const result = read(contents)
  if (!result.ok) throw new Error(JSON.stringify(result.fault))
  return result.value
}

/** A signer whose public key is `key`, which it cannot sign for. @throws {Error} where the key is not admissible. */
export function impostor(key: Uint8Array): Signer {
  const publicKey = admitKey(key)
  if (publicKey === undefined) throw new Error('not an admissible key')
  return { publicKey, sign: signerNamed('impostor').sign }
}

export type Path = readonly (string | number)[]

/** Every place in `value` that holds no object or list. */
export function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const steps = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  return steps.flatMap((step) => leavesOf(Reflect.get(value, step), [...path, step]))
}

/** Every place in `value` that holds an object. */
export function objectsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return []
  const steps = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  const inner = steps.flatMap((step) => objectsOf(Reflect.get(value, step), [...path, step]))
  return Array.isArray(value) ? inner : [path, ...inner]
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => (typeof at === 'object' && at !== null ? Reflect.get(at, step) : at), value)
}

/** A copy of `value` with `leaf` at `path`; undefined takes the place away. */
export function withValue(value: unknown, path: Path, leaf: unknown): unknown {
  const copy: unknown = structuredClone(value)
  const parent = valueAt(copy, path.slice(0, -1))
  const step = path.at(-1)
  if (typeof parent !== 'object' || parent === null || step === undefined) return leaf
  if (leaf === undefined) Reflect.deleteProperty(parent, step)
  else Reflect.set(parent, step, leaf)
  return copy
}

export function pathText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

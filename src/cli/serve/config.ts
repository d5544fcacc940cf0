// A replica's config file: YAML, every field optional, unknown ones refused with what may have been meant. docs/configuration.md
// is its manual. What the whole cluster must agree on is in the genesis and cannot be set here.

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse, YAMLParseError } from 'yaml'
import { z } from 'zod'
import { addressFault } from '../../../keys/index.ts'
import { UsageError } from '../command.ts'
import { fileFault } from '../file-error.ts'

export const DURABILITIES = Object.freeze(['fsync', 'os', 'memory'] as const)
export const LOG_LEVELS = Object.freeze(['debug', 'info', 'warn', 'error', 'silent'] as const)
/** Somebody's log file named by mistake is not read whole. */
const MAX_CONFIG_BYTES = 64 * 1024
/** Bounds of member indexes here; the genesis says which there are. */
const INDEX = /^(?:0|[1-9][0-9]?)$/
/** A misspelt name is at most so many single-letter edits away from the meant one. */
const NEAR = 3

export interface ReplicaConfig {
  readonly data?: string | undefined
  readonly durability?: (typeof DURABILITIES)[number] | undefined
  /** What is kept for audits below the newest checkpoint. */
  readonly retention?: { readonly slots?: number | undefined; readonly bytes?: number | undefined } | undefined
  readonly liar?: string | undefined
  readonly listen?: readonly string[] | undefined
  /** Where to dial single members instead, by index. */
  readonly peers?: Readonly<Record<string, string>> | undefined
  readonly metricsPort?: number | undefined
  readonly log?:
    | { readonly level?: (typeof LOG_LEVELS)[number] | undefined; readonly file?: string | undefined }
    | undefined
}

const SHAPE = Object.freeze({
  '': ['data', 'durability', 'retention', 'liar', 'listen', 'peers', 'metricsPort', 'log'],
  retention: ['slots', 'bytes'],
  log: ['level', 'file'],
} as const)

const count = z
  .int('must be a whole number, 0 or more')
  .min(0, 'must be a whole number, 0 or more')
  .max(Number.MAX_SAFE_INTEGER, 'must be a whole number, 0 or more')
const port = 'must be a port: a whole number from 0 (any) to 65535'
const path = z.string('must be a path').min(1, 'must be a path')

const schema: z.ZodType<ReplicaConfig> = z.strictObject({
  data: path.optional(),
  durability: z.enum(DURABILITIES, `must be ${DURABILITIES.join(', ')}`).optional(),
  retention: z.strictObject({ slots: count.optional(), bytes: count.optional() }, 'must be a mapping').optional(),
  liar: z.string('must be a behaviour, such as equivocate').optional(),
  listen: z.array(z.string('must be a multiaddr'), 'must be a list of multiaddrs').min(1, 'is empty').optional(),
  peers: z.record(z.string(), z.string('must be a multiaddr'), 'must map member indexes to multiaddrs').optional(),
  metricsPort: z.int(port).min(0, port).max(65_535, port).optional(),
  log: z
    .strictObject(
      { level: z.enum(LOG_LEVELS, `must be ${LOG_LEVELS.join(', ')}`).optional(), file: path.optional() },
      'must be a mapping',
    )
    .optional(),
})

/**
 * The config in a file, with its relative paths made absolute from the file's folder.
 * @throws {UsageError} where it cannot be read or has faults: all of them in one error.
 */
export async function readConfig(file: string): Promise<ReplicaConfig> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw fileFault(file, 'read', error)
  })
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new UsageError(`${file} has ${bytes.length} bytes; a config file has at most ${MAX_CONFIG_BYTES}`)
  }
  const config = configOf(bytes.toString('utf8'), file)
  const from = (place: string | undefined) => (place === undefined ? undefined : resolve(dirname(file), place))
  const { data, log } = config
  return { ...config, data: from(data), ...(log !== undefined && { log: { ...log, file: from(log.file) } }) }
}

/** The config that `text` writes; `subject` begins the sentences. @throws {UsageError} with every fault in it. */
export function configOf(text: string, subject: string): ReplicaConfig {
  const value = yamlOf(text, subject) ?? {}
  const result = schema.safeParse(value)
  const faults = result.success ? addressFaults(result.data) : result.error.issues.flatMap(faultsOf)
  if (result.success && faults.length === 0) return result.data
  const lines = faults.length === 1 ? ` ${faults[0]}` : faults.map((fault) => `\n  ${fault}`).join('')
  throw new UsageError(`${subject}:${lines}`)
}

/** Why nobody can listen on `address`: the end of a sentence. Unlike in a genesis, any interface and any port will do. */
export function listenFault(address: string): string | undefined {
  const dialled = address
    .replace(/^\/ip4\/0\.0\.0\.0\//, '/ip4/127.0.0.1/')
    .replace(/^\/ip6\/::\//, '/ip6/::1/')
    .replace(/\/tcp\/0$/, '/tcp/1')
  return addressFault(dialled)
}

function yamlOf(text: string, subject: string): unknown {
  try {
    return parse(text, { strict: true, uniqueKeys: true })
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error
    throw new UsageError(`${subject} is not YAML: ${error.message.split(':\n')[0]}`)
  }
}

function addressFaults({ listen = [], peers = {} }: ReplicaConfig): string[] {
  const ofListen = listen.map((address, i) => [`listen[${i}]`, listenFault(address)] as const)
  const ofPeers = Object.entries(peers).map(([index, address]) => {
    const fault = INDEX.test(index) ? addressFault(address) : 'is no member index'
    return [`peers.${index}`, fault] as const
  })
  return [...ofListen, ...ofPeers].flatMap(([where, fault]) => (fault === undefined ? [] : [`${where}: ${fault}`]))
}

function faultsOf(issue: z.core.$ZodIssue): string[] {
  const where = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  const at = where.replace(/^\./, '')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => `${at === '' ? name : `${at}.${name}`}: unknown field${meantText(at, name)}`)
  }
  return [at === '' ? 'must hold a mapping of fields' : `${at}: ${issue.message}`]
}

function meantText(parent: string, name: string): string {
  const known: readonly string[] = parent === 'retention' || parent === 'log' ? SHAPE[parent] : SHAPE['']
  const near = known
    .map((each) => [each, distance(each.toLowerCase(), name.toLowerCase())] as const)
    .filter(([each, edits]) => edits <= Math.min(NEAR, each.length - 1))
    .sort(([, a], [, b]) => a - b)[0]
  return near === undefined ? `; known are ${known.join(', ')}` : `; did you mean ${near[0]}?`
}

/** Single-letter insertions, deletions and replacements from one word to the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1]
    for (let j = 1; j <= other.length; j++) {
      const same = letter === other[j - 1] ? 0 : 1
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same))
    }
    row = next
  }
  return row[other.length] ?? 0
}

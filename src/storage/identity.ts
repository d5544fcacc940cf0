// Whose store it is. The file is small and everything hangs on it, so there are two of it.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { equalBytes, fromHex, fromUtf8, hex, utf8 } from '../../crypto/index.ts'
import type { Files } from './files.ts'
import { StoreError, type StoreIdentity } from './store.ts'

export const IDENTITY_FILES = ['identity', 'identity.copy'] as const
const FORMAT = 'quorate-store-1'
const SALT_BYTES = 16

/** A new secret for the checksums of a store. */
export function newSalt(): Uint8Array {
  return randomBytes(SALT_BYTES)
}

/** Writes both files, first one then the other, each whole or not at all. */
export async function writeIdentity(
  files: Files,
  folder: string,
  identity: StoreIdentity,
  salt: Uint8Array,
): Promise<void> {
  for (const name of IDENTITY_FILES) {
    const temporary = join(folder, `${name}.tmp`)
    const file = await files.openForWriting(temporary, 'empty')
    try {
      await file.write([encode(identity, salt)], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await files.rename(temporary, join(folder, name))
    await files.syncFolder(folder)
  }
}

/**
 * The salt of the store in `folder`, which belongs to `identity`, or to that with `otherKey`; undefined where there is no store. A lost copy
 * is made again.
 * @throws {StoreError} `foreign`, `format`, or `damaged` where neither file is whole.
 */
export async function readIdentity(
  files: Files,
  folder: string,
  identity: StoreIdentity,
  otherKey?: Uint8Array,
): Promise<Uint8Array | undefined> {
  const found = await findIdentity(files, folder)
  if (found === undefined) return undefined
  refuseForeign(folder, found, identity, otherKey)
  if (!found.bothWhole) await writeIdentity(files, folder, found, found.salt)
  return found.salt
}

/**
 * Whose store is in `folder`; undefined where there is none.
 * @throws {StoreError} `format`, or `damaged` where neither file is whole.
 */
export async function findIdentity(
  files: Pick<Files, 'readWhole'>,
  folder: string,
): Promise<(Identity & { readonly bothWhole: boolean }) | undefined> {
  const texts = await Promise.all(IDENTITY_FILES.map((name) => files.readWhole(join(folder, name))))
  if (texts.every((text) => text === undefined)) return undefined
  const whole = texts.map((text) => text && decode(text))
  const found = whole.find((each) => each !== undefined)
  if (found === undefined) {
    const what = `${join(folder, IDENTITY_FILES[0])} and its copy are damaged, and nothing else in the store can be read without`
    throw new StoreError('damaged', `${what}; replace this replica by one with a new key`)
  }
  if (found.format !== FORMAT) {
    const what = `${folder} has the format ${found.format}, and this program reads ${FORMAT}`
    throw new StoreError('format', `${what}; use the program version that wrote it`)
  }
  return { ...found, bothWhole: !whole.includes(undefined) }
}

interface Identity extends StoreIdentity {
  readonly format: string
  readonly salt: Uint8Array
}

function refuseForeign(folder: string, found: StoreIdentity, wanted: StoreIdentity, otherKey?: Uint8Array): void {
  const refuse = (what: string) => {
    throw new StoreError('foreign', `${folder} is the store of ${what}; name the folder of this replica, or a new one`)
  }
  if (!equalBytes(found.clusterId, wanted.clusterId)) {
    refuse(`another cluster, ${hex(found.clusterId).slice(0, 8)}, not of ${hex(wanted.clusterId).slice(0, 8)}`)
  }
  if (found.replica !== wanted.replica) refuse(`replica ${found.replica}, not of replica ${wanted.replica}`)
  const keys = [wanted.consensusKey, ...(otherKey === undefined ? [] : [otherKey])]
  if (!keys.some((key) => equalBytes(found.consensusKey, key))) {
    refuse(`replica ${found.replica} with another consensus key, ${hex(found.consensusKey).slice(0, 8)}`)
  }
}

/** Five lines for people, and one with the CRC-32 of the others. */
function encode({ clusterId, replica, consensusKey }: StoreIdentity, salt: Uint8Array): Uint8Array {
  const lines = [
    FORMAT,
    `cluster ${hex(clusterId)}`,
    `replica ${replica}`,
    `consensus-key ${hex(consensusKey)}`,
    `salt ${hex(salt)}`,
  ]
  const text = lines.map((line) => `${line}\n`).join('')
  return utf8(`${text}check ${crc32(text)}\n`)
}

/** Undefined where it is damaged. Of another format only the first and the last line are known. */
function decode(bytes: Uint8Array): Identity | undefined {
  const text = fromUtf8(bytes) ?? ''
  const [, content = '', check] = /^([\s\S]*\n)check (\d{1,10})\n$/.exec(text) ?? []
  if (check === undefined || String(crc32(content)) !== check) return undefined
  const [format = '', ...lines] = content.split('\n')
  const value = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? ''
  const [clusterId, consensusKey, salt] = ['cluster', 'consensus-key', 'salt'].map((name) => fromHex(value(name)))
  const none = new Uint8Array(0)
  return {
    format,
    clusterId: clusterId ?? none,
    replica: Number(value('replica')),
    consensusKey: consensusKey ?? none,
    salt: salt ?? none,
  }
}

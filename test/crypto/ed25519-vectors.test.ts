// The 1,097 public and own test vectors, through every implementation of the rule. Sources: speccheck (Novi), Wycheproof
// and CCTV (C2SP), and 20 of our own. Expected is the verdict of `ed25519-strict-1`, which agrees with no library's own.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fromHex, utf8 } from '../../crypto/index.ts'
import { verdict, verifiers } from '../support/ed25519.ts'
import { vectorsFolder } from '../support/vectors.ts'

interface Vector {
  readonly key: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly strict: boolean
}

const folder = vectorsFolder()

if (folder === undefined) {
  console.info('ed25519 vectors: QUORATE_VECTORS names no folder; only the generated edge vectors ran')
  it('the public vectors did not run: QUORATE_VECTORS names no folder', () => {
    expect(folder).toBeUndefined()
  })
} else {
  const sets = readSets(folder)

  it('there are 1,097 vectors: speccheck 12, wycheproof 151, CCTV 914, own 20', () => {
    const sizes = Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, set.length]))
    expect(sizes).toEqual({ speccheck: 12, wycheproof: 151, cctv: 914, own: 20 })
  })

  describe.each(Object.entries(verifiers))('%s', (_, verifier) => {
    it.each([
      ['speccheck', 0],
      ['wycheproof', 88],
      ['cctv', 1],
      ['own', 1],
    ] as const)('gives the strict verdict on every vector of %s, and accepts %i', (name, valid) => {
      let accepted = 0
      for (const [i, { key, message, signature, strict }] of sets[name].entries()) {
        const actual = verdict(verifier, key, message, signature)
        expect(actual, `${name} ${i}`).toBe(strict)
        if (actual) accepted++
      }
      expect(accepted).toBe(valid)
    })
  })
}

function readSets(folder: string) {
  const verdicts = z.record(z.string(), z.array(z.object({ id: z.number(), strictRule: z.boolean() })))
  const strict = verdicts.parse(read(folder, 'verdicts_by_implementation.json'))
  const expected = (set: string, id: number): boolean => {
    const found = strict[set]?.find((verdict) => verdict.id === id)
    if (found === undefined) throw new Error(`no verdict on ${set} ${id}`)
    return found.strictRule
  }

  const speccheck = z.array(z.object({ message: z.string(), pub_key: z.string(), signature: z.string() }))
  const wycheproof = z.object({
    testGroups: z.array(
      z.object({
        publicKey: z.object({ pk: z.string() }),
        tests: z.array(z.object({ tcId: z.number(), msg: z.string(), sig: z.string() })),
      }),
    ),
  })
  const cctv = z.array(z.object({ number: z.number(), key: z.string(), msg: z.string(), sig: z.string() }))
  const own = z.array(z.object({ key: z.string(), msg: z.string(), sig: z.string(), strictRule: z.boolean() }))

  return {
    speccheck: speccheck.parse(read(folder, 'speccheck_cases.json')).map(
      (vector, id): Vector => ({
        key: bytes(vector.pub_key),
        message: bytes(vector.message),
        signature: bytes(vector.signature),
        strict: expected('speccheck', id),
      }),
    ),
    wycheproof: wycheproof.parse(read(folder, 'wycheproof_ed25519_test.json')).testGroups.flatMap((group) =>
      group.tests.map(
        (vector): Vector => ({
          key: bytes(group.publicKey.pk),
          message: bytes(vector.msg),
          signature: bytes(vector.sig),
          strict: expected('wycheproof', vector.tcId),
        }),
      ),
    ),
    cctv: cctv.parse(read(folder, 'cctv_ed25519vectors.json')).map(
      (vector): Vector => ({
        key: bytes(vector.key),
        message: utf8(vector.msg),
        signature: bytes(vector.sig),
        strict: expected('cctv', vector.number),
      }),
    ),
    own: own.parse(read(folder, 'own_edge_vectors.json')).map(
      (vector): Vector => ({
        key: bytes(vector.key),
        message: bytes(vector.msg),
        signature: bytes(vector.sig),
        strict: vector.strictRule,
      }),
    ),
  }
}

function read(folder: string, name: string): unknown {
  return JSON.parse(readFileSync(join(folder, name), 'utf8'))
}

function bytes(text: string): Uint8Array {
  const decoded = fromHex(text)
  if (decoded === undefined) throw new Error(`expected hexadecimal, got ${text}`)
  return decoded
}

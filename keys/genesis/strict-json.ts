// JSON with exactly one reading. `JSON.parse` alone keeps the last of two members of one name, other parsers keep the
// first or both, and it rounds numbers that a double cannot hold: one file, two readings, two opinions of what was
// agreed.
//
// JSON.parse checks the grammar; then one pass over the tokens of the (now well-formed) text refuses repeated member
// names and every number that is not a plain whole number. Names are compared after unescaping.
// Ref: RFC 8259 section 4 (names SHOULD be unique), RFC 7493 section 2 (I-JSON).

import { failure, type Result, success } from '../../crypto/index.ts'
import { quoted } from './text.ts'

/** Strings, punctuation, and the runs between them: numbers, true, false, null. Requires well-formed JSON. */
const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/gu
const WHOLE_NUMBER = /^(?:0|-?[1-9][0-9]*)$/

/** The value that `text` stands for, or one sentence that says why there is none, or more than one. */
export function parseStrictJson(text: string): Result<unknown, string> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return failure(`is not JSON: ${error instanceof Error ? quoted(error.message, 120).slice(1, -1) : 'unreadable'}`)
  }
  const fault = ambiguity(text)
  return fault === undefined ? success(value) : failure(fault)
}

function ambiguity(text: string): string | undefined {
  /** One element per open bracket: the names seen so far in an object, undefined for an array. */
  const open: (Set<string> | undefined)[] = []
  let before = ''
  for (const match of text.matchAll(TOKENS)) {
    const token = match[0]
    const names = open.at(-1)
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.startsWith('"')) {
      if (names !== undefined && before !== ':') {
        const name = String(JSON.parse(token))
        if (names.has(name))
          return `is ambiguous ${at(text, match.index)}: the name ${quoted(name)} appears twice in one object`
        names.add(name)
      }
    } else if (/^[-0-9]/.test(token) && !WHOLE_NUMBER.test(token)) {
      return `is ambiguous ${at(text, match.index)}: ${quoted(token)} is not a plain whole number, such as 1000`
    }
    before = token
  }
  return undefined
}

function at(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n')
  return `at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`
}

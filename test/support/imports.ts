// Reads what a tree of sources imports and which globals it touches, for the architecture test.

import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'

/** Path relative to the root, with forward slashes -> text. */
export type Sources = ReadonlyMap<string, string>

/** The .ts and .js sources below `folders` of `root`. */
export function readSources(root: string, folders: readonly string[]): Sources {
  const sources = new Map<string, string>()
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(ts|js)$/.test(entry.name) || entry.name.endsWith('.d.ts')) continue
      const path = posix.join(entry.parentPath.slice(root.length + 1).replaceAll('\\', '/'), entry.name)
      sources.set(path, readFileSync(join(root, path), 'utf8'))
    }
  }
  return sources
}

const TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g

/** The source without comments; strings stay, for the module names in them. */
export function withoutComments(source: string): string {
  return source.replace(TOKEN, (token) => (token.startsWith('/') ? ' ' : token))
}

/** The source without comments and quoted strings: what can touch a global. Templates stay, for the code in them. */
export function codeOnly(source: string): string {
  return source.replace(TOKEN, (token) => (token.startsWith('`') ? token : ' '))
}

const SPECIFIER =
  /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\bnew URL\(\s*|\bimport\.meta\.resolve\(\s*)(['"`])([^'"`\n]+)\1/g

/** Every module that the source names, static, dynamic or as a URL, types included. */
export function specifiersOf(source: string): string[] {
  return [...withoutComments(source).matchAll(SPECIFIER)].map((match) => match[2] ?? '')
}

export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'builtin'; readonly name: string }
  | { readonly kind: 'package'; readonly name: string }

/** What `specifier` means in the file `from`. */
export function targetOf(from: string, specifier: string): Target {
  if (specifier.startsWith('.')) return { kind: 'file', path: posix.join(posix.dirname(from), specifier) }
  if (isBuiltin(specifier)) return { kind: 'builtin', name: specifier }
  const parts = specifier.split('/')
  return { kind: 'package', name: specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '') }
}

// Runs the command line within the test's own process.

import { main } from '../../src/cli/main.ts'

/** The exit code, and what was printed. */
export function quorate(...args: string[]) {
  return quorateIn({}, ...args)
}

/** The same where the environment says so. */
export async function quorateIn(environment: Readonly<Record<string, string>>, ...args: string[]) {
  const [out, error]: [string[], string[]] = [[], []]
  const code = await main(args, {
    environment,
    signal: new AbortController().signal,
    out: (text) => out.push(text),
    error: (text) => error.push(text),
    progress: () => {},
  })
  return { code, out: out.join(''), error: error.join('') }
}

// Which keyset a command means where the command line does not say.

import type { Context } from './command.ts'

export const DEFAULT_CLUSTER = './quorate-cluster'
export const CLUSTER_VARIABLE = 'QUORATE_CLUSTER'

/** What was given, else what the environment names, else the folder that `keygen` makes. */
export function clusterFolder(given: string | undefined, { environment }: Pick<Context, 'environment'>): string {
  const named = environment[CLUSTER_VARIABLE]
  return given ?? (named === undefined || named === '' ? DEFAULT_CLUSTER : named)
}

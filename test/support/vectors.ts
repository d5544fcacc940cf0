// Where the public test vectors are. They are not part of the package: a checkout without them runs its own generated cases.

import { statSync } from 'node:fs'

/** The folder named by the environment variable QUORATE_VECTORS; undefined where it is unset or no folder. */
export function vectorsFolder(): string | undefined {
  const folder = process.env.QUORATE_VECTORS
  if (folder === undefined || folder === '') return undefined
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? folder : undefined
}

// Which replicas of a keyset there are to run.

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CONSENSUS_KEY_FILE, type Genesis, replicaFolder } from '../../../keys/index.ts'
import { JOIN_FILE } from '../member/join-file.ts'
import { startedFile } from '../serve/started.ts'

/** The numbers of the replicas to run: those of the genesis that were not removed since, and those that joined and are members. */
export async function replicasIn(cluster: string, { members }: Genesis): Promise<number[]> {
  const names = (await readdir(cluster)).flatMap((name) => /^replica-(0|[1-9][0-9]{0,3})$/.exec(name)?.[1] ?? [])
  const joined = names.map(Number).filter((index) => {
    const folder = replicaFolder(cluster, index)
    // Who waits to be let in has its join file still.
    return (
      index >= members.length && existsSync(join(folder, CONSENSUS_KEY_FILE)) && !existsSync(join(folder, JOIN_FILE))
    )
  })
  const first = [...members.keys()].filter((index) => {
    const folder = replicaFolder(cluster, index)
    return existsSync(join(folder, CONSENSUS_KEY_FILE)) || !existsSync(startedFile(folder))
  })
  return [...first, ...joined.sort((a, b) => a - b)]
}

// `quorate member rotate-key`: members change to new consensus keys. Each keeps the new one beside the old one until the epoch begins in
// which it counts, and then erases the old one by itself.

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { equalBytes, hex } from '../../../crypto/index.ts'
import { memberPossessionBytes } from '../../../keys/charter/index.ts'
import { CONSENSUS_KEY_FILE, loadConsensusKey, nextConsensusKey, readPassphrase } from '../../../keys/index.ts'
import type { EpochContext } from '../../consensus/index.ts'
import type { Edit } from '../../machine/index.ts'
import { type Command, UsageError } from '../command.ts'
import { CHANGE_OPTIONS, change } from '../member/change.ts'

export const memberRotateKey: Command = {
  name: 'member rotate-key',
  describe: 'Give members new consensus keys; the old ones are erased when the new ones count',
  arguments: [{ name: 'FOLDER', describe: 'of a replica, with its consensus.pem', variadic: true }],
  options: CHANGE_OPTIONS,
  examples: [
    ['quorate member rotate-key quorate-cluster/replica-2', 'on the machine of replica 2'],
    [
      'quorate member rotate-key quorate-cluster/replica-2 --client operator-2',
      'by who operates it, without the admins',
    ],
    ['quorate member rotate-key quorate-cluster', 'all replicas whose folders are in the keyset, in one step'],
  ],
  async run(input, context) {
    const folders = await foldersOf(input.rest('FOLDER'))
    const passphrase = await readPassphrase({ file: input.text('passphrase-file'), environment: context.environment })
    return await change(input, context, async (office) => {
      const edits: Edit[] = []
      for (const folder of folders) edits.push(await rotation(folder, office, passphrase))
      return edits
    })
  },
}

/** Those of replicas among the folders, and within them. */
async function foldersOf(given: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const folder of given) {
    const within = (await readdir(folder).catch(() => [])).map((name) => join(folder, name)).sort()
    const replicas = [folder, ...within].filter((each) => existsSync(join(each, CONSENSUS_KEY_FILE)))
    if (replicas.length === 0) {
      throw new UsageError(`${folder} is no folder of a replica: there is no ${CONSENSUS_KEY_FILE} in it`)
    }
    found.push(...replicas)
  }
  return [...new Set(found)]
}

async function rotation(folder: string, office: EpochContext, passphrase: string | undefined): Promise<Edit> {
  const { charter, membership } = office
  const { publicKey } = await loadConsensusKey(folder, { passphrase })
  const member = charter.members.find(({ consensusKey }) => equalBytes(consensusKey, publicKey))
  if (member === undefined) {
    throw new UsageError(
      `${folder} has the consensus key ${hex(publicKey).slice(0, 8)}, which is that of no member in epoch ${charter.epoch}`,
    )
  }
  const next = await nextConsensusKey(folder, { passphrase })
  const base = { clusterId: membership.clusterId, membership: membership.digest }
  const possession = next.sign(memberPossessionBytes('consensus', next.publicKey, base))
  return { op: 'rotate-key', id: member.id, consensusKey: next.publicKey, possession }
}

// `quorate up`: a whole cluster on this machine, each replica a process of its own.

import type { Command } from '../command.ts'

export const up: Command = {
  name: 'up',
  describe: 'Run every replica of a keyset on this machine and show how they do, until Ctrl-C',
  arguments: [{ name: 'DIR', describe: 'the keyset (default: QUORATE_CLUSTER or ./quorate-cluster)', optional: true }],
  options: [
    { flags: '--liar <i=behaviour>', describe: 'let replica I lie on purpose, such as 2=equivocate', repeatable: true },
    { flags: '--data <path>', describe: 'stores below this folder (default: DIR/replica-I/data)' },
    { flags: '--durability <level>', describe: 'fsync, os or memory (default: fsync)' },
    { flags: '--passphrase-file <file>', describe: 'of the secret keys (or set QUORATE_PASSPHRASE)' },
  ],
  examples: [
    ['quorate up', 'the cluster in ./quorate-cluster'],
    ['quorate up ./demo --liar 2=equivocate', 'with one that offers different entries to different replicas'],
    ['quorate up ./demo --json', 'one JSON object a second, for programs'],
  ],
  async run(input, context) {
    const { runCluster } = await import('../launch/up.ts')
    return runCluster(input, context)
  },
}

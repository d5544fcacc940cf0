// `quorate sim`: whole clusters in one process, seed by seed, with everything checked.

import type { Command } from '../command.ts'

export const DEFAULT_SEEDS = 100

export const sim: Command = {
  name: 'sim',
  describe: 'Run whole clusters in simulated time, with faults and liars drawn from seeds, and check every invariant',
  arguments: [],
  options: [
    { flags: '--seed <s>', describe: 'the first seed (default: any, and printed)' },
    { flags: '--seeds <n>', describe: `how many seeds (default: ${DEFAULT_SEEDS}; 1 with --seed)` },
    { flags: '--profile <name>', describe: 'what is drawn: fast, swarm, crash, twins, membership (default: fast)' },
    { flags: '--replicas <n>', describe: 'replicas in every run (default: drawn)' },
    { flags: '--byzantine <b>', describe: 'how many may lie (default: as many as n allows)' },
    { flags: '--crash <c>', describe: 'how many more may stop (default: as many as are left)' },
    { flags: '--liar <i=behaviour>', describe: 'who lies, and how (default: drawn)', repeatable: true },
    { flags: '--scenario <file>', describe: 'instead of seeds: the scenario in this file' },
    { flags: '--threads <n>', describe: 'threads to use (default: all)' },
  ],
  examples: [
    ['quorate sim --seeds 2000', 'two thousand short runs'],
    ['quorate sim --profile swarm --seed 7', 'one run with everything mixed'],
    ['quorate sim --profile membership --seeds 100', 'members and their keys change in the midst of faults'],
    ['quorate sim --liar 0=equivocate --seeds 100', 'the first leader lies in every run'],
    ['quorate sim --scenario found.json', 'repeat a failure that was shrunk to a file'],
  ],
  async run(input, context) {
    const { runSim } = await import('../simulate/sim.ts')
    return runSim(input, context)
  },
}

// `quorate tour`: what Quorate is for, shown on real processes in under a minute. `npm start` runs it.

import type { Command } from '../command.ts'

export const tour: Command = {
  name: 'tour',
  describe: 'Show a cluster that goes on although replicas crash and lie, and audit it offline; takes under a minute',
  arguments: [],
  options: [{ flags: '--keep <dir>', describe: 'keep the keyset, the stores and the bundle in this new folder' }],
  examples: [
    ['quorate tour', 'everything in a temporary folder, gone at the end'],
    ['quorate tour --keep ./tour', 'with the bundle left to look at'],
  ],
  async run(input, context) {
    const { runTour } = await import('../tour/tour.ts')
    return runTour(input, context)
  },
}

// `quorate genesis check`: every fault of a genesis file, or that it has none.

import { hex } from '../../../crypto/index.ts'
import { KeysError, loadGenesis } from '../../../keys/index.ts'
import type { Command } from '../command.ts'

export const genesisCheck: Command = {
  name: 'genesis check',
  describe: 'Check a genesis file and list every fault found',
  arguments: [{ name: 'FILE', describe: 'the genesis file' }],
  options: [],
  examples: [
    ['quorate genesis check quorate-cluster/genesis.json', 'exit code 0 where it is good, 1 where it has faults'],
  ],
  async run(input) {
    const file = input.argument('FILE')
    try {
      const genesis = await loadGenesis(file)
      const { label } = genesis
      const clusterId = hex(genesis.clusterId)
      return {
        status: 'done',
        value: { ok: true, file, label, clusterId, faults: [] },
        text: `${file} is good: cluster ${label}, id ${clusterId}`,
      }
    } catch (error) {
      if (!(error instanceof KeysError) || error.code !== 'invalid-genesis') throw error
      const { faults } = error
      return { status: 'refused', value: { ok: false, file, faults }, text: error.message }
    }
  },
}

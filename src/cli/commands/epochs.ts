// `quorate epochs`: who decided when, from the genesis on, and the pin of the epoch in office.

import { hex } from '../../../crypto/index.ts'
import { type EpochChain, formatPin } from '../../consensus/index.ts'
import { CLUSTER_OPTIONS, callOptions, openCluster, withReader } from '../cluster.ts'
import type { Command } from '../command.ts'
import { termsOf, termsText } from '../member/terms.ts'
import { table } from '../table.ts'

export const epochs: Command = {
  name: 'epochs',
  describe: 'Show who the members were, from the genesis on, and the pin of the epoch in office',
  arguments: [],
  options: CLUSTER_OPTIONS,
  examples: [
    ['quorate epochs', 'a line for each'],
    ['quorate epochs --json | jq -r .pin > pin', 'for auditors: quorate audit verify --pin pin'],
  ],
  async run(input, context) {
    const access = await openCluster(input, context)
    const chain = await withReader(access, context, (client) => client.follow(callOptions(input, context)))
    const pin = chain.pin === undefined ? undefined : formatPin(chain.pin)
    return {
      status: 'done',
      value: {
        cluster: access.genesis.label,
        pin: pin ?? null,
        epochs: chain.epochs.map((_, i) => forPrograms(chain, i)),
      },
      text: [
        table([['epoch', 'slots', 'who decides'], ...chain.epochs.map((_, i) => rowOf(chain, i))]),
        ...(pin === undefined
          ? []
          : ['', `Pin of epoch ${chain.links.length}, for auditors that you trust it to: ${pin}`]),
      ].join('\n'),
    }
  },
}

function rowOf({ epochs }: EpochChain, i: number): string[] {
  const epoch = epochs[i]
  if (epoch === undefined) return []
  const { charter, start, lastSlot } = epoch
  return [`${charter.epoch}`, `${start.slot + 1} to ${lastSlot ?? 'now'}`, termsText(charter)]
}

function forPrograms({ epochs }: EpochChain, i: number): object {
  const epoch = epochs[i]
  if (epoch === undefined) return {}
  const { charter, membership, start, lastSlot } = epoch
  return {
    epoch: charter.epoch,
    firstSlot: start.slot + 1,
    lastSlot: lastSlot ?? null,
    membership: hex(membership.digest),
    ...termsOf(charter),
    parameters: charter.parameters,
  }
}

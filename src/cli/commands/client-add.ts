// `quorate client add`: lets somebody else talk to the cluster, from the next request on.

import { rm } from 'node:fs/promises'
import { hex } from '../../../crypto/index.ts'
import { clientPossessionBytes } from '../../../keys/charter/index.ts'
import { clientFolder, DNS_LABEL, generateClientKey, loadClientKey, readPassphrase } from '../../../keys/index.ts'
import { ADMIN_OPTIONS, govern } from '../admin/govern.ts'
import { roleNamed } from '../admin/whose.ts'
import { openCluster } from '../cluster.ts'
import { type Command, UsageError } from '../command.ts'

export const clientAdd: Command = {
  name: 'client add',
  describe: 'Make a key, and have the cluster take it as a client',
  arguments: [{ name: 'NAME', describe: 'of the new client: lower-case letters, digits and dashes' }],
  options: [
    { flags: '--role <role>', describe: 'reader, writer or admin (default: writer)' },
    { flags: '--existing', describe: 'use the key that is in client-NAME of the keyset, instead of making one' },
    ...ADMIN_OPTIONS,
  ],
  examples: [
    [
      'quorate client add billing --role reader',
      'makes quorate-cluster/client-billing/key.pem; it can read from now on',
    ],
  ],
  async run(input, context) {
    const name = input.argument('NAME')
    if (!DNS_LABEL.test(name)) {
      throw new UsageError(
        `NAME has 1 to 63 lower-case letters, digits and dashes, with no dash at an end, not "${name}"`,
      )
    }
    const role = roleNamed('--role', input.text('role') ?? 'writer')
    const { cluster, genesis } = await openCluster(input, context)
    if (genesis.clients.some((client) => client.name === name)) {
      throw new UsageError(`${genesis.label} has had a client ${name} from its beginning; choose another name`)
    }
    const passphrase = await readPassphrase({ file: input.text('passphrase-file'), environment: context.environment })
    const existing = input.flag('existing')
    const folder = clientFolder(cluster, name)
    const signer = existing
      ? (await loadClientKey(folder, genesis, { name, passphrase })).signer
      : await generateClientKey(cluster, name, { passphrase })
    const key = signer.publicKey
    const possession = signer.sign(clientPossessionBytes(key, genesis.clusterId))
    const command = { kind: 'client', edit: { op: 'add', name, key, role, possession } } as const
    const told = {
      value: { name, role, key: hex(key), folder },
      text: `${name} is a client with the role ${role}; its key is in ${folder}`,
    }
    const { Refused } = await import('../../client/index.ts')
    // What is certainly not executed leaves nothing behind; a key that is a client's, or may be, is kept.
    const undo = () => (existing ? undefined : rm(folder, { recursive: true, force: true }))
    try {
      const outcome = await govern(input, context, command, told)
      if ('outcome' in outcome.value && outcome.value.outcome === 'refused') await undo()
      return outcome
    } catch (error) {
      if (error instanceof Refused) await undo()
      throw error
    }
  },
}

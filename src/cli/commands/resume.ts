// `quorate resume`: asks again about a request whose outcome was unknown. The same signed request: it is executed at most once.

import { fromUtf8 } from '../../../crypto/index.ts'
import { decodeKvResult } from '../../machine/index.ts'
import { CLUSTER_OPTIONS, openCluster } from '../cluster.ts'
import { type Command, UsageError } from '../command.ts'
import { fileOrInput } from '../kv/input.ts'
import { decodeRequestFile, MAX_REQUEST_FILE_BYTES } from '../kv/request-file.ts'
import { ask } from '../kv/run.ts'

export const resume: Command = {
  name: 'resume',
  describe: 'Ask again about a request whose outcome was unknown; it is executed at most once',
  arguments: [{ name: 'FILE', describe: 'the request, as the command whose outcome was unknown kept it' }],
  options: [
    { flags: '--receipt <file>', describe: 'keep the proof of what was agreed; check it with: quorate audit verify' },
    ...CLUSTER_OPTIONS,
  ],
  examples: [
    [
      'quorate resume quorate-cluster/client-admin/unknown-1750000000000001.request',
      'what came of it, or still unknown',
    ],
  ],
  async run(input, context) {
    const file = input.argument('FILE')
    const text = fromUtf8(await fileOrInput(file, MAX_REQUEST_FILE_BYTES))
    if (text === undefined) throw new UsageError(`${file} is not a request that was kept to ask about it again`)
    const { genesis } = await openCluster(input, context)
    const request = decodeRequestFile(file, text, genesis)
    return ask(
      input,
      context,
      (client, options) => client.resume(request, options),
      (result, { slot, signers }) => {
        const revision = decodeKvResult(result)?.revision
        return {
          status: 'done',
          value: revision === undefined ? { executed: true } : { executed: true, revision },
          text: `executed in slot ${slot}, signed by replicas ${signers.join(', ')}; ${file} is needed no more`,
        }
      },
    )
  },
}

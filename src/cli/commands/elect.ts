// `quorate elect`: leads until it is stopped.

import type { Leadership } from '../../client/index.ts'
import { wholeFile } from '../audit/files.ts'
import { CLUSTER_OPTIONS, openCluster, withClient } from '../cluster.ts'
import type { Command, Context, Outcome } from '../command.ts'
import { lockName, TAKE_OPTIONS, takeOptions } from '../kv/take.ts'

export const elect: Command = {
  name: 'elect',
  describe: 'Campaign in an election, say when it is won, and lead until Ctrl-C; exit code 1 where the lead is lost',
  arguments: [{ name: 'NAME', describe: 'the election; any text of at most 512 bytes' }],
  options: [
    ...TAKE_OPTIONS,
    {
      flags: '--token <file>',
      describe: 'keep the fencing token here; check it with: quorate audit verify --election',
    },
    ...CLUSTER_OPTIONS.filter(({ flags }) => !flags.startsWith('--timeout')),
  ],
  examples: [['quorate elect scheduler --value "$HOSTNAME"', 'one of those that run this leads at a time']],
  async run(input, context) {
    const name = lockName(input)
    const options = takeOptions(input, context)
    const access = await openCluster(input, context)
    const { elect: campaign } = await import('../../client/index.ts')
    return withClient(access, context, async (client) => {
      const leading = await campaign(client, name, options)
      try {
        await keep(input.text('token'), leading)
        return await lead(leading, context)
      } finally {
        await leading.resign()
      }
    })
  },
}

async function lead({ name, token, lost }: Leadership, { signal, stage }: Context): Promise<Outcome> {
  stage.print(
    stage.json
      ? JSON.stringify({ event: 'elected', election: name, token: token.slot })
      : `leading ${name} with token ${token.slot}; Ctrl-C resigns`,
  )
  await new Promise<void>((resolve) => {
    const over = () => resolve()
    if (lost.aborted || signal.aborted) return over()
    lost.addEventListener('abort', over, { once: true })
    signal.addEventListener('abort', over, { once: true })
  })
  const facts = { event: lost.aborted ? 'lost' : 'resigned', election: name, token: token.slot }
  const text = lost.aborted ? `the lead of ${name} was lost` : `resigned from ${name}`
  stage.print(stage.json ? JSON.stringify(facts) : text)
  return { status: lost.aborted ? 'refused' : 'done', value: facts, text, printed: true }
}

async function keep(path: string | undefined, { token }: Leadership): Promise<void> {
  if (path === undefined) return
  const file = await wholeFile(path)
  try {
    await file.write(new TextDecoder().decode(token.bytes))
    await file.done()
  } finally {
    await file.close()
  }
}

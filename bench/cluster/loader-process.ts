// The loader, a process of its own so that the clients' work is not counted as the replicas'. Told what to do in its only argument and
// over the IPC channel; ends when that breaks.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { replicaIndex } from '../../crypto/index.ts'
import { clientFolder, GENESIS_FILE, type Genesis, loadClientKey, loadGenesis } from '../../keys/index.ts'
import { type Client, connect } from '../../src/client/index.ts'
import { WrongValue } from './caller.ts'
import { Load } from './load.ts'
import type { Job, LoaderCommand, LoaderMessage } from './messages.ts'

/** Milliseconds between two looks at whether replicas are where a stale read needs them. */
const LOOK_MS = 20

const job: Job = JSON.parse(process.argv[2] ?? '')
process.on('disconnect', () => process.exit(1))
try {
  await run(job)
} catch (error) {
  say({ kind: 'failed', reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  process.exitCode = 1
  process.disconnect()
}

async function run({ cluster, clients: names, setting }: Job): Promise<void> {
  const genesis = await loadGenesis(join(cluster, GENESIS_FILE))
  const clients = await Promise.all(names.map((name) => connected(cluster, genesis, name)))
  const load = new Load(clients, setting)
  if (setting.operation === 'get') {
    const slot = await load.fill()
    if (setting.read === 'stale') await checkpointed(clients, genesis, slot)
  }
  load.start()
  await pause(setting.warmUp * 1000)
  const commands = listen()
  say({ kind: 'ready' })
  for await (const command of commands) {
    if (command.kind === 'measure') {
      say(await load.measure(command.seconds))
      continue
    }
    const result = await readBack(load)
    await Promise.all(clients.map((client) => client.close()))
    say({ kind: 'finished', ...result })
    process.disconnect()
    return
  }
}

async function readBack(load: Load): Promise<{ checked: number; wrong: string[] }> {
  try {
    return { checked: await load.finish(), wrong: [] }
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error
    return { checked: 0, wrong: [error.message] }
  }
}

async function connected(cluster: string, genesis: Genesis, name: string): Promise<Client> {
  const key = await loadClientKey(clientFolder(cluster, name), genesis, { name })
  return connect({ genesis, key: key.signer, seed: key.seed })
}

/** Writes until every replica has a stable checkpoint that holds `slot`. */
async function checkpointed(clients: readonly Client[], genesis: Genesis, slot: number): Promise<void> {
  const [client] = clients
  if (client === undefined) return
  for (const index of genesis.members.keys()) {
    const replica = replicaIndex(index)
    for (let turn = 0; (await client.status(replica)).stable < slot; turn++) {
      for (let i = 0; i < 16; i++) await client.put('bench/filler', String(i))
      if (turn > genesis.parameters.checkpointInterval) await pause(LOOK_MS)
    }
  }
}

/** Commands in order, however late they are asked for. */
async function* listen(): AsyncGenerator<LoaderCommand> {
  const queue: LoaderCommand[] = []
  let wake = () => {}
  process.on('message', (command: LoaderCommand) => {
    queue.push(command)
    wake()
  })
  for (;;) {
    const command = queue.shift()
    if (command !== undefined) yield command
    else {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

function say(message: LoaderMessage): void {
  process.send?.(message)
}

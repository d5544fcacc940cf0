// The floor of this machine: what one slot costs at the least where every replica is a Node process of its own, votes are signed and
// synced, and links are sealed. The same messages, signatures, syncs and hashes as an agreement of Quorate's, and nothing around them.

import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { largestByzantine, quorumSystem } from '../../crypto/index.ts'
import { BenchError } from '../errors.ts'
import type { ClientMessage, FloorJob, FloorLoad } from './client-process.ts'
import type { ReplicaJob, ReplicaMessage, ReplicaOrder } from './replica-process.ts'

export interface FloorSetting {
  readonly replicas: number
  readonly crash: boolean
  readonly sync: boolean
  /** Each with a key and links of its own. */
  readonly clients: number
  /** Of each client, all in one bundle: the more share one, the less each costs. */
  readonly outstanding: number
  /** Bytes of a value. */
  readonly size: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface FloorResult extends FloorLoad {
  /** Microseconds of processor time of all replicas in the measured time. */
  readonly replicaCpuUs: number
}

/** A key, a sequence number and the frame around them. */
const REQUEST_OVERHEAD_BYTES = 30

/** One run: new processes, a new folder, everything gone at the end. @throws {BenchError} where a process ends early. */
export async function runFloor(setting: FloorSetting, signal: AbortSignal): Promise<FloorResult> {
  signal.throwIfAborted()
  const folder = await mkdtemp(join(tmpdir(), 'quorate-bench-'))
  const children: ChildProcess[] = []
  const start = (program: string, job: ReplicaJob | FloorJob): ChildProcess => {
    const child = fork(fileURLToPath(new URL(program, import.meta.url)), [JSON.stringify(job)], { execArgv: [] })
    children.push(child)
    return child
  }
  try {
    const { quorum, trust } = quorumsOf(setting)
    const requestBytes = setting.size + REQUEST_OVERHEAD_BYTES
    const replicas = Array.from({ length: setting.replicas }, (_, index) =>
      start('./replica-process.ts', {
        ...{ index, replicas: setting.replicas, quorum, trust, requests: setting.outstanding, requestBytes },
        ...{ file: join(folder, `log-${index}`), sync: setting.sync, crash: setting.crash },
      }),
    )
    const ports = await Promise.all(replicas.map(async (child) => (await heard(child, 'port', signal)).port))
    const ready = replicas.map((child) => heard(child, 'ready', signal))
    for (const child of replicas) order(child, { kind: 'join', ports })
    await Promise.all(ready)
    const clients = start('./client-process.ts', {
      ...{ ports, trust, clients: setting.clients, requests: setting.outstanding, requestBytes },
      ...{ warmUpMs: setting.warmUpSeconds * 1000, measuredMs: setting.seconds * 1000 },
    })
    await heard(clients, 'warm', signal)
    const done = heard(clients, 'done', signal)
    const before = await cpuOf(replicas, signal)
    const { load } = await done
    return { ...load, replicaCpuUs: (await cpuOf(replicas, signal)) - before }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}

function quorumsOf({ replicas, crash }: FloorSetting) {
  const byzantine = crash ? 0 : largestByzantine(replicas)
  return quorumSystem({ replicas, byzantine, crash: crash ? Math.floor((replicas - 1) / 2) : 0 })
}

function order(child: ChildProcess, message: ReplicaOrder): void {
  if (child.connected) child.send(message)
}

/** Processor time of all of them so far, microseconds. */
async function cpuOf(replicas: readonly ChildProcess[], signal: AbortSignal): Promise<number> {
  const answers = replicas.map((child) => heard(child, 'cpu', signal))
  for (const child of replicas) order(child, { kind: 'cpu' })
  return (await Promise.all(answers)).reduce((sum, { us }) => sum + us, 0)
}

type Message = ReplicaMessage | ClientMessage

/** The next message of this kind. @throws {BenchError} where the process ends instead; the signal's reason. */
async function heard<Kind extends Message['kind']>(
  child: ChildProcess,
  kind: Kind,
  signal: AbortSignal,
): Promise<Message & { readonly kind: Kind }> {
  return new Promise((resolve, reject) => {
    const isWanted = (message: Message): message is Message & { readonly kind: Kind } => message.kind === kind
    const end = (settle: () => void) => {
      child.off('message', onMessage).off('exit', onExit)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onMessage = (message: Message) => {
      if (isWanted(message)) end(() => resolve(message))
    }
    const onExit = () => end(() => reject(new BenchError('a process of the floor ended before it was done')))
    const onAbort = () => end(() => reject(signal.reason))
    child.on('message', onMessage).once('exit', onExit)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

// Runs one replica: makes sure that its key may vote, starts it, reports to whoever launched it, and stops it when told to.

import { setTimeout as delay } from 'node:timers/promises'
import { createReplica, type Replica, type ReplicaOptions, type Retired } from '../../replica/index.ts'
import { openStore, StoreError, type StoreIdentity } from '../../storage/index.ts'
import type { Context, Outcome } from '../command.ts'
import { REPORT_EVERY_MS, type ReplicaMessage, reportOf } from '../launch/messages.ts'
import { logOf } from './log.ts'
import type { Settings } from './settings.ts'
import { hasStarted, lostStoreText, noteStarted, replaceCommand } from './started.ts'

/** A replica that has not stopped by then is ended all the same: it is meant to survive that. */
const STOP_WITHIN_MS = 10_000

export interface ServeOptions {
  /** Its state is loaded, and it listens. */
  readonly onStarted?: () => void
}

/** Runs until the signal, the parent's end, or a failure of the replica itself, which is thrown. */
export async function serve(settings: Settings, context: Context, { onStarted }: ServeOptions = {}): Promise<Outcome> {
  const create = await mayCreate(settings)
  const { signal, parent } = context
  const stop = AbortSignal.any(parent === undefined ? [signal] : [signal, parent.gone])
  const failed = new AbortController()
  const removed = new AbortController()
  const replica = replicaOf(settings, create, {
    onFatal: (error) => failed.abort(error),
    onRetired: (retired) => removed.abort(retired),
  })
  sayLies(settings, context)
  let reports: NodeJS.Timeout | undefined
  try {
    await replica.start({ signal: stop })
    onStarted?.()
    sayListening(replica, settings, context)
    reports = reporting(replica, context)
    await aborted(AbortSignal.any([stop, failed.signal, removed.signal]))
  } catch (error) {
    if (!stop.aborted) throw explained(error, settings)
  } finally {
    clearInterval(reports)
    await ended(replica)
  }
  if (failed.signal.aborted) throw explained(failed.signal.reason, settings)
  if (removed.signal.aborted) sayRemoved(removed.signal.reason, context)
  return { status: 'done', value: {}, text: '', printed: true }
}

/** Whether the store may be made; see started.ts for the order. @throws {StoreError} where this key must not start from nothing. */
async function mayCreate(settings: Settings): Promise<boolean> {
  const { genesis, folder, keys, data, durability } = settings
  if (await hasStarted(folder)) {
    // What it kept in memory is gone with its process.
    if (durability === 'memory') throw lost(settings)
    return false
  }
  if (durability === 'memory') {
    // Noted first: without it a key that is gone would look like a file that was lost.
    await noteStarted(folder, genesis, durability)
    await keys.files?.erase()
    return true
  }
  const store = await openStore({
    path: data,
    identity: identityOf(settings),
    durability,
    create: true,
    onFailure() {},
  })
  await store.close()
  await noteStarted(folder, genesis, durability)
  return true
}

function lost(settings: Settings): StoreError {
  return new StoreError('missing', lostStoreText(settings))
}

/** What is wrong with the store, and the one command that gets the cluster a whole replica again, where nothing else does. */
function explained(error: unknown, settings: Settings): unknown {
  if (!(error instanceof StoreError)) return error
  if (error.code === 'missing') return lost(settings)
  if (error.code !== 'damaged' && error.code !== 'rolled-back') return error
  return new StoreError(error.code, `${error.message}; a new replica in its place: ${replaceCommand(settings)}`)
}

function identityOf({ genesis, keys }: Settings): StoreIdentity {
  return { clusterId: genesis.clusterId, replica: keys.index, consensusKey: keys.consensus.publicKey }
}

function replicaOf(
  settings: Settings,
  create: boolean,
  endings: Required<Pick<ReplicaOptions, 'onFatal' | 'onRetired'>>,
): Replica {
  const { genesis, keys, data, durability, retention, liar, listen, dial, metricsPort } = settings
  const base = { cluster: genesis.label, replica: keys.index, ...(liar !== undefined && { liar: liar.text }) }
  const log = logOf(settings.log, base)
  if (liar !== undefined) log.warn({}, 'this replica lies on purpose')
  return createReplica({
    ...{ genesis, keys, data, durability, retention, create, dial, log, ...endings },
    ...(liar !== undefined && { liar: liar.behaviour }),
    ...(listen !== undefined && { listen }),
    ...(metricsPort !== undefined && { metricsPort }),
  })
}

function sayLies({ keys, liar }: Settings, { stage }: Context): void {
  if (liar === undefined) return
  stage.warn(stage.paintError('red', `replica ${keys.index} lies on purpose: ${liar.text}`))
}

function sayRemoved({ epoch, slot, why }: Retired, { stage }: Context): void {
  stage.print(stage.json ? JSON.stringify({ retired: { epoch, slot, why } }) : why)
}

function sayListening(replica: Replica, settings: Settings, { stage, parent }: Context): void {
  const { genesis, keys, data, durability, liar } = settings
  const { addresses, metricsPort = null } = replica
  const message: ReplicaMessage = { kind: 'listening', addresses: [...addresses], metricsPort }
  parent?.send(message)
  const facts = {
    cluster: genesis.label,
    replica: keys.index,
    addresses,
    data,
    durability,
    liar: liar?.text ?? '',
    metricsPort,
  }
  const metrics = metricsPort === null ? '' : `; metrics on http://127.0.0.1:${metricsPort}/metrics`
  const text = `replica ${keys.index} of ${genesis.label} listens on ${addresses.join(' ')}; store ${data} (${durability})${metrics}`
  stage.print(stage.json ? JSON.stringify(facts) : text)
}

function reporting(replica: Replica, { parent }: Context): NodeJS.Timeout | undefined {
  if (parent === undefined) return undefined
  const report = () => {
    const message: ReplicaMessage = { kind: 'status', report: reportOf(replica.status()) }
    parent.send(message)
  }
  report()
  return setInterval(report, REPORT_EVERY_MS)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function ended(replica: Replica): Promise<void> {
  const late = new AbortController()
  const tooLate = delay(STOP_WITHIN_MS, 'late', { signal: late.signal, ref: false }).catch(() => 'late')
  const outcome = await Promise.race([replica.stop(), tooLate])
  late.abort()
  if (outcome === 'late') process.exit(1)
}

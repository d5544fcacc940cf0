// The tour: a cluster on real processes, in trouble, and audited. Every step asserts what it says, and the exit code is the verdict.
// Whatever happens, its processes end and its temporary folder goes.

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { loadClientKey, type Parameters } from '../../../keys/index.ts'
import { type Client, connect } from '../../client/index.ts'
import type { Context, Input, Outcome } from '../command.ts'
import { LocalCluster } from '../launch/local-cluster.ts'
import {
  type AuditScene,
  blame,
  type Exported,
  exportBundles,
  keepReceipt,
  tamper,
  verifyBundles,
  verifyReceipt,
} from './audit.ts'
import {
  catchLiar,
  comeBack,
  hireLiar,
  judgeHistory,
  killLeader,
  type Scene,
  STEP_WITHIN_MS,
  workUnderLoad,
} from './faults.ts'
import { Load } from './load.ts'
import { ClaimFailed, counted, type Shown, Story, seconds } from './story.ts'

/** Leaders change by themselves every few seconds, so that the liar's turn comes without a second fault to bring it about. */
const PARAMETERS: Partial<Parameters> = {
  checkpointInterval: 32,
  rotation: { policy: 'every', slots: 64 },
  viewTimeoutMs: 700,
  viewTimeoutCapMs: 3_000,
}
/** More than the tour fills, so that the whole log can be audited. */
const RETAINED_SLOTS = 1_000_000
const WORKERS = 12
const KEYS = 40
const KEY_PREFIX = 'k'

/** @throws nothing of its own claims: those that do not hold are told, and make the outcome `refused`. */
export async function runTour(input: Input, context: Context): Promise<Outcome> {
  const begun = performance.now()
  const keep = input.text('keep')
  const story = new Story(context)
  const root = keep === undefined ? await mkdtemp(join(tmpdir(), 'quorate-tour-')) : await newFolder(resolve(keep))
  const where = keep === undefined ? 'in a temporary folder that is gone at the end' : `in ${root}`
  story.open(
    'Quorate: four replicas, of which one may lie',
    `Real processes, network and disks on this machine, ${where}.`,
  )
  const stage = new Stagehand(root)
  try {
    await perform(stage, story, context)
    story.close(`Every claim held, in ${seconds(performance.now() - begun)}.`)
    return { status: 'done', value: {}, text: '', printed: true }
  } catch (error) {
    if (!(error instanceof ClaimFailed)) throw error
    return { status: 'refused', value: {}, text: '', printed: true }
  } finally {
    await stage.clear(keep === undefined)
  }
}

/** Whoever holds what must be given back. */
class Stagehand {
  readonly root: string
  cluster: LocalCluster | undefined
  client: Client | undefined
  load: Load | undefined

  constructor(root: string) {
    this.root = root
  }

  async clear(removes: boolean): Promise<void> {
    void this.load?.stop().catch(() => {})
    await this.client?.close()
    await this.cluster?.dispose()
    if (removes) await rm(this.root, { recursive: true, force: true })
  }
}

async function perform(stage: Stagehand, story: Story, context: Context): Promise<void> {
  const { signal } = context
  const folder = join(stage.root, 'keyset')
  await story.step('Four keys, four processes', () => launch(stage, folder))
  const { cluster, load } = stage
  if (cluster === undefined || load === undefined) throw new Error('unreachable: the first step makes both')
  const scene: Scene = { cluster, load, signal }
  load.start()
  await story.step('They agree on an order', (progress) => workUnderLoad(scene, progress))
  let killed = { index: 0, slot: 0 }
  await story.step('kill -9 of the leader', async (progress) => {
    const shown = await killLeader(scene, progress)
    killed = shown
    return shown
  })
  await story.step('It comes back', (progress) => comeBack(scene, killed, progress))
  let liar = 0
  await story.step('One becomes a liar', async (progress) => {
    const shown = await hireLiar(scene, progress)
    liar = shown.index
    return shown
  })
  await story.step('The liar leads', (progress) => catchLiar(scene, liar, progress))
  await story.step('Nothing was lost or doubled', () => judgeHistory(scene, liar))
  await auditAll({ context, genesis: cluster.genesis, cluster: folder, folder: stage.root }, stage, liar, story)
}

async function auditAll(scene: AuditScene, stage: Stagehand, liar: number, story: Story): Promise<void> {
  const { cluster, client } = stage
  if (cluster === undefined || client === undefined) throw new Error('unreachable: the first step makes both')
  let receipt = ''
  await story.step('A write and its receipt', async () => {
    const shown = await keepReceipt(scene, client)
    receipt = shown.file
    return shown
  })
  let bundles: Exported = { all: '', part: '' }
  await story.step('Export for auditors', async () => {
    const shown = await exportBundles(scene, `${KEY_PREFIX}7`)
    bundles = shown
    return shown
  })
  await story.step('Audit it offline', async () => {
    // Nothing runs any more: what follows rests on the files alone.
    await client.close()
    await Promise.all(cluster.indexes.map((index) => cluster.stop(index)))
    return verifyBundles(scene, bundles)
  })
  await story.step('Change one byte of it', () => tamper(scene, bundles.all))
  await story.step('Who lied?', () => blame(scene, bundles.all, liar))
  await story.step('Check the receipt', () => verifyReceipt(scene, receipt))
}

async function launch(stage: Stagehand, folder: string): Promise<Shown> {
  const cluster = await LocalCluster.make({
    ...{ folder, name: 'tour', replicas: 4, parameters: PARAMETERS },
    config: () => ({ retention: { slots: RETAINED_SLOTS } }),
  })
  stage.cluster = cluster
  await cluster.startAll()
  await cluster.until(
    'all four are connected',
    (reports) => reports.length === 4 && reports.every(({ connected }) => connected.length === 3),
    {
      timeoutMs: STEP_WITHIN_MS,
    },
  )
  const { genesis } = cluster
  const key = await loadClientKey(cluster.clientFolder('admin'), genesis, { name: 'admin' })
  stage.client = await connect({ genesis, key: key.signer, seed: key.seed })
  stage.load = new Load({
    ...{ client: stage.client, workers: WORKERS, keys: KEYS, prefix: KEY_PREFIX, seed: 1, timeoutMs: STEP_WITHIN_MS },
  })
  const { replicas, byzantine, quorum } = genesis.membership.quorums
  return {
    text: `cluster ${genesis.label}: n = ${replicas}, b = ${byzantine}; ${counted(quorum)} decide; all connected over libp2p`,
    facts: { label: genesis.label },
  }
}

async function newFolder(path: string): Promise<string> {
  await mkdir(path)
  return path
}

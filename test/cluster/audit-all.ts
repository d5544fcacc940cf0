// Everything that whoever was ever a member keeps, exported from those that run and from the data folders of those that have ended, and
// audited with nothing but the genesis, and a pin where the members have changed.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { replicaIndex } from '../../crypto/index.ts'
import { replicaFolder } from '../../keys/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { exportBundle } from '../../src/audit/index.ts'
import { verifyBundle } from '../../src/audit/verify/index.ts'
import type { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { DATA_FOLDER } from '../../src/cli/serve/settings.ts'
import type { Client } from '../../src/client/index.ts'
import type { EpochChain } from '../../src/consensus/index.ts'
import { openArchive } from '../../src/replica/index.ts'
import type { Archive } from '../../src/wire/index.ts'
import type { Members } from './members.ts'

export interface Audited {
  readonly cluster: LocalCluster
  readonly members: Members
  readonly liars: ReadonlySet<number>
  /** One that asks nothing else. */
  readonly client: Client
  readonly chain: EpochChain
  /** A slot that was executed; a lease that somebody holds may make the log longer at any time. */
  readonly executed: number
}

/** @throws {AssertionError} where a slot that is kept is missing, something does not hold, or an honest member is convicted. */
export async function auditAll(audited: Audited): Promise<void> {
  const { cluster, chain, executed } = audited
  const { genesis } = cluster
  const { pin } = chain
  const ended = await endedArchives(audited)
  const archives = [...(await runningArchives(audited)), ...ended]
  const parts: Buffer[] = []
  try {
    const extents = await Promise.all(archives.map((archive) => archive.extent()))
    const report = await exportBundle({
      ...{ archives, genesis, pin, selection: { kind: 'all' }, out: (text) => void parts.push(Buffer.from(text)) },
    })
    assert.ok(report.contents.kind === 'slots')
    const { from, to } = report.contents
    assert.equal(from, Math.min(...extents.map(({ first }) => first)))
    assert.ok(to >= executed, `slot ${executed} was executed, and the export ends with ${to}`)
    assert.equal(report.entries, to - from + 1, 'exported entries, of all slots that were executed and are kept')
    assert.equal(report.epochs, chain.links.length)
    await verified(parts, report.entries, audited)
  } finally {
    for (const archive of ended) await archive.close()
  }
}

async function verified(parts: readonly Buffer[], entries: number, { cluster, chain, liars }: Audited): Promise<void> {
  const options = { level: 'certificates', verifier: nativeVerifier, pin: chain.pin } as const
  for await (const each of verifyBundle(parts, cluster.genesis, options)) {
    if (each.kind !== 'summary') continue
    assert.ok(each.valid, `the export does not hold: ${JSON.stringify(each.faults)} ${each.doubt}`)
    assert.equal(each.entries, entries)
    const accused = [...each.convicted, ...each.suspected]
    assert.deepEqual(
      accused.filter((id) => !liars.has(id)),
      [],
      'honest members that the audit convicts',
    )
  }
}

async function runningArchives({ cluster, members, client, chain }: Audited): Promise<Archive[]> {
  await client.follow()
  const office = await members.numbersOf(chain.last)
  return office.flatMap((number, position) =>
    cluster.report(number) === undefined ? [] : [client.archive(replicaIndex(position))],
  )
}

/** What those keep whose processes have ended. */
async function endedArchives({ cluster, liars }: Audited): Promise<Archive[]> {
  const ended = cluster.started.filter((number) => !cluster.runs(number) && !liars.has(number))
  const folders = ended.map((number) => join(replicaFolder(cluster.folder, number), DATA_FOLDER))
  return await Promise.all(folders.map((folder) => openArchive(folder, cluster.genesis)))
}

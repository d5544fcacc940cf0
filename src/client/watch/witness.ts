// Checks what a single replica says against what it cannot make up: the certificate of the entry, the request in it, and the
// versions of each key, which count every put. What it can still do is in docs/watches.md.

import { verifyCertificate, verifyInclusion } from '../../../crypto/index.ts'
import { headerDigest, requestId } from '../../consensus/index.ts'
import { decodeKvCommand, explains, type KvChange, type KvCommand, kvChange, toText } from '../../machine/index.ts'
import type { WatchedChange, WatchedSlot } from '../../wire/index.ts'
import type { ClusterView } from '../cluster-view.ts'
import { WITNESSED_KEYS } from '../limits.ts'

export interface WitnessOptions {
  readonly view: ClusterView
  /** True where the watch began before the first slot: a key that was not seen is then one that is not there. */
  readonly fromTheFirst: boolean
}

/** Of a key, as far as it was seen; version 0 where it is not there. */
interface Seen {
  readonly version: number
  readonly createRevision: number
  readonly modRevision: number
}

const ABSENT: Seen = Object.freeze({ version: 0, createRevision: 0, modRevision: 0 })

export class Witness {
  private readonly options: WitnessOptions
  private readonly seen = new Map<string, Seen>()
  private fromTheFirst: boolean
  private timestampMs = 0
  private revision = 0

  constructor(options: WitnessOptions) {
    this.options = options
    this.fromTheFirst = options.fromTheFirst
  }

  /** What is wrong with it, in words; undefined where everything bears it out. Requires ascending slots. */
  check(watched: WatchedSlot): string | undefined {
    const { header, timestampMs } = watched
    if (header.epoch !== this.options.view.chain.at(watched.slot).charter.epoch) return 'the entry is of another epoch'
    if (timestampMs < header.timestampMs || timestampMs < this.timestampMs) return 'the time goes back'
    this.timestampMs = timestampMs
    const commands = new Map<number, KvCommand | undefined>()
    const fault = this.entryFault(watched) ?? requestsFault(watched, commands)
    if (fault !== undefined) return fault
    let last = -1
    for (const change of watched.changes) {
      const index = change.index ?? -1
      if (index < last) return 'the events are out of order'
      last = index
      const wrong = this.changeFault(change, commands)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  private entryFault({ slot, header, certificate }: WatchedSlot): string | undefined {
    const { membership, verifier } = this.options.view.chain.at(slot).verify
    const expected = { kind: 'accept', slot, digest: headerDigest(header) } as const
    const checked = verifyCertificate(certificate, expected, membership, verifier)
    return checked.ok ? undefined : `no quorum signed the entry (${checked.fault.code})`
  }

  private changeFault(
    { index, key, value }: WatchedChange,
    commands: ReadonlyMap<number, KvCommand | undefined>,
  ): string | undefined {
    const change = kvChange(key, value)
    if (change === undefined) return 'what it says is stored is no entry'
    const command = index === undefined ? undefined : commands.get(index)
    const explained =
      index === undefined ? change.kind === 'delete' : command !== undefined && explains(command, change)
    if (!explained) return 'the request does not account for the event'
    return this.versionFault(toText(key), change)
  }

  private versionFault(key: string, change: KvChange): string | undefined {
    const before = this.seen.get(key) ?? (this.fromTheFirst ? ABSENT : undefined)
    if (change.kind === 'delete') {
      this.note(key, ABSENT)
      return before?.version === 0 ? 'a key is deleted that was not there' : undefined
    }
    const { version, createRevision, modRevision } = change.entry
    this.note(key, { version, createRevision, modRevision })
    const fresh = version === 1
    if (version < 1 || createRevision > modRevision || fresh !== (createRevision === modRevision)) {
      return 'version and revisions do not fit one another'
    }
    if (modRevision < this.revision) return 'the revision goes back'
    this.revision = modRevision
    if (before === undefined) return undefined
    if (version !== before.version + 1) {
      return `an event is missing: version ${before.version} of the key is followed by ${version}`
    }
    return before.version > 0 && createRevision !== before.createRevision
      ? 'an event is missing: the key was made anew'
      : undefined
  }

  private note(key: string, seen: Seen): void {
    this.seen.delete(key)
    this.seen.set(key, seen)
    const [oldest] = this.seen.keys()
    if (this.seen.size <= WITNESSED_KEYS || oldest === undefined) return
    this.seen.delete(oldest)
    this.fromTheFirst = false
  }
}

/** Fills `commands` with those of the requests that are in the entry. */
function requestsFault(
  { header, requests }: WatchedSlot,
  commands: Map<number, KvCommand | undefined>,
): string | undefined {
  const { count, root } = header
  for (const { index, client, sequence, identity } of requests) {
    if (identity.kind !== 'proof' || index >= count) return 'a request comes without its proof'
    const { command, path } = identity
    const leaf = requestId({ client, sequence, command })
    if (!verifyInclusion({ leaf, index, size: count, root }, path)) return 'a request is not in the entry'
    commands.set(index, decodeKvCommand(command))
  }
  return undefined
}

// A cluster's executor with everybody's keys at hand, for the tests of the commands of the system.

import {
  type AdmittedKey,
  assembleStableCheckpoint,
  checkpointOf,
  checkpointText,
  type Digest,
  equalBytes,
  fromUtf8,
  hex,
  type MemberId,
  memberId,
  replicaIndex,
  type Signer,
  slot,
  utf8,
} from '../../../crypto/index.ts'
import {
  type Charter,
  clientPossessionBytes,
  joinBytes,
  memberPossessionBytes,
  membershipOf,
} from '../../../keys/charter/index.ts'
import { DEFAULT_PARAMETERS, type Genesis, type Parameters } from '../../../keys/genesis/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import {
  addressesStateKey,
  type ChangeCommand,
  createExecutor,
  decodeAddresses,
  decodeResultRecord,
  decodeSystemAnswer,
  type ExecutableRequest,
  type Executor,
  type ExecutorOptions,
  encodeSystemCommand,
  kv,
  type NewMember,
  type Role,
  type StateSnapshot,
  type SystemAnswer,
  type SystemCommand,
  stateGenesis,
} from '../../../src/machine/index.ts'
import { genesisOf, memberDraft, sample, signerNamed } from '../../keys/sample.ts'
import { bytesFor } from '../../support/cluster.ts'
import { fail, request } from '../support.ts'

export const INTERVAL = 4
export const PARAMETERS: Parameters = { ...DEFAULT_PARAMETERS, window: 2, checkpointInterval: INTERVAL }
export const OPTIONS: ExecutorOptions = { machine: kv, verifier: nativeVerifier }

/** The clients by name; `operator` operates member 1, and may otherwise only read. */
const CLIENTS = [
  ['ada', 'admin'],
  ['bob', 'admin'],
  ['cyd', 'admin'],
  ['writer', 'writer'],
  ['operator', 'reader'],
] as const

export const clientNamed = (name: string): Signer => signerNamed(`client ${name}`)

const genesisWith = new Map<number, Genesis>()

/** Four members, of which one may lie. */
export function townGenesis(threshold = 1): Genesis {
  const known = genesisWith.get(threshold)
  if (known !== undefined) return known
  const made = genesisOf(
    sample({
      name: 'town',
      quorum: { byzantine: 1, crash: 0 },
      members: [0, 1, 2, 3].map((i) => (i === 1 ? { ...memberDraft(i), operator: 'operator' } : memberDraft(i))),
      clients: CLIENTS.map(([name, role]) => ({ name, role, key: clientNamed(name) })),
      parameters: PARAMETERS,
      admins: { threshold },
    }),
  )
  genesisWith.set(threshold, made)
  return made
}

/** What a command came to: the code of a refusal, another outcome than `done`, or the answer. */
export type Reply = string | SystemAnswer

export interface JoinOptions {
  readonly consensus?: Signer
  readonly transport?: Signer
  readonly operator?: AdmittedKey
  readonly addresses?: readonly string[]
  readonly held?: Uint8Array
}

export class Town {
  readonly genesis: Genesis
  executor: Executor
  private readonly sequences = new Map<string, number>()
  private readonly signers = new Map<string, Signer>()
  /** Of the epoch before, and how this one began. */
  private before: { readonly charter: Charter; readonly handOver: Uint8Array } | undefined

  constructor(threshold = 1) {
    this.genesis = townGenesis(threshold)
    this.executor = this.founded(OPTIONS)
    for (const i of [0, 1, 2, 3]) this.know(memberDraft(i).consensus)
  }

  /** An executor before the first entry. */
  founded(options: ExecutorOptions): Executor {
    return createExecutor({ ...options, ...stateGenesis(this.genesis) })
  }

  get charter(): Charter {
    return this.executor.charter() ?? fail('no charter')
  }

  get base(): Digest {
    return membershipOf(this.charter, this.genesis.clusterId).digest
  }

  /** Executes the command, alone in the next entry. */
  send(client: string, command: SystemCommand | Uint8Array): Reply {
    return this.sendAll([client, command])[0] ?? fail('no reply')
  }

  /** Executes the commands, all in the next entry. */
  sendAll(...commands: (readonly [client: string, command: SystemCommand | Uint8Array])[]): Reply[] {
    const requests = commands.map(([client, command]) => {
      const sequence = (this.sequences.get(client) ?? 0) + 1
      this.sequences.set(client, sequence)
      const bytes = command instanceof Uint8Array ? command : encodeSystemCommand(command)
      return request(clientNamed(client).publicKey, sequence, bytes)
    })
    return this.execute(requests).map((bytes) => {
      const { outcome, result } = decodeResultRecord(bytes) ?? fail('a record does not decode')
      if (outcome === 'refused') return fromUtf8(result) ?? ''
      return outcome === 'done' ? (decodeSystemAnswer(result) ?? 'a result of the machine') : outcome
    })
  }

  /** Executes empty entries up to and with `last`. */
  goTo(last: number): this {
    while (this.executor.slot < last) this.execute([])
    return this
  }

  /** Executes what is left of the epoch. */
  endEpoch(): this {
    return this.goTo(this.executor.succession()?.lastSlot ?? fail('no change is in flight'))
  }

  change(command: Partial<ChangeCommand>): ChangeCommand {
    const nothing = { edits: [], quorum: undefined, parameters: undefined, threshold: undefined }
    return { kind: 'change', base: this.base, ...nothing, ...command }
  }

  /** A newcomer that did all it must to join with a change from the membership in office. */
  newcomer(name: string, options: JoinOptions = {}): NewMember {
    const { consensus = signerNamed(`${name} consensus`), transport = signerNamed(`${name} transport`) } = options
    const { operator, addresses = [`/dns/${name}/tcp/7400`], held = this.held() } = options
    this.know(consensus)
    const base = { clusterId: this.genesis.clusterId, membership: this.base }
    const prove = (signer: Signer, purpose: 'consensus' | 'transport') =>
      signer.sign(memberPossessionBytes(purpose, signer.publicKey, base))
    const text = fromUtf8(held) ?? ''
    const signed = held.length === 0 ? '' : text.slice(0, text.lastIndexOf('\n\n') + 1)
    return {
      consensusKey: consensus.publicKey,
      transportKey: transport.publicKey,
      operator,
      addresses,
      possession: { consensus: prove(consensus, 'consensus'), transport: prove(transport, 'transport') },
      held,
      joined: consensus.sign(joinBytes(consensus.publicKey, base, signed)),
    }
  }

  rotation(id: number, name: string) {
    const signer = signerNamed(`${name} consensus`)
    this.know(signer)
    const base = { clusterId: this.genesis.clusterId, membership: this.base }
    const possession = signer.sign(memberPossessionBytes('consensus', signer.publicKey, base))
    return { op: 'rotate-key', id: memberId(id), consensusKey: signer.publicKey, possession } as const
  }

  addClient(name: string, role: Role, signer = clientNamed(name)): SystemCommand {
    const possession = signer.sign(clientPossessionBytes(signer.publicKey, this.genesis.clusterId))
    return { kind: 'client', edit: { op: 'add', name, key: signer.publicKey, role, possession } }
  }

  /** The newest that a joiner may hold in this epoch. */
  held(): Uint8Array {
    const { start } = this.charter
    const newest = this.executor.slot - (this.executor.slot % INTERVAL)
    if (newest > start) return this.checkpoint(newest)
    return this.before?.handOver ?? new Uint8Array(0)
  }

  /** A stable checkpoint of the membership in office, or another charter's. */
  checkpoint(at: number, charter = this.charter, next?: Digest): Uint8Array {
    const membership = membershipOf(charter, this.genesis.clusterId)
    const content = { slot: slot(at), logRoot: bytesFor(`log ${at}`), stateRoot: bytesFor(`state ${at}`), next }
    const message = utf8(checkpointText(checkpointOf(content, membership, 'town')))
    const signatures = charter.members.map(({ consensusKey }, i) => {
      const signer = this.signers.get(hex(consensusKey)) ?? fail('no such signer')
      return { replica: replicaIndex(i), signature: signer.sign(message) }
    })
    const made = assembleStableCheckpoint(content, signatures, membership, 'town', nativeVerifier)
    return made.ok ? made.value.stable.note : fail(made.fault.code)
  }

  ids(): MemberId[] {
    return this.charter.members.map(({ id }) => id)
  }

  /** The client begins its numbers anew, as one that lost its memory. */
  forget(client: string): void {
    this.sequences.delete(client)
  }

  addressesOf(id: number): string[] | undefined {
    return this.stateAt((state) => {
      const value = state.get(addressesStateKey(memberId(id)))
      return value && decodeAddresses(value)
    })
  }

  /** What `read` finds in the state. */
  stateAt<Value>(read: (state: StateSnapshot) => Value): Value {
    const snapshot = this.executor.snapshot()
    const value = read(snapshot)
    snapshot.close()
    return value
  }

  private execute(requests: readonly ExecutableRequest[]): readonly Uint8Array[] {
    const at = this.executor.slot + 1
    const { charter } = this
    const { records } = this.executor.execute({ slot: at, timestampMs: 1_700_000_000_000 + at, requests })
    if (!equalBytes(membershipOf(charter, this.genesis.clusterId).digest, this.base)) {
      this.before = { charter, handOver: this.checkpoint(at, charter, this.base) }
    }
    return records
  }

  private know(signer: Signer): void {
    this.signers.set(hex(signer.publicKey), signer)
  }
}

// What every check of an auditor needs, all of it from the genesis.

import {
  type AdmittedKey,
  admitKey,
  type Digest,
  type PublicKey,
  type SignatureVerifier,
} from '../../../crypto/index.ts'
import type { Genesis } from '../../../keys/genesis/index.ts'
import { digestKey, EpochChain } from '../../consensus/index.ts'
import {
  createExecutor,
  type Executor,
  type Founding,
  kv,
  type StateGenesis,
  type StateMachine,
  stateGenesis,
} from '../../machine/index.ts'
import { MAX_ADMITTED } from './limits.ts'

/** What the checks on single items need; they ask nothing about the machine. */
export interface CheckContext {
  /** What is signed is judged in the epoch whose slot it is about, or whose membership it names. */
  readonly chain: EpochChain
}

/** What of a genesis execution and the first line of a bundle are held against. */
export interface AuditGenesis extends StateGenesis {
  readonly cluster: Founding
}

export interface AuditContext extends CheckContext {
  readonly genesis: AuditGenesis
  readonly machine: StateMachine
  /** For signatures within commands, on which execution depends: their verdict can wait for no batch. */
  readonly executes: SignatureVerifier
}

/** The context of a cluster, whose machine is the key-value store unless told. */
export function auditContext(genesis: Genesis, verifier: SignatureVerifier, machine: StateMachine = kv): AuditContext {
  const state = stateGenesis(genesis)
  const { clusterId, name: clusterName, charter } = state.cluster
  const stateRoot = genesisStateRoot(genesis, machine)
  const parts = { clusterId, clusterName, charter, stateRoot, verifier, admit: admissions(genesis) }
  return { genesis: state, machine, executes: verifier, chain: EpochChain.genesis(parts) }
}

/** The same with another verifier for everything but execution. */
export function withVerifier(context: AuditContext, verifier: SignatureVerifier): AuditContext {
  return { ...context, chain: context.chain.judgedBy({ verifier }) }
}

/** The machine before the first entry. */
export function genesisExecutor({ genesis, machine, executes }: AuditContext): Executor {
  const { clients, cluster } = genesis
  return createExecutor({ machine, clients, cluster, verifier: executes })
}

const roots = new WeakMap<Genesis, { readonly machine: StateMachine; readonly root: Digest }>()

/** Remembered for a genesis as long as that is in use. */
function genesisStateRoot(genesis: Genesis, machine: StateMachine): Digest {
  const known = roots.get(genesis)
  if (known?.machine === machine) return known.root
  const root = createExecutor({ machine, ...stateGenesis(genesis) }).stateRoot()
  roots.set(genesis, { machine, root })
  return root
}

/** Admission with a memory, which begins anew when it is full of keys that nobody listed. */
function admissions(genesis: Genesis): (key: PublicKey) => AdmittedKey | undefined {
  const keys = [
    ...genesis.clients.map(({ key }) => key),
    ...genesis.members.flatMap(({ consensusKey, transportKey }) => [consensusKey, transportKey]),
  ]
  const listed = new Map(keys.map((key) => [digestKey(key), key]))
  const others = new Map<string, AdmittedKey | undefined>()
  return (key) => {
    const name = digestKey(key)
    const known = listed.get(name)
    if (known !== undefined) return known
    if (others.has(name)) return others.get(name)
    if (others.size >= MAX_ADMITTED) others.clear()
    const admitted = admitKey(key)
    others.set(name, admitted)
    return admitted
  }
}

// Every command, in the order of the help. What a command needs takes longer to load than most of them take to run, so of a command
// line only the command that it names is loaded, and all of them where somebody asks what there is.

import type { Command } from '../command.ts'

/** By the names that commands have themselves. */
const LOADERS: Readonly<Record<string, () => Promise<Command>>> = Object.freeze({
  tour: async () => (await import('./tour.ts')).tour,
  keygen: async () => (await import('./keygen.ts')).keygen,
  'genesis show': async () => (await import('./genesis-show.ts')).genesisShow,
  'genesis check': async () => (await import('./genesis-check.ts')).genesisCheck,
  up: async () => (await import('./up.ts')).up,
  replica: async () => (await import('./replica.ts')).replica,
  status: async () => (await import('./status.ts')).status,
  put: async () => (await import('./put.ts')).put,
  get: async () => (await import('./get.ts')).get,
  del: async () => (await import('./del.ts')).del,
  range: async () => (await import('./range.ts')).range,
  txn: async () => (await import('./txn.ts')).txn,
  watch: async () => (await import('./watch.ts')).watch,
  lock: async () => (await import('./lock.ts')).lock,
  elect: async () => (await import('./elect.ts')).elect,
  resume: async () => (await import('./resume.ts')).resume,
  'client add': async () => (await import('./client-add.ts')).clientAdd,
  'client remove': async () => (await import('./client-remove.ts')).clientRemove,
  'client role': async () => (await import('./client-role.ts')).clientRole,
  'member join': async () => (await import('./member-join.ts')).memberJoin,
  'member add': async () => (await import('./member-add.ts')).memberAdd,
  'member replace': async () => (await import('./member-add.ts')).memberReplace,
  'member remove': async () => (await import('./member-remove.ts')).memberRemove,
  'member rotate-key': async () => (await import('./member-rotate-key.ts')).memberRotateKey,
  'member operator': async () => (await import('./member-operator.ts')).memberOperator,
  'member move': async () => (await import('./member-move.ts')).memberMove,
  'parameter set': async () => (await import('./parameter-set.ts')).parameterSet,
  epochs: async () => (await import('./epochs.ts')).epochs,
  'admin approve': async () => (await import('./admin-approve.ts')).adminApprove,
  'admin withdraw': async () => (await import('./admin-approve.ts')).adminWithdraw,
  'audit export': async () => (await import('./audit-export.ts')).auditExport,
  'audit verify': async () => (await import('./audit-verify.ts')).auditVerify,
  'audit blame': async () => (await import('./audit-blame.ts')).auditBlame,
  sim: async () => (await import('./sim.ts')).sim,
})

/** All commands. */
export function allCommands(): Promise<readonly Command[]> {
  return Promise.all(Object.values(LOADERS).map((load) => load()))
}

/** The one that `args` begin with; all, where they begin with none. */
export async function commandsFor([first = '', second = '']: readonly string[]): Promise<readonly Command[]> {
  const named = [first, `${first} ${second}`].find((name) => Object.hasOwn(LOADERS, name))
  const load = named === undefined ? undefined : LOADERS[named]
  return load === undefined ? allCommands() : [await load()]
}

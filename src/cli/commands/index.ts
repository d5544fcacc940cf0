// Every command, in the order of the help.

import type { Command } from '../command.ts'
import { adminApprove, adminWithdraw } from './admin-approve.ts'
import { auditBlame } from './audit-blame.ts'
import { auditExport } from './audit-export.ts'
import { auditVerify } from './audit-verify.ts'
import { clientAdd } from './client-add.ts'
import { clientRemove } from './client-remove.ts'
import { clientRole } from './client-role.ts'
import { del } from './del.ts'
import { elect } from './elect.ts'
import { epochs } from './epochs.ts'
import { genesisCheck } from './genesis-check.ts'
import { genesisShow } from './genesis-show.ts'
import { get } from './get.ts'
import { keygen } from './keygen.ts'
import { lock } from './lock.ts'
import { memberAdd, memberReplace } from './member-add.ts'
import { memberJoin } from './member-join.ts'
import { memberMove } from './member-move.ts'
import { memberOperator } from './member-operator.ts'
import { memberRemove } from './member-remove.ts'
import { memberRotateKey } from './member-rotate-key.ts'
import { parameterSet } from './parameter-set.ts'
import { put } from './put.ts'
import { range } from './range.ts'
import { replica } from './replica.ts'
import { resume } from './resume.ts'
import { sim } from './sim.ts'
import { status } from './status.ts'
import { tour } from './tour.ts'
import { txn } from './txn.ts'
import { up } from './up.ts'
import { watch } from './watch.ts'

export const commands: readonly Command[] = Object.freeze([
  tour,
  keygen,
  genesisShow,
  genesisCheck,
  up,
  replica,
  status,
  put,
  get,
  del,
  range,
  txn,
  watch,
  lock,
  elect,
  resume,
  clientAdd,
  clientRemove,
  clientRole,
  memberJoin,
  memberAdd,
  memberReplace,
  memberRemove,
  memberRotateKey,
  memberOperator,
  memberMove,
  parameterSet,
  epochs,
  adminApprove,
  adminWithdraw,
  auditExport,
  auditVerify,
  auditBlame,
  sim,
])

// Every command, in the order of the help.

import type { Command } from '../command.ts'
import { auditBlame } from './audit-blame.ts'
import { auditExport } from './audit-export.ts'
import { auditVerify } from './audit-verify.ts'
import { genesisCheck } from './genesis-check.ts'
import { genesisShow } from './genesis-show.ts'
import { keygen } from './keygen.ts'
import { replica } from './replica.ts'
import { sim } from './sim.ts'
import { tour } from './tour.ts'
import { up } from './up.ts'

export const commands: readonly Command[] = Object.freeze([
  tour,
  keygen,
  genesisShow,
  genesisCheck,
  up,
  replica,
  auditExport,
  auditVerify,
  auditBlame,
  sim,
])

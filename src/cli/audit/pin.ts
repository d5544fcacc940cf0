// The pin that a user gives: a file that holds one line.

import { readFile } from 'node:fs/promises'
import { type Pin, parsePin } from '../../consensus/index.ts'
import { type Input, type OptionSpec, UsageError } from '../command.ts'

export const PIN_OPTION: OptionSpec = {
  flags: '--pin <file>',
  describe: 'a hand-over of the cluster that you trust, without which a log of several epochs is ambiguous',
}

/** @throws {UsageError} where the file cannot be read or holds no pin. */
export async function wantedPin(input: Input): Promise<Pin | undefined> {
  const file = input.text('pin')
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`--pin: ${file} cannot be read: ${error.message}`)
  })
  const pin = parsePin(text.replace(/\n$/, ''))
  if (pin === undefined) {
    throw new UsageError(`--pin: ${file} holds no pin, which is one line: quorate-pin-1 CLUSTER EPOCH DIGEST`)
  }
  return pin
}

// What is wrong with a genesis: one clear sentence with the field's path.

export interface GenesisFault {
  /** Such as `members[2].consensusKey`; empty for the file as a whole. */
  readonly path: string
  /** The rest of the sentence. */
  readonly message: string
}

/** The fault as one line. */
export function faultText({ path, message }: GenesisFault): string {
  return path === '' ? `the file ${message}` : `${path}: ${message}`
}

// The batch of signature checks as one buffer, which is handed to a thread instead of being copied.
//
//   count (u32), then per job: length of the message (u32), length of the signature (u32), key (32), message, signature
//
// The answer is one byte a job: 1 accepted, 0 refused.

import { type AdmittedKey, PUBLIC_KEY_BYTES, readU32, writeU32 } from '../../crypto/index.ts'

/** One signature to check. */
export interface VerifyJob {
  readonly key: AdmittedKey
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/** A job as the thread sees it: views into the buffer. */
export interface UnpackedJob {
  readonly key: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

const COUNT_BYTES = 4
const JOB_HEAD_BYTES = 4 + 4 + PUBLIC_KEY_BYTES

/** What `job` adds to the packed length, in bytes. */
export function packedBytes(job: VerifyJob): number {
  return JOB_HEAD_BYTES + job.message.length + job.signature.length
}

export function packJobs(jobs: readonly VerifyJob[]): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(jobs.reduce((sum, job) => sum + packedBytes(job), COUNT_BYTES))
  writeU32(packed, 0, jobs.length)
  let offset = COUNT_BYTES
  for (const { key, message, signature } of jobs) {
    writeU32(packed, offset, message.length)
    writeU32(packed, offset + 4, signature.length)
    packed.set(key, offset + 8)
    packed.set(message, offset + JOB_HEAD_BYTES)
    packed.set(signature, offset + JOB_HEAD_BYTES + message.length)
    offset += JOB_HEAD_BYTES + message.length + signature.length
  }
  return packed
}

/** The jobs of {@link packJobs}. @throws {RangeError} where the lengths do not fit the buffer. */
export function unpackJobs(packed: Uint8Array): UnpackedJob[] {
  const count = readU32(packed, 0)
  const jobs: UnpackedJob[] = []
  let offset = COUNT_BYTES
  while (jobs.length < count && offset + JOB_HEAD_BYTES <= packed.length) {
    const message = offset + JOB_HEAD_BYTES
    const signature = message + readU32(packed, offset)
    const end = signature + readU32(packed, offset + 4)
    jobs.push({
      key: packed.subarray(offset + 8, message),
      message: packed.subarray(message, signature),
      signature: packed.subarray(signature, end),
    })
    offset = end
  }
  if (jobs.length !== count || offset !== packed.length) {
    throw new RangeError(
      `packed jobs: expected ${count} jobs in ${packed.length} bytes, got ${jobs.length} in ${offset}`,
    )
  }
  return jobs
}

// A signed request whose outcome is unknown, kept to ask about it again: JSON with the frame that a client sends.

import { base64, fromBase64, hex } from '../../../crypto/index.ts'
import type { Genesis } from '../../../keys/index.ts'
import type { SignedRequest } from '../../consensus/index.ts'
import { decodeClientFrame, encodeClientFrame } from '../../wire/index.ts'
import { UsageError } from '../command.ts'

const FORMAT = 'quorate-request-v1'
/** Base64 of the largest frame of a client, 8 MiB, and what is around it. */
export const MAX_REQUEST_FILE_BYTES = 12 * 1024 * 1024

export function encodeRequestFile(request: SignedRequest, { clusterId }: Genesis): string {
  const frame = base64(encodeClientFrame({ kind: 'requests', requests: [request] }))
  return `${JSON.stringify({ format: FORMAT, cluster: hex(clusterId), frame }, undefined, 2)}\n`
}

/** @throws {UsageError} where `text` is no such file, or one of another cluster. */
export function decodeRequestFile(file: string, text: string, { clusterId, label }: Genesis): SignedRequest {
  const value = parsed(text)
  const { format, cluster, frame } = typeof value === 'object' && value !== null ? fieldsOf(value) : fieldsOf({})
  if (format !== FORMAT) throw new UsageError(`${file} is not a request that was kept to ask about it again`)
  if (cluster !== hex(clusterId)) throw new UsageError(`${file} is a request to another cluster than ${label}`)
  const bytes = frame === undefined ? undefined : fromBase64(frame)
  const decoded = bytes === undefined ? undefined : decodeClientFrame(bytes)
  if (decoded?.ok && decoded.value.kind === 'requests' && decoded.value.requests.length === 1) {
    const [request] = decoded.value.requests
    if (request !== undefined) return request
  }
  throw new UsageError(`${file} is damaged: it holds no request`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function fieldsOf(value: object): { format?: string; cluster?: string; frame?: string } {
  const entries = Object.entries(value).filter(([, field]) => typeof field === 'string')
  return Object.fromEntries(entries)
}

// What is remembered of a cluster beside its genesis, as one line of text: the chain of epochs that somebody followed, the pin of its end,
// and where the members of the last epoch are reached.
//
//   {"format":"quorate-cluster-1","cluster":ID,"pin":PIN,"links":[HAND-OVER...],"addresses":{MEMBER ID:[ADDRESS...]}}

import { fromHex, hex, type MemberId, memberId } from '../../crypto/index.ts'
import { type Admit, MAX_EPOCH } from '../../keys/charter/index.ts'
import { type EpochChain, formatPin, type HandOver, type Pin, parsePin } from '../consensus/index.ts'
import { decodeHandOver, encodeHandOver } from './hand-overs.ts'

/** Nothing in it is verified. */
export interface RememberedCluster {
  /** Id of the cluster, in hexadecimal digits. */
  readonly cluster: string
  readonly pin: Pin | undefined
  readonly links: readonly HandOver[]
  readonly addresses: ReadonlyMap<MemberId, readonly string[]>
}

const FORMAT = 'quorate-cluster-1'

export function formatCluster(chain: EpochChain, addresses: ReadonlyMap<MemberId, readonly string[]>): string {
  const { pin, links, last } = chain
  const members = last.charter.members.map(({ id }) => [id, addresses.get(id) ?? []] as const)
  return `${JSON.stringify({
    format: FORMAT,
    cluster: hex(last.membership.clusterId),
    ...(pin && { pin: formatPin(pin) }),
    links: links.map((link) => hex(encodeHandOver(link))),
    addresses: Object.fromEntries(members),
  })}\n`
}

/** What {@link formatCluster} wrote, or undefined where `text` is nothing of that kind; `admit` takes the keys in charters. */
export function parseCluster(text: string, admit?: Admit): RememberedCluster | undefined {
  const value = jsonOf(text)
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== FORMAT) return undefined
  if (!('cluster' in value) || typeof value.cluster !== 'string') return undefined
  if (!('links' in value) || !isTexts(value.links) || value.links.length > MAX_EPOCH) return undefined
  if (!('addresses' in value) || typeof value.addresses !== 'object' || value.addresses === null) return undefined
  const pin = 'pin' in value && typeof value.pin === 'string' ? parsePin(value.pin) : undefined
  if ('pin' in value && pin === undefined) return undefined
  const links: HandOver[] = []
  for (const each of value.links) {
    const bytes = fromHex(each)
    const link = bytes === undefined ? undefined : decodeHandOver(bytes, admit)
    if (link?.ok !== true) return undefined
    links.push(link.value)
  }
  const addresses = new Map<MemberId, readonly string[]>()
  for (const [id, list] of Object.entries(value.addresses)) {
    if (!/^(0|[1-9][0-9]{0,8})$/.test(id) || !isTexts(list)) return undefined
    addresses.set(memberId(Number(id)), list)
  }
  return { cluster: value.cluster, pin, links, addresses }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

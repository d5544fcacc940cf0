// Where a replica listens: /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT, a multiaddr in exactly one spelling.
//
// The rule is written out here, and not taken from the multiaddr library, because what it says decides which genesis is
// valid, today and for the auditor in ten years; a test holds it to the library, which the network code uses.
// Ref: multiformats/multiaddr; RFC 5952 section 4 (IPv6), but IPv4-mapped ones in hexadecimal, as libp2p does.

import { quoted } from './text.ts'

const FORM = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/([^/]+)$/
const LONGEST_ADDRESS = 300
/** RFC 1123 host names, lower case; DNS ignores case, and two spellings would pass the check for duplicates. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/
const OCTET = '(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])'
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)

/** Why `text` is no address for a member: the end of a sentence that its path begins. Undefined where it is one. */
export function addressFault(text: string): string | undefined {
  if (text.length > LONGEST_ADDRESS) return `is longer than ${LONGEST_ADDRESS} characters`
  const [, kind, host = '', port = ''] = FORM.exec(text) ?? []
  if (kind === undefined) {
    return `${quoted(text)} is not of the form /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT, such as /ip4/127.0.0.1/tcp/7400`
  }
  const fault = kind === 'ip4' ? ipv4Fault(host) : kind === 'ip6' ? ipv6Fault(host) : nameFault(host)
  if (fault !== undefined) return fault
  const plain = /^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535
  return plain ? undefined : `${quoted(port)} is not a port: a plain number from 1 to 65535`
}

/** The address of `host` (IPv4, IPv6 or a name) and a port, as canonical as may be; {@link addressFault} decides. */
export function addressOf(host: string, port: number): string {
  if (host.includes(':')) return `/ip6/${canonicalIpv6(host) ?? host}/tcp/${port}`
  return /^[0-9.]+$/.test(host) ? `/ip4/${host}/tcp/${port}` : `/dns/${host.toLowerCase()}/tcp/${port}`
}

function ipv4Fault(host: string): string | undefined {
  if (!IPV4.test(host)) return `${quoted(host)} is not an IPv4 address: four plain numbers from 0 to 255`
  return host === '0.0.0.0' ? unspecified(host) : undefined
}

function ipv6Fault(host: string): string | undefined {
  const canonical = canonicalIpv6(host)
  if (canonical === undefined) return `${quoted(host)} is not an IPv6 address (without zone)`
  if (canonical !== host) return `${quoted(host)} must be written ${quoted(canonical)}`
  return host === '::' ? unspecified(host) : undefined
}

function nameFault(host: string): string | undefined {
  if (!HOST_NAME.test(host)) return `${quoted(host)} is not a host name in lower case`
  return /(?:^|\.)[0-9]+$/.test(host) ? `${quoted(host)} looks like an IP address; write /ip4/ before it` : undefined
}

function unspecified(host: string): string {
  return `${quoted(host)} means "any address": nobody can dial it`
}

/** RFC 5952: lower case, no leading zeros, `::` for the first of the longest runs of two or more zero groups. */
function canonicalIpv6(text: string): string | undefined {
  const groups = ipv6Groups(text)
  if (groups === undefined) return undefined
  let [start, length] = [0, 1]
  for (let from = 0; from < 8; from++) {
    let to = from
    while (groups[to] === 0) to++
    if (to - from > length) [start, length] = [from, to - from]
  }
  const written = groups.map((group) => group.toString(16))
  if (length === 1) return written.join(':')
  return `${written.slice(0, start).join(':')}::${written.slice(start + length).join(':')}`
}

/** The eight groups of any spelling of an IPv6 address, or undefined. */
function ipv6Groups(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(group)))
  if (head === undefined || [...head, ...(tail ?? [])].some(Number.isNaN)) return undefined
  if (tail === undefined) return head.length === 8 ? head : undefined
  if (halves[0]?.includes('.')) return undefined
  const missing = 8 - head.length - tail.length
  return missing < 1 ? undefined : [...head, ...Array<number>(missing).fill(0), ...tail]
}

/** One group, or the two of a dotted IPv4 address; NaN for anything else. */
function group(text: string, index: number, all: readonly string[]): number[] {
  if (index === all.length - 1 && IPV4.test(text)) {
    const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  }
  return [/^[0-9A-Fa-f]{1,4}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN]
}

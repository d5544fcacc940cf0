import { multiaddr } from '@multiformats/multiaddr'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressFault, addressOf } from '../../../keys/genesis/index.ts'

describe('addresses', () => {
  it.each([
    '/ip4/127.0.0.1/tcp/7400',
    '/ip4/255.255.255.255/tcp/65535',
    '/ip6/::1/tcp/1',
    '/ip6/2001:db8::1:0:0:1/tcp/7400',
    '/ip6/::ffff:102:304/tcp/7400',
    '/ip6/1:0:1:1:1:1:1:1/tcp/7400',
    '/dns/replica-0.example.org/tcp/7400',
    '/dns4/localhost/tcp/80',
    '/dns6/a.b/tcp/80',
  ])('may be %s', (text) => {
    expect(addressFault(text)).toBeUndefined()
    expect(multiaddr(text).toString()).toBe(text)
  })

  it.each([
    ['/ip4/127.0.0.01/tcp/7400', 'is not an IPv4 address'],
    ['/ip4/256.0.0.1/tcp/7400', 'is not an IPv4 address'],
    ['/ip4/1.2.3/tcp/7400', 'is not an IPv4 address'],
    ['/ip4/0.0.0.0/tcp/7400', 'nobody can dial it'],
    ['/ip6/::/tcp/7400', 'nobody can dial it'],
    ['/ip6/0:0:0:0:0:0:0:1/tcp/1', 'must be written "::1"'],
    ['/ip6/2001:DB8::1/tcp/1', 'must be written "2001:db8::1"'],
    ['/ip6/::ffff:1.2.3.4/tcp/1', 'must be written "::ffff:102:304"'],
    ['/ip6/2001:db8:0:0:1::1/tcp/1', 'must be written "2001:db8::1:0:0:1"'],
    ['/ip6/1::1:1:1:1:1:1/tcp/1', 'must be written "1:0:1:1:1:1:1:1"'],
    ['/ip6/fe80::1%eth0/tcp/1', 'is not an IPv6 address'],
    ['/ip6/1.2.3.4::/tcp/1', 'is not an IPv6 address'],
    ['/ip6/1::2::3/tcp/1', 'is not an IPv6 address'],
    ['/ip6/1:2:3:4:5:6:7:8:9/tcp/1', 'is not an IPv6 address'],
    ['/ip6/:1:2:3:4:5:6:7/tcp/1', 'is not an IPv6 address'],
    ['/dns/Example.org/tcp/1', 'is not a host name in lower case'],
    ['/dns/example.org./tcp/1', 'is not a host name'],
    ['/dns/a%2fb/tcp/1', 'is not a host name'],
    ['/dns/-a/tcp/1', 'is not a host name'],
    ['/dns/1.2.3.4/tcp/1', 'looks like an IP address'],
    ['/ip4/1.2.3.4/tcp/0', '"0" is not a port'],
    ['/ip4/1.2.3.4/tcp/65536', '"65536" is not a port'],
    ['/ip4/1.2.3.4/tcp/080', '"080" is not a port'],
    ['/ip4/1.2.3.4/tcp/+8', '"+8" is not a port'],
    ['/ip4/1.2.3.4/tcp/80/', 'is not of the form'],
    ['/ip4/1.2.3.4/tcp/80/ws', 'is not of the form'],
    ['/ip4/1.2.3.4/udp/80', 'is not of the form'],
    ['/ip6zone/eth0/ip6/fe80::1/tcp/1', 'is not of the form'],
    ['ip4/1.2.3.4/tcp/80', 'is not of the form'],
    ['/ip4/1.2.3.4/tcp/80\n', '"80\\n" is not a port'],
    ['', 'is not of the form'],
    [`/dns/${'a.'.repeat(150)}a/tcp/1`, 'is longer than 300 characters'],
  ])('may not be %j', (text, sentence) => {
    expect(addressFault(text)).toContain(sentence)
  })

  it('agree with the multiaddr library on the one spelling of every IPv6 address', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.boolean(), (groups, padded) => {
        const written = groups.map((value) => value.toString(16).padStart(padded ? 4 : 1, '0')).join(':')
        const ours = addressOf(written, 7400)
        expect(ours).toBe(multiaddr(`/ip6/${written}/tcp/7400`).toString())
        if (groups.some((value) => value !== 0)) expect(addressFault(ours)).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  it('that are taken are what the multiaddr library writes for them, whatever the text', () => {
    const host = fc.stringMatching(/^[0-9a-f:.]{1,20}$/)
    const kind = fc.constantFrom('ip4', 'ip6', 'dns')
    fc.assert(
      fc.property(kind, fc.oneof(host, fc.ipV4(), fc.ipV6(), fc.domain()), fc.integer(), (name, text, port) => {
        const address = `/${name}/${text}/tcp/${port}`
        if (addressFault(address) === undefined) expect(multiaddr(address).toString()).toBe(address)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['127.0.0.1', '/ip4/127.0.0.1/tcp/7400'],
    ['::0001', '/ip6/::1/tcp/7400'],
    ['Host.Example', '/dns/host.example/tcp/7400'],
  ])('are made of a host: %s', (host, address) => {
    expect(addressOf(host, 7400)).toBe(address)
  })
})

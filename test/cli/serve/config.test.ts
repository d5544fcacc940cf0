import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configOf, listenFault, readConfig } from '../../../src/cli/serve/config.ts'

const WHOLE = `
data: /var/lib/quorate
durability: os
retention: { slots: 1000, bytes: 1_000 }
liar: equivocate
listen: [/ip4/0.0.0.0/tcp/0, /ip6/::/tcp/7400]
peers: { 1: /ip4/10.0.0.1/tcp/7401, 2: /dns/b.example/tcp/1 }
metricsPort: 9400
log: { level: info, file: replica.log }
`

describe('a config file', () => {
  it('may set everything', () => {
    expect(configOf(WHOLE.replace('1_000', '1000'), 'c')).toEqual({
      data: '/var/lib/quorate',
      durability: 'os',
      retention: { slots: 1000, bytes: 1000 },
      liar: 'equivocate',
      listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/7400'],
      peers: { 1: '/ip4/10.0.0.1/tcp/7401', 2: '/dns/b.example/tcp/1' },
      metricsPort: 9400,
      log: { level: 'info', file: 'replica.log' },
    })
  })

  it.each(['', '# nothing\n', '{}'])('may be empty: %j', (text) => {
    expect(configOf(text, 'c')).toEqual({})
  })

  it.each([
    ['durabilty: fsync', 'c: durabilty: unknown field; did you mean durability?'],
    ['retention: { slot: 1 }', 'c: retention.slot: unknown field; did you mean slots?'],
    ['log: { lvl: info }', 'c: log.lvl: unknown field; did you mean level?'],
    ['window: 3', 'c: window: unknown field; known are data, durability, retention, liar,'],
    ['durability: disk', 'c: durability: must be fsync, os, memory'],
    ['retention: { slots: -1 }', 'c: retention.slots: must be a whole number, 0 or more'],
    ['retention: 5', 'c: retention: must be a mapping'],
    ['metricsPort: 70000', 'c: metricsPort: must be a port: a whole number from 0 (any) to 65535'],
    ['listen: []', 'c: listen: is empty'],
    ['listen: [127.0.0.1]', 'c: listen[0]: "127.0.0.1" is not of the form'],
    ['peers: { x: /ip4/10.0.0.1/tcp/1 }', 'c: peers.x: is no member index'],
    ['peers: { 1: /ip4/0.0.0.0/tcp/1 }', 'nobody can dial it'],
    ['log: { level: loud }', 'c: log.level: must be debug, info, warn, error, silent'],
    ['data: ""', 'c: data: must be a path'],
    ['- a', 'c: must hold a mapping of fields'],
    ['just text', 'c: must hold a mapping of fields'],
    ['data: x\ndata: y', 'c is not YAML: Map keys must be unique at line 2'],
    ['a: [', 'c is not YAML: '],
  ])('is refused for %j', (text, sentence) => {
    expect(() => configOf(text, 'c')).toThrow(sentence)
  })

  it('is refused with all of its faults at once', () => {
    expect(() => configOf('durability: x\nlier: y', 'c')).toThrow(/\n {2}durability: .*\n {2}lier: .*did you mean liar/)
  })
})

describe('a config file on disk', () => {
  let root: string
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'quorate-config-'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  it('has its relative paths taken from its own folder', async () => {
    const file = join(root, 'a.yaml')
    await writeFile(file, 'data: store\nlog: { file: /var/log/q }')
    expect(await readConfig(file)).toEqual({ data: join(root, 'store'), log: { file: '/var/log/q' } })
  })

  it('is refused where it is missing or far too large', async () => {
    await expect(readConfig(join(root, 'none'))).rejects.toThrow("can't be read")
    const file = join(root, 'large.yaml')
    await writeFile(file, '#'.repeat(65_537))
    await expect(readConfig(file)).rejects.toThrow('a config file has at most 65536')
  })
})

describe('an address to listen on', () => {
  it.each(['/ip4/0.0.0.0/tcp/7400', '/ip6/::/tcp/0', '/ip4/127.0.0.1/tcp/1'])('may be %s', (address) => {
    expect(listenFault(address)).toBeUndefined()
  })

  it.each(['7400', '/ip4/0.0.0.0/udp/1', '/ip4/0.0.0.0/tcp/70000'])('may not be %s', (address) => {
    expect(listenFault(address)).toBeTypeOf('string')
  })
})

import { describe, expect, it } from 'vitest'
import { type SettingOptions, settingText, sweepOf } from '../../bench/cluster/settings.ts'
import { UsageError } from '../../src/cli/command.ts'

describe('the options of a load', () => {
  it('are four replicas that may lie, or three that may not, where nothing is said', () => {
    const [setting] = sweepOf({}).settings
    expect(setting).toMatchObject({ replicas: 4, crash: false, durability: 'fsync', operation: 'put', rate: undefined })
    expect(sweepOf({ crash: true }).settings[0]).toMatchObject({ replicas: 3, crash: true })
  })

  it('make one setting of each value of a comma list, which differ in nothing else', () => {
    const { over, settings } = sweepOf({ size: '10,1000,16384', clients: '2' })
    expect(over).toBe('size')
    expect(settings.map(({ size }) => size)).toEqual([10, 1000, 16384])
    expect(new Set(settings.map((setting) => JSON.stringify({ ...setting, size: 0 }))).size).toBe(1)
  })

  it('take liars, parameters and a rate', () => {
    const [setting] = sweepOf({
      liar: ['3=slow:0.9'],
      parameter: ['window=64', 'maxBatchRequests=10'],
      rate: '500',
    }).settings
    expect(setting?.liars).toEqual(['3=slow:0.9'])
    expect(setting?.parameters).toEqual({ window: 64, maxBatchRequests: 10 })
    const unsigned = sweepOf({ crash: true, parameter: ['signedVotes=false'] }).settings[0]
    expect(unsigned?.parameters).toEqual({ signedVotes: false })
    if (setting === undefined) throw new Error('no setting')
    const text = settingText(setting)
    expect(text).toMatchObject({ 'requests a second': 500, liars: '3=slow:0.9', mode: 'byzantine' })
    expect(text).not.toHaveProperty('outstanding each')
  })

  it('allow values up to the longest request of the genesis, less its frame', () => {
    expect(() => sweepOf({ size: '2000', parameter: ['maxRequestBytes=2048'] })).toThrow('--size must be')
    expect(sweepOf({ size: '1024', parameter: ['maxRequestBytes=2048'] }).settings[0]?.size).toBe(1024)
  })

  it.each<[SettingOptions, RegExp]>([
    [{ replicas: '0' }, /^--replicas must be a whole number from 1 to 31, not "0"$/],
    [{ outstanding: '1,x' }, /^--outstanding must be a whole number .* not "x"$/],
    [{ clients: '257' }, /^--clients must be a whole number from 1 to 256, not "257"$/],
    [{ seconds: '1.5' }, /^--seconds must be a whole number/],
    [{ durability: 'disk' }, /^--durability must be fsync, os, memory, not "disk"$/],
    [{ outstanding: '1,2', size: '1,2' }, /^--outstanding and --size have several values each/],
    [{ outstanding: '1', rate: '5' }, /^--rate is for the open loop/],
    [{ operation: 'get', read: 'lease' }, /^--read lease needs --crash/],
    [{ read: 'quorum' }, /^--read quorum needs --operation get$/],
    [{ liar: ['7=mute'] }, /no replica 7, n is 4/],
    [{ liar: ['1=sings'] }, /^--liar 1=sings: /],
    [{ liar: ['1=mute', '2=mute'] }, /^--liar: 4 replicas bear 1 liars, not 2$/],
    [{ liar: ['1=mute', '1=slow'], replicas: '7' }, /names one replica twice/],
    [{ liar: ['1=mute'], crash: true }, /^--liar: 3 replicas bear 0 liars, not 1$/],
    [{ kill: 'everybody' }, /^--kill must be leader or follower, not "everybody"$/],
    [{ kill: 'follower', crash: true, replicas: '1' }, /^--kill follower: 1 replicas bear no crash/],
    [{ kill: 'follower', liar: ['1=mute'] }, /^--kill follower beside --liar/],
    [{ kill: 'leader', replicas: '3' }, /^--kill leader: 3 replicas bear no crash/],
    [{ parameter: ['windows=3'] }, /^--parameter "windows=3": write NAME=NUMBER .* of window, /],
    [{ parameter: ['window=true'] }, /^--parameter "window=true": /],
    [{ parameter: ['signedVotes=1'] }, /^--parameter "signedVotes=1": /],
  ])('refuse %j with one sentence', (options, sentence) => {
    expect(() => sweepOf(options)).toThrow(UsageError)
    expect(() => sweepOf(options)).toThrow(sentence)
  })
})

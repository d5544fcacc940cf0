import { describe, expect, it } from 'vitest'
import type { ReplicaReport } from '../../../src/cli/launch/messages.ts'
import { liesOf, type Seen, seenValue, summaryLine, tableLines } from '../../../src/cli/launch/view.ts'
import { fitted } from '../../../src/cli/terminal.ts'

const PLAIN = (_: string, text: string) => text
const FACTS = { label: 'demo-00000000', tolerance: '4 replicas: up to 1 may lie, none more may stop' }

function report(more: Partial<ReplicaReport>): ReplicaReport {
  return {
    ...{
      replica: 0,
      epoch: 0,
      view: 1,
      leader: 1,
      active: true,
      chosen: 300,
      executed: 299,
      stable: 256,
      stateRoot: '00',
    },
    ...{ firstSlot: 1, pending: 0, transferring: false, requests: 900, uptimeMs: 5000, connected: [0, 1, 2] },
    ...{ lies: [], liar: '', alarms: [] },
    ...more,
  }
}

function seen(index: number, more: Partial<Seen> = {}): Seen {
  return { index, liar: '', report: report({ replica: index }), ended: undefined, perSecond: 120, ...more }
}

const LIE = { accused: 2, kind: 'two-votes', count: 3 }
const CLUSTER = [
  seen(0, { report: report({ lies: [LIE] }) }),
  seen(1),
  seen(2, { liar: 'equivocate', report: report({ replica: 2, liar: 'equivocate', lies: [{ ...LIE, accused: 0 }] }) }),
  seen(3, { ended: 'exit 1: port 7403 is in use', perSecond: 0 }),
]

describe('the table of a cluster', () => {
  it('shows who leads, who lies, who was caught and who ended', () => {
    const lines = tableLines(FACTS, CLUSTER, PLAIN)
    expect(lines[0]).toBe(`Cluster ${FACTS.label}  ${FACTS.tolerance}`)
    expect(lines.slice(3).map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
      ['0', '1', '299', '256', '120', '3 of 3', '2 two-votes x3'],
      ['1', 'leader', '1', '299', '256', '120', '3 of 3'],
      ['2', '1', '299', '256', '120', '3 of 3', '0 two-votes x3', 'lies: equivocate'],
      ['3', 'stopped (exit 1: port 7403 is in use)'],
    ])
  })

  it('paints liars and the dead red and the leader bold', () => {
    const painted = tableLines(FACTS, CLUSTER, (colour, text) => `<${colour}>${text}`).slice(3)
    expect(painted.map((line) => /^<(\w+)>/.exec(line)?.[1])).toEqual([undefined, 'bold', 'red', 'red'])
  })

  it('keeps its columns under their heads', () => {
    const [head = '', , second = ''] = tableLines(FACTS, CLUSTER, PLAIN).slice(2)
    expect(second.indexOf('leader')).toBe(head.indexOf('leads'))
    expect(second.indexOf('299')).toBe(head.indexOf('slot'))
  })
})

describe('what is said of the whole cluster', () => {
  it('takes the newest view, and lies by the word of honest replicas alone', () => {
    expect(summaryLine(CLUSTER)).toBe(
      '3 of 4 run, view 1 led by 1, slot 299, checkpoint 256, 120 requests/s, lies caught: 2 two-votes x3',
    )
    expect(liesOf(CLUSTER)).toEqual([LIE])
  })

  it('names the leader of the newest epoch by its number, which is not its position there', () => {
    const moved = [
      seen(0, { report: report({ replica: 0, epoch: 0, view: 5, leader: 1 }) }),
      seen(2, { report: report({ replica: 1, epoch: 2, view: 1, leader: 1 }) }),
      seen(4, { report: report({ replica: 2, epoch: 2, view: 1, leader: 1 }) }),
    ]
    expect(summaryLine(moved)).toContain('3 of 3 run, epoch 2, view 1 led by 2,')
    const marked = tableLines(FACTS, moved, PLAIN)
      .slice(3)
      .filter((line) => line.includes('leader'))
    expect(marked.map((line) => line.trim()[0])).toEqual(['2'])
  })

  it('is plain values for programs', () => {
    expect(seenValue(CLUSTER)).toMatchObject({
      replicas: [
        { replica: 0, state: 'running', liar: '', ended: null, executed: 299 },
        {},
        { replica: 2, liar: 'equivocate' },
        { replica: 3, state: 'stopped', ended: 'exit 1: port 7403 is in use' },
      ],
    })
    expect(seenValue([seen(0, { report: undefined })])).toMatchObject({ replicas: [{ state: 'starting' }] })
  })
})

describe('a line for a narrow terminal', () => {
  it('is cut by what is seen of it, with its colours kept', () => {
    expect(fitted('\x1b[31mabcdef\x1b[39m', 3)).toBe('\x1b[31mabc\x1b[39m')
    expect(fitted('abc', 80)).toBe('abc')
  })
})

// The picture of a sweep over one option.

import type { Figure } from '../measure.ts'
import { heading, type Report } from '../report.ts'
import { type Picture, type Series, svgOf } from '../svg.ts'

export interface Point {
  /** The option's value. */
  readonly value: string
  readonly report: Report
}

/** SVG: operations a second, and the latencies p50 and p99, over the values of `option`. Requires at least one point. */
export function plotOf(option: string, points: readonly Point[]): string {
  const [first] = points
  if (first === undefined) throw new RangeError('a picture needs a point')
  const series = (name: string, label: string, colour: string): Series => ({
    ...{ name: label, colour },
    points: points.map(({ report }) => figureOf(report, name)),
  })
  const picture: Picture = {
    title: `Quorate: ${option}`,
    subtitle: heading(withoutTheVaried(points.map(({ report }) => report))),
    over: option,
    values: points.map(({ value }) => value),
    panels: [
      {
        ...{ title: 'throughput', unit: '/s', scale: 'linear' },
        series: [series('operations', 'median', '#1f5fa8')],
      },
      {
        ...{ title: 'latency', unit: 'ms', scale: 'log' },
        series: [series('latency, p50', 'p50', '#2a7f3f'), series('latency, p99', 'p99', '#b03a2e')],
      },
    ],
  }
  return svgOf(picture)
}

function figureOf({ figures }: Report, name: string): Figure {
  const found = figures.find((each) => each.name === name)
  if (found === undefined) throw new RangeError(`there is no figure ${name}`)
  return found
}

/** The first report with those settings that all have in common. */
function withoutTheVaried(reports: readonly Report[]): Report {
  const [first] = reports
  if (first === undefined) throw new RangeError('a picture needs a point')
  const common = Object.entries(first.settings).filter(([name, value]) => {
    return reports.every(({ settings }) => settings[name] === value)
  })
  return { ...first, settings: Object.fromEntries(common) }
}

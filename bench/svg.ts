// A picture of a sweep: throughput and latency over the values of one option. Two panels of lines and whiskers are all that is drawn,
// which is less than a library for it would take.

export interface Series {
  readonly name: string
  readonly colour: string
  /** One for each value of the option: the median and what the runs lie between. */
  readonly points: readonly { readonly median: number; readonly min: number; readonly max: number }[]
}

export interface Panel {
  readonly title: string
  readonly unit: string
  /** From 0 up, or by powers of ten. */
  readonly scale: 'linear' | 'log'
  readonly series: readonly Series[]
}

export interface Picture {
  readonly title: string
  /** Under the title: on what and how it was measured. */
  readonly subtitle: string
  readonly over: string
  readonly values: readonly string[]
  readonly panels: readonly Panel[]
}

const WIDTH = 720
const PANEL = Object.freeze({ height: 220, left: 80, right: 24, gap: 56, top: 108 })
const TICKS = 5
/** Digits of 10 by which a linear axis steps. */
const STEPS = [1, 2, 2.5, 5, 10]

/** Whole SVG text. Values of the option are set at equal distances, since most sweeps double or quadruple. */
export function svgOf({ title, subtitle, over, values, panels }: Picture): string {
  const height = PANEL.top + panels.length * (PANEL.height + PANEL.gap) + 16
  const drawn = panels.map((panel, i) => panelOf(panel, values, over, PANEL.top + i * (PANEL.height + PANEL.gap)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${PANEL.left}" y="24" font-size="16">${escaped(title)}</text>`,
    ...linesOf(subtitle, 100).map((line, i) => {
      return `<text x="${PANEL.left}" y="${42 + 14 * i}" font-size="10" fill="#555">${escaped(line)}</text>`
    }),
    ...drawn.flat(),
    '</svg>',
    '',
  ].join('\n')
}

function panelOf(panel: Panel, values: readonly string[], over: string, top: number): string[] {
  const bottom = top + PANEL.height
  const right = WIDTH - PANEL.right
  const all = panel.series.flatMap(({ points }) => points.flatMap(({ min, max }) => [min, max])).filter(Number.isFinite)
  const { ticks, place } = axisOf(panel.scale, all)
  const y = (value: number) => rounded(bottom - place(value) * PANEL.height)
  const x = (i: number) => rounded(PANEL.left + ((i + 0.5) * (right - PANEL.left)) / values.length)
  return [
    `<text x="${PANEL.left}" y="${top - 8}" font-size="13">${escaped(panel.title)}</text>`,
    ...ticks.map((tick) => {
      const line = `<line x1="${PANEL.left}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#ddd"/>`
      const label = `${tick.toLocaleString('en')} ${panel.unit}`
      return `${line}<text x="${PANEL.left - 6}" y="${y(tick) + 4}" text-anchor="end">${escaped(label)}</text>`
    }),
    ...values.map((value, i) => `<text x="${x(i)}" y="${bottom + 16}" text-anchor="middle">${escaped(value)}</text>`),
    `<text x="${(PANEL.left + right) / 2}" y="${bottom + 32}" text-anchor="middle" fill="#555">${escaped(over)}</text>`,
    ...panel.series.flatMap((series, i) => seriesOf(series, x, y, right - 90 * (panel.series.length - i), top - 8)),
  ]
}

function seriesOf(
  { name, colour, points }: Series,
  x: (i: number) => number,
  y: (value: number) => number,
  legend: number,
  legendY: number,
): string[] {
  const shown = points.map((point, i) => ({ ...point, i })).filter(({ median }) => Number.isFinite(median))
  const path = shown.map(({ i, median }) => `${x(i)},${y(median)}`).join(' ')
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
    ...shown.map(({ i, median, min, max }) => {
      const whisker = `<line x1="${x(i)}" x2="${x(i)}" y1="${y(min)}" y2="${y(max)}" stroke="${colour}" stroke-width="3" opacity="0.35"/>`
      return `${whisker}<circle cx="${x(i)}" cy="${y(median)}" r="3" fill="${colour}"/>`
    }),
    `<text x="${legend}" y="${legendY}" fill="${colour}">${escaped(name)}</text>`,
  ]
}

/** Where values stand on an axis, from 0 at its foot to 1 at its head, and which of them are written beside it. */
export function axisOf(
  scale: Panel['scale'],
  values: readonly number[],
): { readonly ticks: readonly number[]; readonly place: (value: number) => number } {
  const highest = Math.max(...values, 0)
  if (scale === 'linear') {
    const raw = (highest === 0 ? 1 : highest) / TICKS
    const power = 10 ** Math.floor(Math.log10(raw))
    const step = power * (STEPS.find((each) => each * power >= raw * (1 - 1e-9)) ?? 10)
    const top = step * Math.max(1, Math.ceil(highest / step - 1e-9))
    const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => precise(i * step))
    return { ticks, place: (value) => value / top }
  }
  const positive = values.filter((value) => value > 0)
  const from = Math.floor(Math.log10(Math.min(...(positive.length > 0 ? positive : [1]))))
  const to = Math.max(from + 1, Math.ceil(Math.log10(highest > 0 ? highest : 1)))
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => precise(10 ** (from + i)))
  return { ticks, place: (value) => (value <= 0 ? 0 : (Math.log10(value) - from) / (to - from)) }
}

function linesOf(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

function precise(value: number): number {
  return Number(value.toPrecision(12))
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

// A replica's metrics, read from its /metrics page: what it did between two looks.

/** Sums by name, without the `quorate_` in front; labels are added up, and kept apart as `name{labels}` too. */
export type Metrics = ReadonlyMap<string, number>

const LINE = /^quorate_([a-z_]+)(\{[^}]*\})? (\S+)$/

/** @throws where the replica does not answer. */
export async function readMetrics(port: number): Promise<Metrics> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  return metricsOf(await response.text())
}

export function metricsOf(page: string): Metrics {
  const metrics = new Map<string, number>()
  const add = (name: string, value: number) => metrics.set(name, (metrics.get(name) ?? 0) + value)
  for (const line of page.split('\n')) {
    const [, name, labels, text] = LINE.exec(line) ?? []
    if (name === undefined) continue
    add(name, Number(text))
    if (labels !== undefined) add(name + labels, Number(text))
  }
  return metrics
}

/** What one replica did. */
export interface Work {
  readonly replica: number
  /** Seconds between the looks, by its own clock. */
  readonly seconds: number
  readonly residentBytes: number
  readonly diskBytes: number
  /** By how much counters went up a second. */
  readonly rates: ReadonlyMap<string, number>
}

export function workOf(replica: number, before: Metrics, after: Metrics): Work {
  const at = (metrics: Metrics, name: string) => metrics.get(name) ?? 0
  const seconds = at(after, 'uptime_seconds') - at(before, 'uptime_seconds')
  const rates = new Map<string, number>()
  for (const [name, value] of after) rates.set(name, (value - at(before, name)) / seconds)
  return {
    ...{ replica, seconds, rates },
    residentBytes: at(after, 'resident_bytes'),
    diskBytes: at(after, 'store_bytes'),
  }
}

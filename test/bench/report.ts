import type { LoadOperation } from './load.ts'
import type { ServerName } from './settings.ts'

/** What one server did in one round. */
export interface Measured {
  readonly round: number
  readonly server: ServerName
  readonly load: string
  readonly operation: LoadOperation
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly operations: number
  readonly seconds: number
  /** Processor time over warm-up, measurement and the deletes behind creates, in cores. */
  readonly serverCores: number | null
  readonly generatorCores: number
  /** What all other programs took, the idle ensemble among them, in cores. */
  readonly otherCores: number | null
}

export interface MemoryFigures {
  readonly server: ServerName
  readonly when: string
  readonly rssMb: readonly number[]
  readonly peakMb: readonly (number | null)[]
}

/** Both servers at one load and operation, over all rounds. */
export interface Comparison {
  readonly load: string
  readonly operation: LoadOperation
  readonly quorate: Summary
  readonly zookeeper: Summary
  /** Of the medians. */
  readonly ratio: number
  /** Of the rounds, each of which measured both servers one after the other. */
  readonly ratioMin: number
  readonly ratioMax: number
}

export interface Summary {
  readonly perSecond: number
  /** Processor time of the three servers for one operation, about; null where not told. */
  readonly processorUs: number | null
  readonly p50Ms: number
  readonly p99Ms: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper
}

/** Compares where both servers were measured; empty when one server ran alone. */
export function compare(measured: readonly Measured[]): Comparison[] {
  const cells = new Map(measured.map((one) => [`${one.load} ${one.operation}`, one]))
  const comparisons: Comparison[] = []
  for (const { load, operation } of cells.values()) {
    const of = (server: ServerName): Measured[] =>
      measured.filter(
        (one) => one.server === server && one.load === load && one.operation === operation,
      )
    const [ours, theirs] = [of('quorate'), of('zookeeper')]
    const ratios = ours.flatMap(({ round, perSecond }) =>
      theirs.filter((other) => other.round === round).map((other) => perSecond / other.perSecond),
    )
    if (ratios.length === 0) continue
    const [quorate, zookeeper] = [summarize(ours), summarize(theirs)]
    comparisons.push({
      load,
      operation,
      quorate,
      zookeeper,
      ratio: quorate.perSecond / zookeeper.perSecond,
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
    })
  }
  return comparisons
}

export function summarize(measured: readonly Measured[]): Summary {
  const costs = measured.flatMap(({ serverCores, perSecond }) =>
    serverCores === null ? [] : [(serverCores * 1e6) / perSecond],
  )
  return {
    perSecond: median(measured.map((one) => one.perSecond)),
    processorUs: costs.length === 0 ? null : median(costs),
    p50Ms: median(measured.map((one) => one.p50Ms)),
    p99Ms: median(measured.map((one) => one.p99Ms)),
  }
}

/** The comparison as a table in Markdown. */
export function tableOf(comparisons: readonly Comparison[]): string {
  return table([
    [
      'load',
      'operation',
      'Quorate ops/s',
      'ZooKeeper ops/s',
      'ratio (rounds)',
      'p50 ms',
      'p99 ms',
      'CPU us/op',
    ],
    ...comparisons.map(({ load, operation, quorate, zookeeper, ratio, ratioMin, ratioMax }) => [
      load,
      operation,
      quorate.perSecond.toFixed(0),
      zookeeper.perSecond.toFixed(0),
      `${ratio.toFixed(2)} (${ratioMin.toFixed(2)}-${ratioMax.toFixed(2)})`,
      `${quorate.p50Ms.toFixed(2)} / ${zookeeper.p50Ms.toFixed(2)}`,
      `${quorate.p99Ms.toFixed(2)} / ${zookeeper.p99Ms.toFixed(2)}`,
      `${quorate.processorUs?.toFixed(0) ?? ''} / ${zookeeper.processorUs?.toFixed(0) ?? ''}`,
    ]),
  ])
}

export function memoryTableOf(memory: readonly MemoryFigures[]): string {
  return table([
    ['server', 'resident memory', 'sum MB', 'greatest MB', 'peak of one MB'],
    ...memory.map(({ server, when, rssMb, peakMb }) => [
      server,
      when,
      rssMb.reduce((sum, mb) => sum + mb, 0).toFixed(0),
      Math.max(...rssMb).toFixed(0),
      Math.max(...peakMb.map((mb) => mb ?? 0)).toFixed(0),
    ]),
  ])
}

/** Rows of text as Markdown; the first is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [line(rows[0] ?? []), rule, ...rows.slice(1).map(line)].join('\n')
}

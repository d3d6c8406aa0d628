import { compareCounts } from './plan.ts'

/** Where the data of a stopped server ends. */
export interface DataEnd {
  readonly timeline: number
  /** It was the primary of that timeline, so it has all that was committed there. */
  readonly led: boolean
  /** The last point in the WAL that is on record; there may be more behind it. */
  readonly lsn: bigint
}

/** As reports carry it. */
export function positionOf({ timeline, led, lsn }: DataEnd): string {
  return [timeline, led ? 1 : 0, lsn].join('.')
}

/** By the timeline, then by who led it, then by the WAL. */
export function comparePositions(left: string, right: string): number {
  const rights = right.split('.')
  const orders = left.split('.').map((count, i) => compareCounts(count, rights[i] ?? '0'))
  return orders.find((order) => order !== 0) ?? 0
}

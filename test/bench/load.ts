/** What bench.ts and the load generator, a process of its own, say to each other. */

export const loadOperations = ['create', 'set', 'get', 'mixed'] as const
export type LoadOperation = (typeof loadOperations)[number]

/** S sessions, spread round-robin over the servers, with D requests under way on each. */
export interface LoadShape {
  readonly sessions: number
  readonly outstanding: number
}

export type LoadJob =
  /** Creates the znodes that set, get and mixed work on; they may exist already. */
  | { readonly kind: 'prepare'; readonly ports: readonly number[] }
  /** Creates so many znodes of 100 bytes below one parent, pipelined, and leaves them there. */
  | { readonly kind: 'fill'; readonly ports: readonly number[]; readonly znodes: number }
  /** Warms up, then measures; creates are deleted again, outside of what is measured. */
  | {
      readonly kind: 'measure'
      readonly ports: readonly number[]
      readonly operation: LoadOperation
      readonly load: LoadShape
      readonly warmUpMs: number
      readonly measuredMs: number
    }

/** One measured window. */
export interface LoadFigures {
  readonly operations: number
  readonly seconds: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Processor time of the generator over the window, in cores. */
  readonly generatorCores: number
}

export type LoadAnswer =
  | { readonly kind: 'done'; readonly figures: LoadFigures | null }
  /** A reply that was late, wrong, out of order or an error: the figures are worth nothing. */
  | { readonly kind: 'failed'; readonly reason: string }

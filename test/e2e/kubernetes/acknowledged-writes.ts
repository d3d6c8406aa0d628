import { waitFor } from '../../support/wait-for.ts'
import type { Namespace } from './cluster.ts'

/** So many more mean that writes go on. */
const GOES_ON = 20
/** So many lines say what writers suffer from. */
const SAID = 60

export interface AcknowledgedWrite {
  readonly key: string
  /** Of the clock of the pod that writes. */
  readonly atMs: number
}

/** Writers in a pod of the cluster, whose log has a line for each write that was acknowledged. */
export abstract class AcknowledgedWrites {
  readonly namespace: Namespace
  readonly pod: string

  constructor(namespace: Namespace, pod: string) {
    this.namespace = namespace
    this.pod = pod
  }

  /** Starts the writers, on a node if one is named, and resolves when they are answered. */
  abstract start(node?: string): Promise<void>

  /** The keys that are there, seen by the member of `ordinal` where that can be. */
  protected abstract present(ordinal: number): Promise<ReadonlySet<string>>

  /** The acknowledged writes that are not there; what is acknowledged by now, before anybody looks. */
  async lost(ordinal = 0): Promise<string[]> {
    const acknowledged = await this.acknowledged()
    const present = await this.present(ordinal)
    return acknowledged.map(({ key }) => key).filter((key) => !present.has(key))
  }

  async stop(): Promise<void> {
    await this.namespace.kubectl('delete', 'pod', this.pod, '--ignore-not-found')
  }

  /** Every acknowledged write so far, in their order. */
  async acknowledged(): Promise<AcknowledgedWrite[]> {
    return acknowledgedIn(await this.namespace.kubectl('logs', this.pod))
  }

  /** What the writers said last that acknowledges nothing. */
  async said(): Promise<string> {
    const { stdout: log } = await this.namespace.tryKubectl('logs', this.pod)
    const lines = log.split('\n').filter((line) => !line.startsWith('acknowledged '))
    return lines.slice(-SAID).join('\n')
  }

  /** Resolves when writes are acknowledged that were not a moment ago. */
  async goesOn(withinMs = 30_000): Promise<void> {
    const before = (await this.#newest()).at(-1)
    await waitFor(
      'writes are acknowledged',
      async () => {
        const newest = await this.#newest()
        return newest.length - 1 - newest.findLastIndex(({ key }) => key === before?.key) > GOES_ON
      },
      withinMs,
    )
  }

  /** Of the last lines of a log that may be long. */
  async #newest(): Promise<AcknowledgedWrite[]> {
    return acknowledgedIn(await this.namespace.kubectl('logs', this.pod, `--tail=${4 * GOES_ON}`))
  }

  /** The longest time without an acknowledged write since the `from`th of them. */
  async longestGapMs(from = 0): Promise<number> {
    const times = (await this.acknowledged()).slice(Math.max(0, from - 1)).map(({ atMs }) => atMs)
    return times.reduce((longest, at, n) => Math.max(longest, at - (times[n - 1] ?? at)), 0)
  }
}

/** Of the lines `acknowledged KEY MS`. */
function acknowledgedIn(log: string): AcknowledgedWrite[] {
  return [...log.matchAll(/^acknowledged (\S+) (\d+)$/gm)].map(([, key = '', at]) => ({
    key,
    atMs: Number(at),
  }))
}

import { waitFor } from '../../support/wait-for.ts'
import type { Release } from './cluster.ts'

/** Writers in a pod of the cluster that speak to the client Service. */
export class WriteLoad {
  readonly #release: Release
  readonly #pod = 'write-load'
  readonly #paceMs: number

  /** Each writer pauses for `paceMs` between two writes: a long run must not fill log and tree. */
  constructor(release: Release, paceMs = 25) {
    this.#release = release
    this.#paceMs = paceMs
  }

  /** Starts the writers, on a node if one is named, and resolves when they are answered. */
  async start(node?: string): Promise<void> {
    const { name, httpPort, namespace } = this.#release
    await namespace.startProgram(
      this.#pod,
      'write-load',
      [
        { name: 'URL', value: `http://${name}-cs:${httpPort}` },
        { name: 'PACE_MS', value: String(this.#paceMs) },
        { name: 'TOKEN', valueFrom: { secretKeyRef: { name: `${name}-auth`, key: 'http-token' } } },
      ],
      'Running',
      node === undefined ? {} : { nodeName: node },
    )
    await this.goesOn()
  }

  async stop(): Promise<void> {
    await this.#release.namespace.kubectl('delete', 'pod', this.#pod, '--ignore-not-found')
  }

  /** Every acknowledged write so far, with the moment of its answer in ms of the pod's clock. */
  async acknowledged(): Promise<{ readonly key: string; readonly atMs: number }[]> {
    const log = await this.#release.namespace.kubectl('logs', this.#pod)
    return [...log.matchAll(/^acknowledged (\S+) (\d+)$/gm)].map(([, key = '', at]) => ({
      key,
      atMs: Number(at),
    }))
  }

  /** Resolves when writes are acknowledged that were not a moment ago. */
  async goesOn(): Promise<void> {
    const before = (await this.acknowledged()).length
    await waitFor(
      'writes are acknowledged',
      async () => (await this.acknowledged()).length > before + 20,
    )
  }

  /** The longest time without an acknowledged write since the `from`th of them. */
  async longestGapMs(from = 0): Promise<number> {
    const times = (await this.acknowledged()).slice(Math.max(0, from - 1)).map(({ atMs }) => atMs)
    return times.reduce((longest, at, n) => Math.max(longest, at - (times[n - 1] ?? at)), 0)
  }

  /** The acknowledged writes that the ensemble does not have, seen by the server of `ordinal`. */
  async lost(ordinal = 0): Promise<string[]> {
    const acknowledged = await this.acknowledged()
    const listed = await this.#release.exec(ordinal, 'zkCli.sh', 'ls', '/quorate/data')
    const present = new Set(listed.replace(/^\[|\]$/g, '').split(', '))
    return acknowledged.map(({ key }) => key).filter((key) => !present.has(key))
  }
}

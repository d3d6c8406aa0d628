import { AcknowledgedWrites } from './acknowledged-writes.ts'
import type { Release } from './cluster.ts'

/** Writers that speak to the client Service of the servers over HTTP. */
export class WriteLoad extends AcknowledgedWrites {
  readonly #release: Release
  readonly #paceMs: number

  /** Each writer pauses for `paceMs` between two writes: a long run must not fill log and tree. */
  constructor(release: Release, paceMs = 25) {
    super(release.namespace, 'write-load')
    this.#release = release
    this.#paceMs = paceMs
  }

  async start(node?: string): Promise<void> {
    const { name, httpPort, namespace } = this.#release
    await namespace.startProgram(
      this.pod,
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

  protected async present(ordinal: number): Promise<ReadonlySet<string>> {
    const listed = await this.#release.exec(ordinal, 'zkCli.sh', 'ls', '/quorate/data')
    return new Set(listed.replace(/^\[|\]$/g, '').split(', '))
  }
}

import { readFileSync } from 'node:fs'

/** The certificate, its key and the CA of a member; and whether its server knows of the newest ones. */
export class CertificateFiles {
  readonly #paths: readonly string[]
  /** What the server was told of, as far as this agent told it. */
  #inUse: string | null = null

  /** No paths: the server has none. */
  constructor(paths: readonly string[]) {
    this.#paths = paths
  }

  get isRenewed(): boolean {
    if (this.#paths.length === 0) return false
    try {
      return this.#content() !== this.#inUse
    } catch {
      // They are being replaced just now: the next look finds them.
      return false
    }
  }

  /** The server that starts now reads them itself. */
  started(): void {
    this.#inUse = this.#content()
  }

  /** Resolves when `tell` has, with what the files held before it began. */
  async tell(tell: () => Promise<unknown>): Promise<void> {
    const content = this.#content()
    await tell()
    this.#inUse = content
  }

  #content(): string {
    return this.#paths.map((path) => readFileSync(path, 'utf8')).join('')
  }
}

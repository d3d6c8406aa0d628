import type { SecureContextOptions } from 'node:tls'
import {
  digestOf,
  openStores,
  readStores,
  type TlsFiles,
  type TlsPolicy,
  type TlsStores,
} from './stores.ts'

export type ClientAuth = 'none' | 'want' | 'need'

export interface CredentialsOptions {
  /** For the log: whose connections these are. */
  readonly name: 'client' | 'peer' | 'http'
  readonly files: TlsFiles
  readonly policy: TlsPolicy
  /** Whether who dials must show a certificate: no, if it likes, or always. */
  readonly clientAuth: ClientAuth
  /** Between two looks at the files. */
  readonly pollMs: number
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void
}

/** Of failed handshakes at most one a second is logged; all are counted. */
const LOG_EVERY_MS = 1_000

/**
 * Certificate, key and authorities of one kind of connection. The files are looked at now and then and
 * read again when they have changed; new ones that are broken leave the old ones in force.
 */
export class Credentials {
  readonly clientAuth: ClientAuth
  reloads = 0
  reloadFailures = 0
  handshakeFailures = 0
  readonly #options: CredentialsOptions
  readonly #listeners = new Set<() => void>()
  #stores: TlsStores
  /** Of what was last looked at, good or not. */
  #digest: string
  #timer: NodeJS.Timeout | null = null
  #watching = false
  #loggedAtMs = Number.NEGATIVE_INFINITY

  private constructor(options: CredentialsOptions, stores: TlsStores, digest: string) {
    this.#options = options
    this.clientAuth = options.clientAuth
    this.#stores = stores
    this.#digest = digest
  }

  /** Reads the files; rejects with TLS_UNUSABLE. */
  static async open(options: CredentialsOptions): Promise<Credentials> {
    const contents = await readStores(options.files)
    const stores = await openStores(options.files, contents, options.policy)
    return new Credentials(options, stores, digestOf(contents))
  }

  get context(): SecureContextOptions {
    return this.#stores.context
  }

  /** Until the certificate expires, below 0 afterwards; null when it is not known. */
  expiresInSeconds(nowMs: number): number | null {
    const { expiresAtMs } = this.#stores
    return expiresAtMs === null ? null : (expiresAtMs - nowMs) / 1000
  }

  /** Calls back after each reload. */
  onReload(call: () => void): void {
    this.#listeners.add(call)
  }

  /** Looks at the files from here on until `unwatch`. */
  watch(): void {
    this.#watching = true
    this.#timer = setTimeout(() => void this.#poll(), this.#options.pollMs).unref()
  }

  unwatch(): void {
    this.#watching = false
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  async #poll(): Promise<void> {
    await this.refresh()
    if (this.#watching) this.watch()
  }

  /** Reads the files again and takes what is in them, if it has changed and is good. */
  async refresh(): Promise<void> {
    const { name, files, policy, log } = this.#options
    let digest: string | null = null
    try {
      const contents = await readStores(files)
      digest = digestOf(contents)
      if (digest === this.#digest) return
      this.#digest = digest
      this.#stores = await openStores(files, contents, policy)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (this.#digest === reason) return
      // What cannot be read has no digest: its reason stands for it, so that it is told once.
      this.#digest = digest ?? reason
      this.reloadFailures += 1
      log('warn', 'new TLS files cannot be used; the old ones stay in force', { for: name, reason })
      return
    }
    this.reloads += 1
    const expires = this.#stores.expiresAtMs
    const notAfter = expires === null ? null : new Date(expires).toISOString()
    log('info', 'the TLS files have changed and are in force', { for: name, notAfter })
    for (const call of this.#listeners) call()
  }

  /** A handshake did not come to its end, or the other's certificate is not good enough. */
  failed(address: string, reason: string): void {
    this.handshakeFailures += 1
    const nowMs = performance.now()
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) return
    this.#loggedAtMs = nowMs
    const { name, log } = this.#options
    const failures = this.handshakeFailures
    log('warn', 'a TLS handshake failed', { for: name, with: address, reason, failures })
  }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf } from '../../errors.ts'
import { writeWhole } from '../../whole-file.ts'

export interface MongodFilesOptions {
  readonly keyFile: string
  readonly tls: TlsFiles | null
  /** Shared with the main container, in memory. */
  readonly directory: string
}

export interface TlsFiles {
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
}

/**
 * Files as mongod wants them, made of those of a Secret: a key that nobody else may read (a volume that is
 * mounted with a group is refused), and one file with both certificate and key.
 */
export class MongodFiles {
  readonly #options: MongodFilesOptions
  /** What the server that runs was told of, as far as this agent told it. */
  #inUse: string | null = null

  constructor(options: MongodFilesOptions) {
    this.#options = options
  }

  /** A certificate, its key or the CA is another than the server was told of. */
  get isRenewed(): boolean {
    const { tls } = this.#options
    try {
      return tls !== null && contentOf(tls) !== this.#inUse
    } catch {
      // They are being replaced just now: the next look finds them.
      return false
    }
  }

  /** The server has taken what `prepare` wrote. */
  told(): void {
    const { tls } = this.#options
    if (tls !== null) this.#inUse = contentOf(tls)
  }

  /** Writes them, and returns the arguments that name them. Throws AGENT_CONFIG_INVALID. */
  prepare(): string {
    const { keyFile, tls, directory } = this.#options
    try {
      const key = join(directory, 'mongodb.key')
      writeWhole(key, readFileSync(keyFile), 0o400)
      const arguments_ = `--keyFile ${key}`
      if (tls === null) return arguments_
      const pem = join(directory, 'mongodb.pem')
      const parts = [readFileSync(tls.certificateFile, 'utf8'), readFileSync(tls.keyFile, 'utf8')]
      writeWhole(pem, Buffer.from(parts.map((part) => `${part.trimEnd()}\n`).join('')), 0o400)
      // Members know each other by the key; clients may have no certificate.
      return `${arguments_} --tlsMode requireTLS --tlsCertificateKeyFile ${pem} --tlsCAFile ${tls.caFile} --tlsAllowConnectionsWithoutCertificates`
    } catch (error) {
      throw new AgentError('AGENT_CONFIG_INVALID', `files of MongoDB: ${messageOf(error)}`)
    }
  }
}

function contentOf({ caFile, certificateFile, keyFile }: TlsFiles): string {
  return [caFile, certificateFile, keyFile].map((path) => readFileSync(path, 'utf8')).join('')
}

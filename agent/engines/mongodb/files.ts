import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf } from '../../errors.ts'
import { writeWhole } from '../../whole-file.ts'
import { CertificateFiles } from '../certificate-files.ts'

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
  /** Those that `prepare` reads. */
  readonly certificates: CertificateFiles

  constructor(options: MongodFilesOptions) {
    const { tls } = options
    this.#options = options
    this.certificates = new CertificateFiles(
      tls === null ? [] : [tls.caFile, tls.certificateFile, tls.keyFile],
    )
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

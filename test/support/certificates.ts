import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsFiles } from '../../server/tls/stores.ts'

export interface IssuedCertificate {
  /** The certificate alone, its key, and both in one file. */
  readonly certificate: string
  readonly key: string
  readonly both: string
}

export interface IssueOptions {
  /** As `openssl req -subj` takes it. */
  readonly subject?: string
  /** Of the certificate; negative for one that has expired. */
  readonly days?: number
  /** subjectAltName. */
  readonly names?: string
}

/** Files of PEM without passwords, unless told otherwise. */
export function tlsFiles(files: Partial<TlsFiles> & Pick<TlsFiles, 'certificateFile'>): TlsFiles {
  return {
    certificateType: 'auto',
    keyFile: '',
    keyPassword: '',
    caFile: '',
    caType: 'auto',
    caPassword: '',
    ...files,
  }
}

/** A certificate authority in a temporary directory, which `remove` takes away. */
export class CertificateAuthority {
  readonly directory: string
  readonly certificate: string
  #issued = 0

  constructor(name = 'Test authority') {
    this.directory = mkdtempSync(join(tmpdir(), 'quorate-ca-'))
    this.certificate = this.file('ca.pem')
    this.#openssl(
      ...['req', '-x509', ...KEY, '-keyout', this.file('ca.key'), '-out', this.certificate],
      ...['-days', '30', '-subj', `/CN=${name}`],
    )
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  /** A certificate for servers and clients alike. */
  issue(options: IssueOptions = {}): IssuedCertificate {
    const { subject = '/CN=server', days = 30, names = 'DNS:localhost,IP:127.0.0.1' } = options
    this.#issued += 1
    const [key, request, certificate, both] = ['key', 'csr', 'pem', 'both.pem'].map((end) =>
      this.file(`${this.#issued}.${end}`),
    ) as [string, string, string, string]
    const extensions = this.file(`${this.#issued}.ext`)
    writeFileSync(extensions, `subjectAltName=${names}\n`)
    this.#openssl(
      ...['req', '-new', ...KEY, '-keyout', key, '-out', request, '-utf8', '-multivalue-rdn'],
      ...['-subj', subject],
    )
    this.#openssl(
      ...['x509', '-req', '-in', request, '-CA', this.certificate, '-CAkey', this.file('ca.key')],
      ...['-CAcreateserial', '-days', String(days), '-extfile', extensions, '-out', certificate],
    )
    writeFileSync(both, execFileSync('cat', [key, certificate]))
    return { certificate, key, both }
  }

  /** PKCS12 of an issued certificate. */
  pkcs12({ certificate, key }: IssuedCertificate, password: string): string {
    const out = this.file(`${this.#issued}.p12`)
    this.#openssl(
      ...['pkcs12', '-export', '-in', certificate, '-inkey', key, '-out', out],
      ...['-passout', `pass:${password}`],
    )
    return out
  }

  /** The key behind a password, in PEM. */
  encryptedKey({ key }: IssuedCertificate, password: string): string {
    const out = this.file(`${this.#issued}.encrypted.key`)
    this.#openssl('pkcs8', '-topk8', '-in', key, '-out', out, '-passout', `pass:${password}`)
    return out
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
